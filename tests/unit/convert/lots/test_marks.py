"""A model that is measured on joints that taught it is told of it, whatever lots are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.lots.lot import LabelledLot
from convert.lots.marks import MOST, Marks, load_taught, save_taught
from convert.lots.patches import PatchFiles
from convert.lots.truth import TruthRow
from edge.core.errors import ConfigError


def lot_of(numbers: range) -> LabelledLot:
    """A joint a number, its patch drawn by it."""
    patches = np.stack([np.random.default_rng(number).integers(0, 256, (4, 4, 1), np.uint8) for number in numbers])
    rows = tuple(TruthRow(f"job-{number}", "J1", "MB", "normal", 0) for number in numbers)
    return LabelledLot("lot", "sha256:0", PatchFiles([lambda: patches], [len(rows)]), np.arange(len(rows)), rows)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 80))
def test_of_small_lots_every_common_joint_is_known(first: int, count: int, other: int) -> None:
    taught = Marks.from_text(Marks.of(lot_of(range(first, first + count))).as_text)
    measured = range(other, other + 40)
    assert taught.among(lot_of(measured)) == len(set(measured) & set(range(first, first + count)))


def test_of_large_lots_so_many_are_known_as_are_marked() -> None:
    large = lot_of(range(4 * MOST))
    taught = Marks.from_text(Marks.of(large).as_text)
    assert len(taught.values) == MOST
    assert taught.among(large) == MOST
    assert 0 < taught.among(lot_of(range(3 * MOST, 5 * MOST))) < MOST
    assert taught.among(lot_of(range(4 * MOST, 5 * MOST))) == 0


def test_marks_of_two_lots_are_those_of_both_together() -> None:
    """Also where neither kept all of its own."""
    halves = [Marks.from_text(Marks.of(lot_of(range(at, at + 2 * MOST))).as_text) for at in (0, 2 * MOST)]
    whole = Marks.from_text(Marks.of(lot_of(range(4 * MOST))).as_text)
    assert (halves[0] | halves[1]).as_text.startswith(whole.as_text[:40])
    assert set((halves[0] | halves[1]).values) <= set(whole.values) or len((halves[0] | halves[1]).values) >= MOST
    few = Marks.of(lot_of(range(5)))
    assert set((few | Marks.of(lot_of(range(3, 9)))).values) == set(Marks.of(lot_of(range(9))).values)


def test_what_taught_a_model_stands_beside_it_and_goes_on_with_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"
    assert load_taught(first) is None
    save_taught(first, [lot_of(range(10)), None])
    save_taught(second, [lot_of(range(10, 20))], start=first)
    taught = load_taught(second)
    assert taught is not None
    assert taught.among(lot_of(range(30))) == 20


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "axi-taught/1", "lots": [], "marks": "?"}'])
def test_a_damaged_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "own.taught.json").write_text(text)
    with pytest.raises(ConfigError, match=r"own\.taught\.json: not readable"):
        load_taught(tmp_path / "own.keras")
