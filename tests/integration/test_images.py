"""Slice files on disk, in every format a machine may write."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.core.errors import SliceError
from edge.core.job import ImageFormat, SliceFile
from edge.core.verdict import Reason
from edge.judging.slices import read_slice

GREY = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (64, 80)).astype(np.uint8), (0, 0), 3)
EIGHT = ImageFormat()


def save(folder: Path, name: str, image: np.ndarray) -> SliceFile:
    (folder / name).write_bytes(cv2.imencode(Path(name).suffix, image)[1].tobytes())
    return SliceFile(index=0, file=name)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "jpg"])
@pytest.mark.parametrize("colour", [False, True])
def test_every_format_reads_as_grey(tmp_path: Path, suffix: str, colour: bool) -> None:
    image = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR) if colour else GREY
    read, coloured = read_slice(tmp_path, save(tmp_path, f"s.{suffix}", image), EIGHT)
    assert not coloured
    assert (read.shape, read.dtype) == (GREY.shape, np.uint8)
    assert np.abs(read.astype(int) - GREY).max() <= (12 if suffix == "jpg" else 0)


def test_sixteen_bits_need_and_use_the_window(tmp_path: Path) -> None:
    part = save(tmp_path, "s.png", GREY.astype(np.uint16) * 100 + 500)
    window = ImageFormat(bit_depth=16, window=(500, 500 + 25_500))
    np.testing.assert_array_equal(read_slice(tmp_path, part, window).grey, GREY)
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


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_with_white_as_zero_shows_what_it_means(tmp_path: Path, bits: int) -> None:
    """The same stored values with the tag turned round mean the opposite grey."""
    part = save(tmp_path, "s.tiff", GREY if bits == 8 else GREY.astype(np.uint16) * 100)
    raw = bytearray((tmp_path / part.file).read_bytes())
    (offset,) = struct.unpack_from("<I", raw, 4)
    for i in range(struct.unpack_from("<H", raw, offset)[0]):
        if struct.unpack_from("<H", raw, offset + 2 + 12 * i) == (262,):
            struct.pack_into("<H", raw, offset + 2 + 12 * i + 8, 0)
    (tmp_path / part.file).write_bytes(raw)
    image = EIGHT if bits == 8 else ImageFormat(bit_depth=16, window=(65_535 - 25_500, 65_535))
    assert (read_slice(tmp_path, part, image).grey == 255 - GREY).all()


def test_an_image_bomb_is_refused(tmp_path: Path) -> None:
    """In a process of its own: the limit is read once, when the decoder is loaded."""
    (tmp_path / "bomb.png").write_bytes(cv2.imencode(".png", np.zeros((12_000, 12_000), np.uint8))[1].tobytes())
    code = (
        "import sys; from pathlib import Path; from edge.judging.slices import read_slice;"
        "from edge.core.job import ImageFormat, SliceFile\n"
        "try: read_slice(Path(sys.argv[1]), SliceFile(index=0, file='bomb.png'), ImageFormat())\n"
        "except Exception as error: print(type(error).__name__, error.reason)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["SliceError", "slice_format"]


def test_a_pipe_blocks_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    refuses(tmp_path, SliceFile(index=0, file="pipe.png"), Reason.SLICE_UNREADABLE)


def test_missing_linked_coloured_and_misdeclared_files_are_refused(tmp_path: Path) -> None:
    refuses(tmp_path, SliceFile(index=0, file="nothing.png"), Reason.SLICE_MISSING)
    part = save(tmp_path, "s.png", GREY)
    (tmp_path / "link.png").symlink_to(tmp_path / part.file)
    refuses(tmp_path, SliceFile(index=0, file="link.png"), Reason.SLICE_MISSING)
    refuses(tmp_path, part, Reason.SLICE_FORMAT, ImageFormat(bit_depth=16, window=(0, 100)))
    colour = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR)
    colour[..., 0] //= 2
    refuses(tmp_path, save(tmp_path, "c.png", colour.astype(np.uint16)), Reason.SLICE_FORMAT)
    (tmp_path / "text.png").write_text("not an image at all")
    refuses(tmp_path, SliceFile(index=0, file="text.png"), Reason.SLICE_UNREADABLE)
