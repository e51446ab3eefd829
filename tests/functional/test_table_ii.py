"""The network of Table II in its full size, converted to true int8 and compared with Keras on every runtime here."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convert.building import build
from convert.conversion.flatfile import operations, problems
from convert.conversion.parity import scores_of
from convert.conversion.recipe import Recipe
from convert.conversion.runtimes import outputs_on
from convert.lots.lot import LabelledLot
from convert.lots.reading import load_lot
from convert.metrics.defects import flipped
from convert.networks.scoring import load_model, score
from convert.shipped.paths import RECIPES, SHIPPED
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.bundle.format import Bundle, open_bundle
from edge.core.preprocess import PreprocessSpec
from edge.core.qualification import Kernels
from edge.judging.runtime import installed_runtimes
from edge.toml import load_toml
from tests.support.training import write_recipe

pytestmark = pytest.mark.slow
MODEL = SHIPPED["cnn3d-factorised"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table-ii")


@pytest.fixture(scope="module")
def big_lots(work: Path) -> Path:
    for number, (name, boards, joints) in enumerate((("learn", 16, 320), ("validate", 8, 160), ("evaluate", 24, 800))):
        plan = LotPlan(boards=boards, joints=joints, seed=21, types=8, first_type=700 + 10 * number, defect_share=0.4)
        list(simulate_lot(work / name, plan, workers=2))
    return work


@pytest.fixture(scope="module")
def bundle_ii(big_lots: Path) -> Bundle:
    """The shipped factors multiplied out: every matrix of the size that Table II gives it.

    Built and measured on the preferred runtime; the others, slower at this size, are run on fewer joints below.
    """
    recipe = write_recipe(big_lots / "recipe.toml", MODEL, big_lots, name="table-ii")
    passes = load_toml(RECIPES / "cnn3d.toml", Recipe).lowering.passes
    recipe.write_text(
        recipe.read_text()
        .replace("joints = 32", "joints = 320")
        .replace("[quantisation]", f'[quantisation]\nruntimes = ["{installed_runtimes()[0].name}"]')
        + f"[lowering]\npasses = {json.dumps(passes)}\n"
    )
    return open_bundle(build(recipe, big_lots / "bundles", print).bundle)


@pytest.fixture(scope="module")
def held_out(big_lots: Path) -> LabelledLot:
    return load_lot(big_lots / "evaluate", PreprocessSpec())


@pytest.fixture(scope="module")
def report(bundle_ii: Bundle) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle_ii.path.parent / "table-ii-1.0.0.report" / "report.json").read_text())
    return found


def run_on(bundle: Bundle, lot: LabelledLot, kernels: Kernels) -> dict[tuple[str, int], NDArray[Any]]:
    """Raw outputs by runtime and threads, each from a process without TensorFlow, as on a device."""
    model = bundle.model_path.read_bytes()
    return {
        (runtime.name, threads): outputs_on(runtime, kernels, model, lot.patches, threads)
        for runtime in installed_runtimes()
        for threads in (1, 2)
    }


def test_the_file_is_true_int8_throughout(bundle_ii: Bundle) -> None:
    found = operations(bundle_ii.model_path.read_bytes())
    assert list(problems(found, "int8")) == []
    names = [operation.name for operation in found]
    assert names.count("CONV_2D") == 7
    assert names.count("FULLY_CONNECTED") == 2
    large = [t.shape for op in found for t in op.inputs if t.constant and t.dtype == "INT8" and np.prod(t.shape) > 1e6]
    assert large == [(1024, 53_824)]
    assert 50e6 < bundle_ii.model_path.stat().st_size < 60e6


def test_outputs_are_bit_identical_on_both_runtimes_and_any_number_of_threads(
    bundle_ii: Bundle, held_out: LabelledLot
) -> None:
    if len(installed_runtimes()) < 2:
        pytest.skip("only one TFLite runtime has a wheel for this Python")
    outputs = run_on(bundle_ii, held_out.subset(np.arange(40), "some"), "exact")
    assert len(outputs) == 4
    assert len({hashlib.sha256(output.tobytes()).hexdigest() for output in outputs.values()}) == 1


def test_fast_kernels_do_not_depend_on_threads_and_hardly_on_the_runtime(
    bundle_ii: Bundle, held_out: LabelledLot
) -> None:
    outputs = run_on(bundle_ii, held_out.subset(np.arange(100), "some"), "fast")
    scores = {key: scores_of(output, bundle_ii.card.quantisation) for key, output in outputs.items()}
    for runtime in installed_runtimes():
        np.testing.assert_array_equal(outputs[runtime.name, 1], outputs[runtime.name, 2])
    first = scores[installed_runtimes()[0].name, 1]
    for (name, threads), found in scores.items():
        flips = len(flipped(first, found, bundle_ii.card.operating_point().threshold))
        print(
            f"{name}, {threads} threads: {flips} of {len(found)} decisions differ, "
            f"max |dp| {abs(found - first).max():.4f}"
        )
        assert flips <= 0.01 * len(found)


def test_decisions_agree_with_keras_on_99_percent_of_held_out_joints(
    bundle_ii: Bundle, held_out: LabelledLot, report: dict[str, Any]
) -> None:
    """By the scores in the build's report, which are those that both sides give when some joints are scored again."""
    keras, ours = (np.array([joint[side] for joint in report["scores"]]) for side in ("keras", "converted"))
    assert len(ours) == len(held_out.rows) == 800
    some = np.arange(0, 800, 10)
    patches = held_out.take(some)
    outputs = outputs_on(installed_runtimes()[0], "fast", bundle_ii.model_path.read_bytes(), patches, 2)
    np.testing.assert_array_equal(scores_of(outputs, bundle_ii.card.quantisation), ours[some])
    np.testing.assert_allclose(score(load_model(MODEL), patches), keras[some], atol=1e-5)
    for point in bundle_ii.card.operating_points:
        flips = len(flipped(keras, ours, point.threshold))
        print(f"{point.name}: {len(ours) - flips} of {len(ours)} decisions agree with Keras")
        assert flips <= 0.01 * len(ours)
    print(f"largest |dp| against Keras: {abs(keras - ours).max():.4f}")
    assert len(np.unique(ours)) > 256, "finer than an int8 softmax"


@pytest.mark.parametrize("runtime", [runtime.name for runtime in installed_runtimes()])
@pytest.mark.parametrize("kernels", ["fast", "exact"])
def test_every_runtime_reproduces_the_golden_joints(bundle_ii: Bundle, runtime: str, kernels: str) -> None:
    code = (
        "import os, sys; from edge.judging.messages import Choice, Load; from edge.judging.loading import load_model;"
        "choice = Choice(bundle=os.fsencode(sys.argv[1]));"
        "load = Load(choices=(choice,), runtime=sys.argv[2], kernels=sys.argv[3]);"
        "print(load_model(choice, load).replayed)"
    )
    words = [sys.executable, "-c", code, str(bundle_ii.path), runtime, kernels]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == "8"


def test_the_report_says_what_was_measured(bundle_ii: Bundle, report: dict[str, Any]) -> None:
    assert report["lowering_max_difference"] <= 1e-5
    assert len(report["scores"]) == 800
    assert all(check["passed"] for check in report["gate"])
    assert {accuracy.metric for accuracy in bundle_ii.card.accuracy} == {"auroc"}
