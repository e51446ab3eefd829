"""What an adoption is told of its network beside the one that ships, and of board types that a total hides."""

from __future__ import annotations

import numpy as np
import pytest

from convert.evaluation.beside import beside, told
from convert.lots.lot import LabelledLot
from convert.lots.patches import PatchFiles
from convert.lots.truth import TruthRow
from convert.metrics.defects import Interval, Scores

SURE = Interval(0.99, 0.95, 1.0)
TYPES, OF_EACH = ("MB-1", "MB-2", "MB-10"), 20


def lot() -> LabelledLot:
    """Of each type as many defects as good joints, in turn."""
    rows = tuple(
        TruthRow(f"J-{board_type}", str(number), board_type, "voided" if number % 2 else "normal", number % 2)
        for board_type in TYPES
        for number in range(OF_EACH)
    )
    return LabelledLot("held-out", "sha256:0", PatchFiles([], []), np.arange(len(rows)), rows)


def scores() -> Scores:
    return np.where(lot().labels == 1, 0.9, 0.1)


def test_a_type_whose_good_joints_are_all_called_is_named_and_so_is_one_whose_defects_escape() -> None:
    held_out = lot()
    wrong = scores()
    wrong[held_out.board_types == "MB-2"] = 0.9
    wrong[held_out.board_types == "MB-10"] = 0.1
    found = beside("own", wrong, held_out, 0.5, SURE)
    assert [one.value for one in found.types] == ["MB-1", "MB-2", "MB-10"]
    said = "\n".join(told(found, beside("reference", scores(), held_out, 0.5, SURE)))
    assert "board type MB-2: 10 of its 10 good joints are called defects" in said
    assert "board type MB-10: 10 of its 10 defects escape" in said
    assert "MB-1:" not in said
    assert "the untouched network tells these joints apart better" in said


@pytest.mark.parametrize(("ours", "says"), [(0.9, "as well"), (None, "as well"), (0.0, "better")])
def test_whether_it_paid_is_said(ours: float | None, says: str) -> None:
    held_out, mine = lot(), scores()
    if ours is not None:
        mine[1 : (2 if ours else OF_EACH) : 2] = 0.05
    said = list(told(beside("own", mine, held_out, 0.5, SURE), beside("reference", scores(), held_out, 0.5, SURE)))
    assert sum(f"apart {says}" in sentence for sentence in said) == 1


def test_where_ours_is_better_nothing_is_doubted() -> None:
    worse = scores()
    worse[1:8:2] = 0.0
    said = list(told(beside("own", scores(), lot(), 0.5, SURE), beside("reference", worse, lot(), 0.5, SURE)))
    assert len(said) == 2


def test_thresholds_that_were_chosen_by_chance_are_told() -> None:
    ours = beside("own", scores(), lot(), 0.5, Interval(0.54, 0.4, 0.68))
    assert any("no better than chance: AUROC 0.5400" in said for said in told(ours, ours))
