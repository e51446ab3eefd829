"""One model beside another on the same held-out joints, and by board type, at a threshold of its own each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from convert.evaluation.defects import Group, group_of
from convert.lots.lot import LabelledLot
from convert.metrics.defects import Interval, Outcome, Scores, auroc_interval, outcome_at

_FEW = 3
"""Joints of a class on a board type, below which nothing is said of it."""
_NEARLY_ALL = 0.95
_CHANCE = 0.5


@dataclass(frozen=True)
class Beside:
    """What one model came to; ``types``: of board types that have a name; ``chosen_on``: AUROC of the joints that its
    threshold was chosen on.
    """

    name: str
    auroc: Interval
    at: Outcome
    types: tuple[Group, ...]
    chosen_on: Interval


def beside(name: str, scores: Scores, lot: LabelledLot, threshold: float, chosen_on: Interval) -> Beside:
    """``scores``: p_defect of the lot's joints, (n,). Both classes must be there. ``chosen_on``: AUROC of the joints
    that the threshold was chosen on.
    """
    names = sorted({*lot.board_types.tolist()} - {""}, key=lambda text: (len(text), text))
    inside = {board_type: lot.board_types == board_type for board_type in names}
    types = tuple(
        group_of("board type", board_type, scores[these], lot.labels[these], threshold)
        for board_type, these in inside.items()
    )
    return Beside(name, auroc_interval(scores, lot.labels), outcome_at(scores, lot.labels, threshold), types, chosen_on)


def told(ours: Beside, untouched: Beside) -> Iterator[str]:
    """In words: whether it paid, and board types of which the total says nothing."""
    for model, what in ((ours, ours.name), (untouched, "the network that comes with axi-edge, untouched")):
        rate = model.at.false_positive_rate
        yield (
            f"held-out joints by {what}: AUROC {_interval(model.auroc)}, recall {model.at.recall.value:.4f}, false "
            f"positive rate {rate.value:.4f} ({rate.hits} of {rate.total})"
        )
    if ours.chosen_on.low <= _CHANCE:
        yield (
            f"validation joints it tells apart no better than chance: AUROC {_interval(ours.chosen_on)}. Thresholds "
            "chosen on them say nothing, here and of the untouched network; look at their board types' pictures and "
            "labels, or divide the lot otherwise (--seed, --by)"
        )
    yield from _paid(ours.auroc, untouched.auroc)
    for one in ours.types:
        called, recall = one.false_positive_rate, one.recall
        if called and called.total >= _FEW and called.value >= _NEARLY_ALL:
            yield (
                f"board type {one.value}: {called.hits} of its {called.total} good joints are called defects; it "
                "spares nobody any work there. Look at its joints in the import's report, and bring more of them"
            )
        if recall and recall.total >= _FEW and recall.value <= 1 - _NEARLY_ALL:
            yield f"board type {one.value}: {recall.total - recall.hits} of its {recall.total} defects escape"


def _paid(ours: Interval, untouched: Interval) -> Iterator[str]:
    if ours.value < untouched.low:
        yield (
            "the untouched network tells these joints apart better: let it judge (axi-edge bundle activate reference), "
            "or bring more joints"
        )
    elif ours.value <= untouched.value:
        yield (
            "the untouched network tells these joints apart as well: that this lot taught anything is not to be seen "
            "on so few"
        )


def _interval(found: Interval) -> str:
    return f"{found.value:.4f} ({found.low:.4f} to {found.high:.4f})"
