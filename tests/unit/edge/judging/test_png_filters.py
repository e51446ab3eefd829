"""Rows whose filters are undone many pixels at a time are the rows that a decoder in C gives."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.core.errors import SliceError
from edge.core.job import ImageFormat, SliceFile
from edge.judging.containers import png
from edge.judging.containers.facts import MOST_PIXELS
from edge.judging.containers.png_filters import unfiltered
from edge.judging.slices import read_slice

_NONE, _SUB, _UP, _AVERAGE, _PAETH = range(5)
filters = st.one_of(
    st.lists(st.sampled_from([_NONE, _SUB, _UP]), min_size=1, max_size=300),
    st.lists(st.sampled_from([_NONE, _SUB, _UP, _AVERAGE, _PAETH]), min_size=1, max_size=40),
)


def rows_of(numbers: list[int], width: int, sample: int, seed: int) -> bytes:
    """Any bytes are a row's, whatever its filter."""
    rows = np.random.default_rng(seed).integers(0, 256, (len(numbers), 1 + width * sample)).astype(np.uint8)
    rows[:, 0] = numbers
    return rows.tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def picture(
    rows: bytes, height: int, width: int, sample: int, colour: int = 0, end: bytes = b"\0\0\0", more: bytes = b""
) -> bytes:
    """``end``: the header's last bytes, which say how it is compressed, filtered and interlaced."""
    header = struct.pack(">IIBB", width, height, 8 * (sample if colour == 0 else 1), colour) + end
    body = chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@given(numbers=filters, width=st.integers(1, 70), sample=st.sampled_from([1, 2, 3]), seed=st.integers(0, 99))
@example(numbers=[_UP] * 5, width=3, sample=1, seed=0)
@example(numbers=[_SUB] * 129, width=1, sample=2, seed=0)
def test_what_is_undone_is_what_opencv_undoes(numbers: list[int], width: int, sample: int, seed: int) -> None:
    height, rows = len(numbers), rows_of(numbers, width, sample, seed)
    found = unfiltered(rows, height, width, sample)
    assert (found is None) == (max(numbers) > _UP), "Average and Paeth are left to it"
    if found is None:
        return
    expected = cv2.imdecode(
        np.frombuffer(picture(rows, height, width, sample, 2 if sample == 3 else 0), np.uint8), cv2.IMREAD_UNCHANGED
    )
    shown = found.reshape(height, width, 3)[..., ::-1] if sample == 3 else found
    assert np.array_equal(shown.view(">u2") if sample == 2 else shown, expected)


@given(numbers=filters, width=st.integers(1, 40), deep=st.booleans(), seed=st.integers(0, 99))
def test_a_slice_reads_the_same_whoever_undoes_its_filters(
    numbers: list[int], width: int, deep: bool, seed: int
) -> None:
    raw = picture(rows_of(numbers, width, 1 + deep, seed), len(numbers), width, 1 + deep)
    facts = png.examine(raw)
    expected = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)
    decoded = cv2.imdecode(np.frombuffer(facts.plain, np.uint8), cv2.IMREAD_UNCHANGED) if facts.plain else facts.pixels
    assert decoded is not None
    assert decoded.dtype == expected.dtype
    assert np.array_equal(decoded, expected)


def test_a_row_wider_than_its_sum_can_hold_is_left_to_opencv() -> None:
    width = 2**31 // 255 + 1
    rows = bytes([_SUB]) + bytes(width)
    assert unfiltered(rows, 1, width, 1) is None


def test_a_filter_that_there_is_not_is_damage(tmp_path: Path) -> None:
    (tmp_path / "s.png").write_bytes(picture(rows_of([_SUB, 7], 8, 1, 0), 2, 8, 1))
    with pytest.raises(SliceError, match="damaged"):
        read_slice(tmp_path, SliceFile(index=0, file="s.png"), ImageFormat(polarity="solder_dark"))


@pytest.mark.parametrize("end", [b"\1\0\0", b"\0\1\0", b"\0\x40\0", b"\0\0\2", b"\0\0", b"\0\0\0\0"])
def test_a_header_of_another_kind_is_damage_whoever_undoes_the_filters(tmp_path: Path, end: bytes) -> None:
    (tmp_path / "s.png").write_bytes(picture(rows_of([_SUB, _UP], 8, 1, 0), 2, 8, 1, end=end))
    with pytest.raises(SliceError, match="damaged"):
        read_slice(tmp_path, SliceFile(index=0, file="s.png"), ImageFormat(polarity="solder_dark"))


@pytest.mark.parametrize(("kind", "known"), [(b"zzZz", True), (b"ZzZz", False)])
def test_what_nobody_knows_is_passed_over_only_where_the_picture_can_be_shown_without(
    tmp_path: Path, kind: bytes, known: bool
) -> None:
    (tmp_path / "s.png").write_bytes(picture(rows_of([_SUB, _UP], 8, 1, 0), 2, 8, 1, more=chunk(kind, b"?")))
    part, image = SliceFile(index=0, file="s.png"), ImageFormat(polarity="solder_dark")
    if known:
        assert read_slice(tmp_path, part, image).grey.shape == (2, 8)
    else:
        with pytest.raises(SliceError, match="unknown"):
            read_slice(tmp_path, part, image)


def test_opencv_is_told_how_many_pixels_there_may_be_before_it_is_imported() -> None:
    watching = """
import os, sys
class Watch:
    def find_spec(self, name, *_):
        if name == "cv2":
            print(os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS"))
sys.meta_path.insert(0, Watch())
import edge.judging.process
"""
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_IO_MAX_IMAGE_PIXELS"}
    done = subprocess.run([sys.executable, "-c", watching], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split()[0] == str(MOST_PIXELS)
