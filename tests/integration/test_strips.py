"""Strips of a TIFF hold what their rows take, where they lie alone."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from edge.core.verdict import Reason
from edge.judging.containers.facts import DamagedError
from edge.judging.containers.strips import require_inflates, require_unpacks
from tests.support.pictures import EIGHT_ROWS, packed, read, refusal, tiff

PLAIN = bytes(64)


@pytest.mark.parametrize(
    ("compression", "data", "whole"),
    [
        (8, zlib.compress(bytes(64)), True),
        (8, zlib.compress(bytes(64)) + b"\0\0", True),
        (8, zlib.compress(bytes(63)), False),
        (8, zlib.compress(bytes(65)), False),
        (8, zlib.compress(bytes(10**6)), False),
        (8, zlib.compress(bytes(64))[:-1], False),
        (8, zlib.compress(bytes(64))[:-1] + b"\xff", False),
        (32_946, zlib.compress(bytes(65)), False),
        (32_773, packed(*EIGHT_ROWS), True),
        (32_773, packed(*EIGHT_ROWS, (128, b"")), True),
        (32_773, packed(*EIGHT_ROWS[:-1], (7, bytes(8))), True),
        (32_773, packed(*EIGHT_ROWS[:-1]), False),
        (32_773, packed(*EIGHT_ROWS, EIGHT_ROWS[0]), False),
        (32_773, packed(*EIGHT_ROWS[:-1], (9, bytes(8))), False),
    ],
)
def test_a_strip_holds_what_its_rows_take_no_more_and_no_less(
    compression: int, data: bytes, *, whole: bool, tmp_path: Path
) -> None:
    """Decoders stop at the last row; what came before it was another picture where the strip went on."""
    raw = tiff(({259: (compression,)}, data))
    if whole:
        assert read(tmp_path, raw).shape == (8, 8)
    else:
        assert refusal(tmp_path, raw).reason == Reason.SLICE_UNREADABLE


def test_the_last_strip_may_be_filled_up_to_a_whole_one() -> None:
    for check, data in ((require_inflates, zlib.compress(bytes(64))), (require_unpacks, packed(*EIGHT_ROWS))):
        check(data, 48, 64)
        with pytest.raises(DamagedError):
            check(data, 48, 63)


def test_strips_that_lie_in_one_another_or_in_the_tags_are_refused(tmp_path: Path) -> None:
    rows = {278: (4,), 279: (32, 32)}
    whole = tiff(({**rows, 273: (8, 40)}, PLAIN))
    assert read(tmp_path, whole).shape == (8, 8)
    for offsets in ((8, 8), (8, 39), (0, 40), (4, 40), (8, 60)):
        error = refusal(tmp_path, tiff(({**rows, 273: offsets}, PLAIN)))
        assert "lie in one another, or in its tags" in str(error)
