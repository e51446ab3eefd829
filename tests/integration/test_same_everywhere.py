"""The shipped bundle computes the same on both processors and both Debians: each package installed, 500 joints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.lots.reading import load_lot
from convert.packages.__main__ import made
from convert.packages.deb import EDGE, file_name
from convert.packages.targets import ROOT, all_targets
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.bundle.format import open_bundle
from edge.bundle.shipped import bundle_folder
from tests.support.debian import Inside, root_of

# Emulated, five hundred joints take their time.
pytestmark = pytest.mark.timeout(2400)

JOINTS, FEWER = 500, 20
# The kernels that the command line names: a digest of all raw outputs, and the scores. Of fast ones fewer joints:
# emulated, all of them would take minutes.
SCRIPT = f"""
import hashlib, json, sys
import numpy as np
from edge.bundle.format import open_bundle
from edge.bundle.shipped import bundle_folder
from edge.core.decide import reading_of
from edge.core.errors import ConfigError
from edge.judging.loading import load_models
from edge.judging.messages import Choice, Load
from edge.judging.replay import replay
from edge.judging.runtime import TfliteScorer, installed_runtimes
bundle, patches, found = open_bundle(bundle_folder("reference")), np.load("/patches.npy"), {{}}
for runtime in installed_runtimes():
    for kernels in sys.argv[1:]:
        if kernels != "exact" and runtime.name != "litert":
            continue
        scorer = TfliteScorer(bundle.model_path, bundle.card.quantisation, runtime, threads=1, kernels=kernels)
        replay(bundle, scorer)
        answers = [scorer.run(patch) for patch in patches[: {FEWER} if kernels == "fast" else {JOINTS}]]
        raw = b"".join(answer.output.tobytes() + answer.features.tobytes() for answer in answers)
        outputs = [float(reading_of(answer.output, bundle.card.quantisation)) for answer in answers]
        found[f"{{runtime.name}} {{kernels}}"] = {{"digest": hashlib.sha256(raw).hexdigest(), "outputs": outputs}}
try:
    load = Load(choices=(Choice(bundle=str(bundle.path).encode()),), runtime="litert", kernels="exact")
    load_models(load)
    said = ""
except ConfigError as error:
    said = str(error)
print(json.dumps([found, said]))
"""


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("parity")
    plan = LotPlan(boards=25, joints=JOINTS, seed=77, types=5, first_type=700, defect_share=0.4)
    list(simulate_lot(work / "lot", plan, workers=2))
    lot = load_lot(work / "lot", open_bundle(bundle_folder("reference")).card.preprocess)
    assert len(lot.patches) == JOINTS
    np.save(work / "patches.npy", np.ascontiguousarray(lot.patches))
    return work / "patches.npy"


@pytest.fixture(scope="module")
def computed(patches: Path) -> dict[str, Any]:
    """By target and runtime, what was computed there."""
    found: dict[str, Any] = {}
    out = ROOT / "build" / "test-deb" / "everywhere"  # of its own: other modules make packages at the same time
    for target in all_targets():
        below = root_of(target)
        if below is None:
            pytest.skip("no root can be made here: mmdebstrap, qemu-user-static, binfmt-support and root are needed")
        made(target, out, "none")
        with Inside(below) as inside:
            shutil.copy(out / file_name(EDGE, target), inside.root / "axi-edge.deb")
            shutil.copy(patches, inside.root / "patches.npy")
            (inside.root / "compute.py").write_text(SCRIPT)
            inside.run("dpkg", "--force-depends", "-i", "/axi-edge.deb")
            kernels = ("exact", "fast", "reference") if target.architecture == "amd64" else ("fast", "reference")
            answers, refused = json.loads(inside.run("/opt/axi-edge/bin/python3", "/compute.py", *kernels))
            assert ("kernels: exact ones" in refused) == (target.architecture != "amd64"), refused
            for name, one in answers.items():
                found[f"{target} {name}"] = one
    return found


def test_reference_kernels_give_the_same_bits_everywhere(computed: dict[str, Any]) -> None:
    same = {where: one["digest"] for where, one in computed.items() if where.endswith("reference")}
    assert len(same) == 4, "two processors, two Debians"
    assert len(set(same.values())) == 1, same


def test_exact_kernels_give_the_same_bits_on_every_runtime_of_an_x86(computed: dict[str, Any]) -> None:
    same = {where: one["digest"] for where, one in computed.items() if where.endswith("exact")}
    assert len(same) == 3, "two runtimes on Debian 12, one on Debian 13"
    assert len(set(same.values())) == 1, same


def test_no_kernels_stray_further_than_the_card_allows(computed: dict[str, Any]) -> None:
    """XNNPACK rounds once where TFLite's own kernels round twice, and those of arm64 round otherwise again."""
    quantisation = open_bundle(bundle_folder("reference")).card.quantisation
    exact = np.array(computed["bookworm-amd64 litert exact"]["outputs"])
    for where, one in computed.items():
        outputs = np.array(one["outputs"])
        apart = np.abs(outputs - exact[: len(outputs)])
        print(f"{where}: {np.mean(apart > 0):.1%} of {len(outputs)} joints differ, by {apart.max():.3f} at most")
        assert apart.max() <= quantisation.replay_tolerance
