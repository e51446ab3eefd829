"""What is adopted, and the recipe that follows from how many joints there are."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convert.lots.lot import Apart, LabelledLot
from edge.core.preprocess import PreprocessSpec
from edge.toml import toml_text

RECALLS = (0.98, 0.90, 0.95, 0.99)
"""Operating points; the first is the default."""
_BESIDE_THE_MODEL = ("csv", "png", "taught.json", "resume.npz", "resume.npz.tmp.npz")
_FEW_FLIPS, _FEW_DEFECTS = 3, 50


@dataclass(frozen=True)
class Order:
    """``lot``: a folder of jobs with truth; everything is written into ``out``. ``key``: to sign with. ``by``: what
    keeps the parts apart; None: board types where there are enough, else boards. ``curve_seeds``: how often each point
    of the learning curve is trained; 0 for none. ``joint_type``: the only one to adopt; empty: all.
    ``spec``: how joints are cut out, as the reference takes them.
    """

    lot: Path
    out: Path
    name: str
    key: Path
    version: str = "1.0.0"
    by: Apart | None = None
    shares: tuple[float, float, float] = (0.5, 0.25, 0.25)
    seed: int = 0
    curve_seeds: int = 3
    joint_type: str = ""
    spec: PreprocessSpec = field(default_factory=PreprocessSpec)

    @property
    def bundle(self) -> Path:
        return self.out / f"{self.name}-{self.version}"

    @property
    def report(self) -> Path:
        """Where a build's report goes, too."""
        return self._beside("report")

    @property
    def parts(self) -> Path:
        return self._beside("lots")

    @property
    def model(self) -> Path:
        return self._beside("keras")

    @property
    def recipe(self) -> Path:
        return self._beside("toml")

    @property
    def made(self) -> tuple[Path, ...]:
        """All that an adoption writes before the gate has spoken."""
        return (self.parts, self.model, self.recipe, self.report, *map(self._beside, _BESIDE_THE_MODEL))

    def remove(self, but: Collection[Path]) -> None:
        """Remove it; not what somebody had there before."""
        for path in self.made:
            if path in but:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _beside(self, ending: str) -> Path:
        return self.bundle.with_name(f"{self.bundle.name}.{ending}")


def budget_of(held_out: LabelledLot) -> dict[str, float]:
    """Budgets are shares: of few joints each allows as many as chance would flip."""
    joints, defects = len(held_out.rows), int(held_out.labels.sum())
    return {
        "max_auroc_drop": 0.005 if defects >= _FEW_DEFECTS else 0.02,
        "max_recall_drop": max(0.02, round(1.01 / defects, 4)),
        "max_flipped": max(0.01, round((_FEW_FLIPS + 0.01) / joints, 4)),
    }


def recipe_of(order: Order, classes: Sequence[str], joint_types: Sequence[str], held_out: LabelledLot) -> str:
    """The recipe, as text."""
    return toml_text(
        {
            "bundle": {"name": order.name, "version": order.version, "joint_types": joint_types},
            "source": {"model": order.model.name, "classes": classes, "seed": order.seed},
            "calibration": {"lot": f"{order.parts.name}/training"},
            "validation": {"lot": f"{order.parts.name}/validation", "recalls": RECALLS},
            "evaluation": {"lot": f"{order.parts.name}/held-out"},
            "preprocess": {"colours": order.spec.colours},
            "budget": budget_of(held_out),
            "signing": {"key": str(order.key.resolve())},
        }
    )
