"""What an evaluation finds out of models that grade: plain data, the seed's figures beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from convert.lots.features import GradedLot
from convert.lots.graded_truth import Grades
from convert.lots.splits import require_unseen
from convert.lowering.layers import Network
from convert.metrics.grades import Numbers, Recognition, grades_of, recognition

THEIRS = {"training": 96.87, "test": 95.83}
"""Recognition Rates printed by Acciani et al. (2009), in per cent."""


class Graded(msgspec.Struct, frozen=True):
    """What one model's grades are worth on both lots; None where that would say nothing.

    ``unfamiliar``: joints of the test lot that the device would not judge, since too many of their features lie beyond
    what training joints showed; they are graded here all the same.
    """

    name: str
    note: str
    training: Recognition | None
    test: Recognition
    thresholds: tuple[float, ...] = ()
    unfamiliar: int | None = None


class GradeEvaluation(msgspec.Struct, frozen=True):
    """What ``axi-convert evaluate`` found on an optical lot. ``lots``: a sentence each."""

    schema: str
    lots: tuple[str, ...]
    models: tuple[Graded, ...]
    theirs: dict[str, float]


@dataclass(frozen=True)
class Indexed:
    """One model's quality indices, (n,) a lot, and the thresholds between its grades.

    ``unfamiliar``: as of ``Graded``. ``network``: as it was read, of a Keras model.
    """

    name: str
    note: str
    training: Numbers
    test: Numbers
    between: tuple[float, ...]
    unfamiliar: int
    network: Network | None = None


@dataclass(frozen=True)
class Classified:
    """The grades of a baseline that has no index, (n,) a lot; None where they would say nothing."""

    name: str
    note: str
    training: Grades | None
    test: Grades


@dataclass(frozen=True)
class Evaluated:
    """The figures, and what drawings are made of."""

    figures: GradeEvaluation
    models: tuple[Indexed, ...]
    test: GradedLot


def evaluate_grades(
    training: GradedLot, test: GradedLot, models: Sequence[Indexed], baselines: Sequence[Classified]
) -> Evaluated:
    """Every figure of every model, then of the baselines. Raises UsageError when both lots share a board type."""
    require_unseen(training, test)
    found = (
        *(_of_index(model, training, test) for model in models),
        *(_of_classes(each, training, test) for each in baselines),
    )
    sentences = (
        f"Learnt on {training.name}: {_about(training)}.",
        f"Measured on {test.name}: {_about(test)}.",
        *dict.fromkeys((*training.left_out, *test.left_out)),
    )
    return Evaluated(GradeEvaluation("axi-quality-evaluation/1", sentences, found, THEIRS), tuple(models), test)


def _about(lot: GradedLot) -> str:
    types = len(set(lot.board_types))
    disputed = int(lot.disputed.sum())
    return f"{len(lot.rows)} joints of {types} board types, {disputed} of them in the band where experts disagree"


def _of_index(model: Indexed, training: GradedLot, test: GradedLot) -> Graded:
    first, second = (
        recognition(grades_of(index, model.between), lot.rows)
        for index, lot in ((model.training, training), (model.test, test))
    )
    return Graded(model.name, model.note, first, second, model.between, model.unfamiliar)


def _of_classes(baseline: Classified, training: GradedLot, test: GradedLot) -> Graded:
    first = None if baseline.training is None else recognition(baseline.training, training.rows)
    return Graded(baseline.name, baseline.note, first, recognition(baseline.test, test.rows))
