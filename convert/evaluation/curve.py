"""How recognition moves with the number of board types that a network learnt from."""

from __future__ import annotations

import msgspec

from convert.evaluation.defects import ModelFigures
from convert.lots.lot import LabelledLot
from convert.metrics.defects import Interval
from edge.core.rules import Rate

RECALL = 0.95
"""The operating point that is followed."""


class CurvePoint(msgspec.Struct, frozen=True):
    """One network. ``recall``, ``false_positive_rate``: on the test lot, at the threshold chosen on validation for
    recall 0.95; ``worst_recall``: in the board type where it is least, of those with defects enough.
    """

    board_types: int
    joints: int
    auroc: Interval
    fpr_at_recall: dict[str, Rate]
    recall: Rate
    false_positive_rate: Rate
    worst_recall: float


def point(learnt_from: LabelledLot, figures: ModelFigures) -> CurvePoint:
    """What was found of the network that learnt from this lot."""
    (chosen,) = (line for line in figures.chosen if line.target_recall == RECALL)
    (spread,) = (spread for spread in figures.spread if spread.target_recall == RECALL)
    return CurvePoint(
        board_types=len(set(learnt_from.board_types.tolist())),
        joints=len(learnt_from.rows),
        auroc=figures.auroc_test,
        fpr_at_recall=figures.fpr_at_recall,
        recall=chosen.test.recall,
        false_positive_rate=chosen.test.false_positive_rate,
        worst_recall=min((found.recall for found in spread.types), default=chosen.test.recall.value),
    )
