"""What an evaluation finds out of each model: plain data, computed once, rendered elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from convert.evaluation.paper import THRESHOLDS
from convert.lots.lot import Apart, LabelledLot
from convert.lots.splits import require_both_classes, require_unseen
from convert.lots.truth import TruthRow
from convert.metrics.defects import (
    Bin,
    Interval,
    Labels,
    Outcome,
    RocPoint,
    Scores,
    auroc_interval,
    calibration_bins,
    called_rate,
    outcome_at,
    rate,
    roc,
    threshold_for_recall,
)
from edge.core.rules import Rate

TARGET_RECALLS = (0.90, 0.95, 0.98, 0.99)
_LEAST_OF_A_TYPE = 20
"""Defects, or normals, below which a board type's rate says little: its interval is wider than 0.4."""


@dataclass(frozen=True)
class Scored:
    """One model's p_defect on both lots, float64 (n,) each.

    ``note`` says how they came about; ``taught``: joints of the test lot that it is known to have learnt from; None
    where nobody knows; ``gated``: its gate was tried on the test lot.
    """

    name: str
    note: str
    validation: Scores
    test: Scores
    taught: int | None = None
    gated: bool = False


class Side(msgspec.Struct, frozen=True):
    """What a lot is: its name, digest, population, and what keeps it apart from others. ``simulated``: its truth knows
    what only a simulator does.
    """

    name: str
    digest: str
    joints: int
    defects: int
    board_types: tuple[str, ...]
    apart: Apart = "board type"
    simulated: bool = False


class AtThreshold(msgspec.Struct, frozen=True):
    """One line of Tables V and VI."""

    threshold: float
    validation: Outcome
    test: Outcome


class Chosen(msgspec.Struct, frozen=True):
    """One line of Table VII: chosen on validation for a recall, applied to the test lot.

    ``saved``: share of all flagged joints that need no specialist, escapes included.
    """

    target_recall: float
    threshold: float
    validation: Outcome
    test: Outcome
    saved: Rate

    @property
    def escapes(self) -> int:
        """Defects of the test lot that would have been released."""
        return self.test.recall.total - self.test.recall.hits

    @property
    def escapes_per_thousand(self) -> float:
        """Of all flagged joints of the test lot."""
        return 1000 * self.escapes / self.saved.total


class OfType(msgspec.Struct, frozen=True):
    """One board type's rates at a threshold."""

    board_type: str
    recall: float
    false_positive_rate: float


class Spread(msgspec.Struct, frozen=True):
    """How board types of the test lot differ at the threshold for ``target_recall``: those with enough of both classes
    to count, of ``all_types``."""

    target_recall: float
    types: tuple[OfType, ...]
    all_types: int = 0


class Clear(msgspec.Struct, frozen=True):
    """The test lot without joints that specialists dispute."""

    joints: int
    auroc: Interval
    fpr_at_recall: dict[str, Rate]


class Group(msgspec.Struct, frozen=True):
    """A part of the test lot at a threshold. A rate is None where the part has no such joint."""

    kind: str
    value: str
    joints: int
    recall: Rate | None
    false_positive_rate: Rate | None


class ModelFigures(msgspec.Struct, frozen=True):
    """Everything measured of one model. ``fpr_at_recall``: at the exact recall on the test lot itself (Table VIII).

    ``clear``: the same without disputed joints, where the truth tells them. ``taught``: joints of the test lot that the
    model is known to have learnt from; None where nobody knows. ``gated``: its gate was tried on the test lot.
    """

    name: str
    note: str
    auroc_validation: Interval
    auroc_test: Interval
    fpr_at_recall: dict[str, Rate]
    at_thresholds: tuple[AtThreshold, ...]
    chosen: tuple[Chosen, ...]
    groups: tuple[Group, ...]
    calibration: tuple[Bin, ...]
    expected_calibration_error: float
    roc: tuple[RocPoint, ...]
    spread: tuple[Spread, ...]
    clear: Clear | None
    taught: int | None = None
    gated: bool = False


class Evaluation(msgspec.Struct, frozen=True):
    """What ``axi-convert evaluate`` found."""

    schema: str
    validation: Side
    test: Side
    models: tuple[ModelFigures, ...]


def evaluate(validation: LabelledLot, test: LabelledLot, models: Sequence[Scored]) -> Evaluation:
    """Every figure of every model. Raises UsageError when a lot lacks a class or both share a board type."""
    for lot in (validation, test):
        require_both_classes(lot)
    require_unseen(validation, test)
    return Evaluation(
        "axi-evaluation/1", _side(validation), _side(test), tuple(_figures(model, validation, test) for model in models)
    )


