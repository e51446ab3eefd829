# One entry point for every habit; CI calls the same ones.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Tests of one module go to one process, so that what a module shares is made once.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder
LOTS   := build/reference/calibration/lot.json build/reference/validation/lot.json build/reference/wide-validation/lot.json build/reference/held-out/truth.csv
OPTICAL := build/reference/optical-training/truth.csv build/reference/optical-held-out/truth.csv
BUNDLES := $(patsubst %,build/bundles/%-1.0.0,slicenet cnn3d cnn3d-factorised cnn-lstm cnn-lstm-factorised neurofuzzy neurofuzzy-float32)
export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := help
.PHONY: help install system node-red demo check static test bench station licence views faults docs reference results wide grades bundles ship gallery screenshots schemas real tableii deb apt-repo clean

help:           ## this list
	@sed -n 's/^\([a-z-]*\):.*## */\1\t/p' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, or set PYTHON=..."; exit 3; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the workstation's packages (TensorFlow among them; some minutes on a slow line)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[convert,demo,dev]'
	@touch $@

install: $(STAMP)   ## the virtual environment with everything

system:             ## Debian packages the tests need: mosquitto, systemd-container, chromium, prometheus, Node.js
	@sh tests/system-packages.sh

build/node-red/.installed: tests/node-red/package.json
	@mkdir -p build/node-red && cp tests/node-red/package.json build/node-red
	@cd build/node-red && { npm install --silent --no-audit --no-fund --no-package-lock && touch .installed; } \
	  || echo "could not install Node-RED: the tests of its flow will be skipped"

node-red: system build/node-red/.installed   ## Node-RED and its dashboard, for the test of the flow that ships

demo: $(STAMP)      ## the main job on simulated AXI output, end to end; what it made stays in build/demo
	$(BIN)/python -m convert.demo build/demo

static: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: static       ## format, lint, types, import contracts, links, fast tests
	$(PYTEST) -q tests/unit

test: node-red static ## everything, on two cores at once; ends with the ten slowest
	$(PYTEST) --durations=10

$(VENV)/.bench: $(STAMP)
	@echo "installing the peers to compare with: OpenVINO, NNCF, ONNX Runtime"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

bench: system $(VENV)/.bench   ## side-by-side speed, one run, ratios
	$(BIN)/python -m tests.benchmarks.run

views: $(STAMP)      ## are wrong pictures told once views are known? docs/views.md (a quarter of an hour on two cores)
	$(BIN)/python -m tests.sights.run

station: system $(STAMP)  ## what the review station withstands: a full day, a hundred kills, load (docs/station.md; some ten minutes)
	$(BIN)/python -m tests.reviewing.run

licence: $(STAMP)    ## do licences keep their promise? 360 simulated lines, docs/licence.md (half an hour on two cores)
	$(BIN)/python -m tests.licensing.run

faults: system $(STAMP)  ## break everything, many times: no joint lost, doubled or wrongly passed (docs/reliability.md)
	$(BIN)/python -m tests.faults.run

$(VENV)/.docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

docs: $(VENV)/.docs ## the guides as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "open build/site/index.html; to search in it: $(PYTHON) -m http.server --directory build/site"

reference: $(STAMP) ## make the shipped models again (about four hours on two cores; resumes)
	$(BIN)/axi-convert reference --work build/reference --out convert/shipped/models

build/reference/%/lot.json: | $(STAMP)
	$(BIN)/axi-convert simulate --reference $* --out build/reference/$*

.SECONDARY: $(LOTS) $(OPTICAL) build/reference/test/lot.json build/reference/wide-test/lot.json build/reference/optical-test/truth.csv   # or make deletes them

# truth.csv is written row by row: only a lot of patches ends with a file that says that it is whole.
build/reference/%/truth.csv: | $(STAMP)
	rm -rf build/reference/$* build/reference/$*.part
	$(BIN)/axi-convert simulate --reference $* --out build/reference/$*.part
	mv build/reference/$*.part build/reference/$*

results: $(STAMP) build/reference/validation/lot.json build/reference/test/lot.json wide grades  ## the papers' tables for the shipped models
	$(BIN)/axi-convert evaluate --data build/reference/test --validation build/reference/validation --out docs/results

wide: build/bundles/slicenet-1.0.0 build/reference/wide-validation/lot.json build/reference/wide-test/lot.json   ## of them, those on thirty board types, the int8 bundle too
	$(BIN)/axi-convert evaluate slicenet build/bundles/slicenet-1.0.0 cnn3d-factorised cnn-lstm-factorised baseline \
		--data build/reference/wide-test --validation build/reference/wide-validation --out docs/results/wide
	cp convert/shipped/models/slicenet.curve.png docs/results/curve.png

grades: build/bundles/neurofuzzy-1.0.0 build/reference/optical-validation/truth.csv build/reference/optical-test/truth.csv   ## of them, those of the network that grades
	$(BIN)/axi-convert evaluate build/bundles/neurofuzzy-1.0.0 convert/shipped/models/neurofuzzy.keras \
		--training build/reference/optical-training --validation build/reference/optical-validation --data build/reference/optical-test --out docs/results/grades

build/keys/signing.pem: | $(STAMP)
	$(BIN)/axi-convert keys --out build/keys

build/bundles/neurofuzzy%-1.0.0: build/keys/signing.pem $(OPTICAL)
	$(BIN)/axi-convert build convert/shipped/recipes/neurofuzzy$*.toml --out build/bundles

build/bundles/neurofuzzy-1.0.0: build/keys/signing.pem $(OPTICAL)
	$(BIN)/axi-convert build convert/shipped/recipes/neurofuzzy.toml --out build/bundles

build/bundles/%-1.0.0: build/keys/signing.pem $(LOTS)
	$(BIN)/axi-convert build convert/shipped/recipes/$*.toml --out build/bundles

bundles: $(BUNDLES) ## signed bundles of the shipped models, gated; reports in build/bundles (twenty minutes)

ship: build/bundles/slicenet-1.0.0   ## that of SliceNet becomes the one that ships, under a key of which the private half stays in build/keys
	rm -rf firmware_cfg/reference
	mkdir -p firmware_cfg/reference
	cp -r build/bundles/slicenet-1.0.0 firmware_cfg/reference/bundle
	cp build/keys/signing.pub firmware_cfg/reference/

gallery: $(STAMP)   ## pictures of simulated slices, with truth
	$(BIN)/axi-convert gallery --out docs/gallery

screenshots: node-red $(STAMP)   ## the guides' pictures of the station and the dashboard, from a running demo
	$(BIN)/python -m tests.tools.screenshots

schemas: $(STAMP)   ## regenerate docs/schemas and docs/features.md from the code
	$(BIN)/python -m tests.tools.write_schemas

real: $(STAMP)      ## figures on real X-ray images, where they lie beside the checkout
	$(BIN)/python -m pytest -q -s tests/functional/test_real_bga.py

tableii: $(STAMP)   ## figures of the full Table II network, Keras against int8
	$(BIN)/python -m pytest -q -s tests/functional/test_table_ii.py

deb: $(STAMP)       ## Debian packages for devices: amd64 and arm64, Debian 12 and 13, in build/deb
	$(BIN)/python -m convert.packages

apt-repo: system deb   ## a signed repository of them in build/apt, for apt of many devices
	$(BIN)/python -m convert.packages.repository

clean:
	rm -rf $(VENV) dist *.egg-info
	test ! -d build || find build -mindepth 1 -maxdepth 1 ! -name keys -exec rm -rf {} +
