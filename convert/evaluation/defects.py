"""What an evaluation finds out of each model: plain data, computed once, rendered elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from convert.evaluation.paper import THRESHOLDS
from convert.lots.lot import LabelledLot
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

TARGET_RECALLS = (0.90, 0.95)


@dataclass(frozen=True)
class Scored:
    """One model's p_defect on both lots, float64 (n,) each. ``note`` says how they came about."""

    name: str
    note: str
    validation: Scores
    test: Scores


class Side(msgspec.Struct, frozen=True):
    """What a lot is: its name, digest, population."""

    name: str
    digest: str
    joints: int
    defects: int
    board_types: tuple[str, ...]


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


class Group(msgspec.Struct, frozen=True):
    """A part of the test lot at the first chosen threshold. A rate is None where the part has no such joint."""

    kind: str
    value: str
    joints: int
    recall: Rate | None
    false_positive_rate: Rate | None


class ModelFigures(msgspec.Struct, frozen=True):
    """Everything measured of one model. ``fpr_at_recall``: at the exact recall on the test lot itself (Table VIII)."""

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
    types = sorted(set(lot.board_types), key=lambda name: (len(name), name))
    return Side(lot.name, lot.digest, len(lot.rows), int(lot.labels.sum()), tuple(map(str, types)))


def _figures(model: Scored, validation: LabelledLot, test: LabelledLot) -> ModelFigures:
    chosen = tuple(_chosen(model, validation.labels, test.labels, recall) for recall in TARGET_RECALLS)
    bins = calibration_bins(model.test, test.labels)
    return ModelFigures(
        name=model.name,
        note=model.note,
        auroc_validation=auroc_interval(model.validation, validation.labels),
        auroc_test=auroc_interval(model.test, test.labels),
        fpr_at_recall={
            f"{recall:.2f}": outcome_at(
                model.test, test.labels, threshold_for_recall(model.test, test.labels, recall)
            ).false_positive_rate
            for recall in TARGET_RECALLS
        },
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
    )


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
    "board type": lambda row: row.board_type,
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
            found.append(_group(kind, value, scores[inside], lot.labels[inside], threshold))
    return tuple(found)


def _group(kind: str, value: str, scores: Scores, labels: Labels, threshold: float) -> Group:
    defects, normals = scores[labels == 1], scores[labels == 0]
    return Group(
        kind,
        value,
        len(labels),
        called_rate(defects, threshold) if len(defects) else None,
        called_rate(normals, threshold) if len(normals) else None,
    )
