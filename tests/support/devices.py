"""A small simulated line: lots and a bundle made in seconds. TensorFlow is imported only when asked for."""

from __future__ import annotations

from pathlib import Path


def small_lots(root: Path) -> Path:
    """Three small simulated lots with no board type in common: learn, validate, evaluate."""
    from convert.simulator.plan import LotPlan
    from convert.simulator.xray.lot import simulate_lot

    for number, name in enumerate(("learn", "validate", "evaluate")):
        plan = LotPlan(
            boards=4, joints=40, seed=11, types=2, first_type=10 * number, defect_share=0.5, prefix=name.upper()
        )
        list(simulate_lot(root / name, plan, workers=2))
    return root


def small_bundle(work: Path, lots: Path) -> Path:
    """A real int8 bundle, small and badly trained: for tests that need verdicts, not good ones."""
    from convert.building import build
    from tests.support.training import WIDE, quick_model, write_recipe

    quick_model(lots / "learn", work / "model.keras")
    recipe = write_recipe(work / "recipe.toml", work / "model.keras", lots, budget=WIDE)
    return build(recipe, work / "bundles", lambda _: None).bundle


def small_optical_lots(root: Path) -> Path:
    """Small lots of graded joints with no board type in common: learn, validate, evaluate."""
    from convert.simulator.optical.lot import simulate_optical_lot
    from convert.simulator.plan import LotPlan

    for number, (name, boards) in enumerate((("learn", 12), ("validate", 4), ("evaluate", 4))):
        plan = LotPlan(
            boards=boards,
            joints=30 * boards,
            seed=12,
            types=boards,
            first_type=1000 + 20 * number,
            prefix=name[0].upper(),
        )
        list(simulate_optical_lot(root / name, plan))
    return root


QUALITY_RECIPE = """
[bundle]
name = "quality-test"
version = "{version}"
[source]
model = "{model}"
network = "neurofuzzy"
[quantisation]
scheme = "{scheme}"
[calibration]
lot = "{lots}/learn"
joints = 128
[evaluation]
lot = "{lots}/evaluate"
everywhere = 8
parity = 32
parity_reference = 8
[budget]
{budget}
"""


def small_quality_bundle(work: Path, lots: Path, version: str = "1.0.0", scheme: str = "int8") -> Path:
    """A bundle of the shipped network that grades, its thresholds learnt on a small lot."""
    from convert.building import build
    from convert.shipped.paths import QUALITY_MODEL

    work.mkdir(exist_ok=True)
    recipe = work / f"quality-{version}.toml"
    budget = "max_flipped = 0.05\nmax_recognition_drop = 0.05"
    recipe.write_text(
        QUALITY_RECIPE.format(version=version, model=QUALITY_MODEL, scheme=scheme, lots=lots, budget=budget)
    )
    return build(recipe, work / "bundles", lambda _: None).bundle
