"""Slice files on disk, in every format a machine may write."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.adapters.images import read_slice
from edge.core.errors import SliceError
from edge.core.job import ImageFormat, SliceFile
from edge.core.verdict import Reason

GREY = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (64, 80)).astype(np.uint8), (0, 0), 3)
EIGHT = ImageFormat()


def save(folder: Path, name: str, image: np.ndarray) -> SliceFile:
    (folder / name).write_bytes(cv2.imencode(Path(name).suffix, image)[1].tobytes())
    return SliceFile(index=0, file=name)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "jpg"])
@pytest.mark.parametrize("colour", [False, True])
def test_every_format_reads_as_grey(tmp_path: Path, suffix: str, colour: bool) -> None:
    image = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR) if colour else GREY
    read = read_slice(tmp_path, save(tmp_path, f"s.{suffix}", image), EIGHT)
    assert (read.shape, read.dtype) == (GREY.shape, np.uint8)
    assert np.abs(read.astype(int) - GREY).max() <= (12 if suffix == "jpg" else 0)


def test_sixteen_bits_need_and_use_the_window(tmp_path: Path) -> None:
    part = save(tmp_path, "s.png", GREY.astype(np.uint16) * 100 + 500)
    window = ImageFormat(bit_depth=16, window=(500, 500 + 25_500))
    np.testing.assert_array_equal(read_slice(tmp_path, part, window), GREY)
    refuses(tmp_path, part, Reason.SLICE_FORMAT)


def refuses(folder: Path, part: SliceFile, reason: Reason, image: ImageFormat = EIGHT) -> None:
    with pytest.raises(SliceError, match=part.file) as refusal:
        read_slice(folder, part, image)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tiff"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_never_decodes(tmp_path: Path, suffix: str, share: float) -> None:
    part = save(tmp_path, f"s.{suffix}", GREY)
    path = tmp_path / part.file
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refuses(tmp_path, part, Reason.SLICE_UNREADABLE)


def test_a_flipped_bit_in_a_png_is_always_found(tmp_path: Path) -> None:
    part = save(tmp_path, "s.png", GREY)
    whole = (tmp_path / part.file).read_bytes()
    rng = np.random.default_rng(1)
    for position in rng.integers(0, len(whole), 60):
        bent = bytearray(whole)
        bent[position] ^= 1 << int(rng.integers(8))
        (tmp_path / part.file).write_bytes(bent)
        refuses(tmp_path, part, Reason.SLICE_UNREADABLE)


def test_a_digest_finds_a_flipped_bit_in_any_format(tmp_path: Path) -> None:
    part = save(tmp_path, "s.bmp", GREY)
    whole = (tmp_path / part.file).read_bytes()
    sealed = SliceFile(index=0, file=part.file, sha256=hashlib.sha256(whole).hexdigest())
    read_slice(tmp_path, sealed, EIGHT)
    (tmp_path / part.file).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refuses(tmp_path, sealed, Reason.SLICE_CORRUPT)


def test_missing_linked_coloured_and_misdeclared_files_are_refused(tmp_path: Path) -> None:
    refuses(tmp_path, SliceFile(index=0, file="nothing.png"), Reason.SLICE_MISSING)
    part = save(tmp_path, "s.png", GREY)
    (tmp_path / "link.png").symlink_to(tmp_path / part.file)
    refuses(tmp_path, SliceFile(index=0, file="link.png"), Reason.SLICE_MISSING)
    refuses(tmp_path, part, Reason.SLICE_FORMAT, ImageFormat(bit_depth=16, window=(0, 100)))
    colour = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR)
    colour[..., 0] //= 2
    refuses(tmp_path, save(tmp_path, "c.png", colour), Reason.SLICE_FORMAT)
    (tmp_path / "text.png").write_text("not an image at all")
    refuses(tmp_path, SliceFile(index=0, file="text.png"), Reason.SLICE_UNREADABLE)
