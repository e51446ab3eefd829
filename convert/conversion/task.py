"""What a network is for, as a value: everything in a build that depends on it. Nothing else asks which task it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convert.conversion.gate import Check
from convert.conversion.parity import Measured
from convert.conversion.recipe import Recipe
from convert.lots.lot import LabelledLot
from convert.metrics.defects import Outcome, Scores
from convert.metrics.grades import Agreement
from edge.core.card import Accuracy
from edge.core.intake import Spec
from edge.core.rules import GradeScale, Head, OperatingPoint, TaskName


@dataclass(frozen=True)
class Lots:
    """What a recipe's lots hold. ``validation``: none where the task learns its thresholds instead of choosing them."""

    calibration: LabelledLot
    validation: LabelledLot | None
    evaluation: LabelledLot

    @property
    def named(self) -> dict[str, LabelledLot]:
        """By the recipe's section, those there are."""
        lots = {"calibration": self.calibration, "validation": self.validation, "evaluation": self.evaluation}
        return {name: lot for name, lot in lots.items() if lot is not None}


class _Point(Protocol):
    """An operating point, whatever else is known of it."""

    @property
    def name(self) -> str: ...

    @property
    def threshold(self) -> float: ...


def by_threshold(points: Iterable[_Point]) -> dict[float, list[str]]:
    """The names of operating points by their threshold: few validation defects cannot tell them all apart."""
    found = dict[float, list[str]]()
    for point in points:
        found.setdefault(point.threshold, []).append(point.name)
    return found


@dataclass(frozen=True)
class AtPoint:
    """Both sides at one operating point's threshold, on the evaluation lot.

    ``only_keras``, ``only_tflite``: joints that only this side judges rightly; ``mcnemar_p``: McNemar's exact test, the
    probability of so uneven a split between them if neither side were better.
    """

    name: str
    threshold: float
    keras: Outcome
    tflite: Outcome
    flipped: int
    only_keras: int
    only_tflite: int
    mcnemar_p: float


@dataclass(frozen=True)
class Decided:
    """By what the bundle decides, how accurate it was found to be, and the gate's lines.

    ``points`` and ``compared``: of a task that finds defects; ``scale`` and ``agreement``: of one that grades.
    """

    accuracy: tuple[Accuracy, ...]
    checks: tuple[Check, ...]
    points: tuple[OperatingPoint, ...] = ()
    compared: tuple[AtPoint, ...] = ()
    scale: GradeScale | None = None
    agreement: Agreement | None = None


@dataclass(frozen=True)
class Scored:
    """Both sides' scores of a recipe's lots, by the converted model and on the runtimes that it is for.

    ``learning``: the converted model's scores of the calibration joints, for tasks that learn from all of them;
    ``elsewhere``: the evaluation lot's on the other runtimes, by name.
    """

    learning: Scores | None
    validation: Measured | None
    evaluation: Measured
    elsewhere: Mapping[str, Scores]


class Task(Protocol):
    """One of the two (``convert.conversion.tasks``)."""

    @property
    def name(self) -> TaskName: ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The card's."""

    @property
    def joint_types(self) -> tuple[str, ...]:
        """Those a bundle is for, where its recipe names none."""

    @property
    def calibration_use(self) -> str:
        """What the calibration lot is used for, in words."""

    @property
    def learns(self) -> bool:
        """Are thresholds learnt on the calibration lot, all of it?"""

    @property
    def least_replay_tolerance(self) -> float:
        """In what the head reads."""

    def recipe_problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        """Keys that are missing or mean nothing to this task, and what is wrong with them."""

    def spec(self, model: Any, recipe: Recipe) -> Spec:
        """How the network's input is made. Raises ConfigError for a model of another family."""

    def require_lots(self, lots: Lots) -> None:
        """Raises UsageError for lots that the task cannot use together."""

    def require_calibration(self, patches: NDArray[np.uint8], lot: str) -> None:
        """Raises GateRefused for joints that ranges cannot be learnt on."""

    def fitted_head(self, head: Head, ours: Scores, wanted: Scores) -> Head:
        """The head with its scale moved so that quantisation shifts no score on average."""

    def decide(self, recipe: Recipe, lots: Lots, scored: Scored) -> Decided:
        """Thresholds, what they are worth on the evaluation lot, and the gate's lines. Raises UsageError."""


Tell = Callable[[str], None]
"""Is told what is being done, a line each."""