def _side(lot: LabelledLot) -> Side:
    types = sorted({*lot.board_types} - {""}, key=lambda name: (len(name), name))
    defects, named = int(lot.labels.sum()), tuple(map(str, types))
    return Side(lot.name, lot.digest, len(lot.rows), defects, named, lot.apart, lot.simulated)


def _figures(model: Scored, validation: LabelledLot, test: LabelledLot) -> ModelFigures:
    chosen = tuple(_chosen(model, validation.labels, test.labels, recall) for recall in TARGET_RECALLS)
    bins = calibration_bins(model.test, test.labels)
    return ModelFigures(
        name=model.name,
        note=model.note,
        auroc_validation=auroc_interval(model.validation, validation.labels),
        auroc_test=auroc_interval(model.test, test.labels),
        fpr_at_recall=_fpr_at_recall(model.test, test.labels),
        at_thresholds=tuple(
            AtThreshold(
                threshold,
                outcome_at(model.validation, validation.labels, threshold),
                outcome_at(model.test, test.labels, threshold),
            )
            for threshold in THRESHOLDS
        ),
        chosen=chosen,
        groups=_groups(model.test, test, chosen[0].threshold),
        calibration=tuple(bins),
        expected_calibration_error=sum(
            abs(score_bin.mean_score - score_bin.defects.value) * score_bin.defects.total for score_bin in bins
        )
        / len(test.rows),
        roc=tuple(roc(model.test, test.labels)),
        spread=tuple(_spread(model.test, test, line) for line in chosen),
        clear=_clear(model.test, test),
        taught=model.taught,
        gated=model.gated,
    )


def _fpr_at_recall(scores: Scores, labels: Labels) -> dict[str, Rate]:
    found = {recall: threshold_for_recall(scores, labels, recall) for recall in TARGET_RECALLS}
    return {f"{recall:.2f}": outcome_at(scores, labels, at).false_positive_rate for recall, at in found.items()}


def _clear(scores: Scores, lot: LabelledLot) -> Clear | None:
    disputed = [row.disputed for row in lot.defect_rows]
    if None in disputed or not any(disputed):
        return None
    inside = np.array(disputed) == 0
    scores, labels = scores[inside], lot.labels[inside]
    if len(set(labels.tolist())) < 2:
        return None
    return Clear(len(labels), auroc_interval(scores, labels), _fpr_at_recall(scores, labels))


def _spread(scores: Scores, lot: LabelledLot, chosen: Chosen) -> Spread:
    types, called, found = lot.board_types, scores >= chosen.threshold, []
    names = sorted({*types.tolist()} - {""}, key=lambda name: (len(name), name))
    for name in names:
        defects, normals = (called[(types == name) & (lot.labels == label)] for label in (1, 0))
        if min(len(defects), len(normals)) >= _LEAST_OF_A_TYPE:
            found.append(OfType(name, float(defects.mean()), float(normals.mean())))
    return Spread(chosen.target_recall, tuple(found), len(names))


def _chosen(model: Scored, validation: Labels, test: Labels, recall: float) -> Chosen:
    threshold = threshold_for_recall(model.validation, validation, recall)
    return Chosen(
        recall,
        threshold,
        outcome_at(model.validation, validation, threshold),
        outcome_at(model.test, test, threshold),
        rate(int((model.test < threshold).sum()), len(test)),
    )


_KINDS: dict[str, Callable[[TruthRow], str | None]] = {
    "class": lambda row: row.truth,
    "slices": lambda row: str(row.slices),
    "ROI": lambda row: _either(row.roi_right, "right", "too small or shifted"),
    "fill": lambda row: _either(row.disputed, "within 5 % of the limit", "clear of the limit"),
    "board type": lambda row: row.board_type or None,
}


def _either(flag: int | None, yes: str, no: str) -> str | None:
    return None if flag is None else yes if flag else no


def _groups(scores: Scores, lot: LabelledLot, threshold: float) -> tuple[Group, ...]:
    found = []
    for kind, value_of in _KINDS.items():
        found_values = [value_of(row) for row in lot.defect_rows]
        if None in found_values:  # what the truth does not know is left out
            continue
        values = np.array(found_values)
        for value in sorted(set(values.tolist()), key=lambda name: (len(name), name)):
            inside = values == value
            found.append(group_of(kind, value, scores[inside], lot.labels[inside], threshold))
    return tuple(found)


def group_of(kind: str, value: str, scores: Scores, labels: Labels, threshold: float) -> Group:
    """What is called of some joints of a lot, all of one value."""
    defects, normals = scores[labels == 1], scores[labels == 0]
    return Group(
        kind,
        value,
        len(labels),
        called_rate(defects, threshold) if len(defects) else None,
        called_rate(normals, threshold) if len(normals) else None,
    )
