"""A small simulated line: lots and a bundle made in seconds. TensorFlow is imported only when asked for."""

from __future__ import annotations

from pathlib import Path


def small_lots(root: Path) -> Path:
    """Three small simulated lots with no board type in common: learn, validate, evaluate."""
    from convert.simulator.lot import simulate_lot
    from convert.simulator.plan import LotPlan

    for number, name in enumerate(("learn", "validate", "evaluate")):
        plan = LotPlan(
            boards=4, joints=40, seed=11, types=2, first_type=10 * number, defect_share=0.5, prefix=name.upper()
        )
        list(simulate_lot(root / name, plan, workers=2))
    return root


def small_bundle(work: Path, lots: Path) -> Path:
    """A real int8 bundle, small and badly trained: for tests that need verdicts, not good ones."""
    from convert.pipeline import build
    from tests.support.training import WIDE, quick_model, write_recipe

    quick_model(lots / "learn", work / "model.keras")
    recipe = write_recipe(work / "recipe.toml", work / "model.keras", lots, budget=WIDE)
    return build(recipe, work / "bundles", lambda _: None).bundle
