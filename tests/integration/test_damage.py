"""Damaged slices of every container: what another decoder refuses is never used."""

from __future__ import annotations

import io
import random
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.core.errors import SliceError
from edge.core.job import ImageFormat, SliceFile
from edge.core.verdict import Reason
from edge.judging.slices import read_slice

MUTATIONS = 2_000
GREY = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (64, 80)).astype(np.uint8), (0, 0), 3)


def by_opencv(suffix: str, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, GREY, options)[1].tobytes())


def by_pillow(**options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def interlaced_png() -> bytes:
    """Adam7, whose seven passes are pictures of their own, without filters."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in passes for row in GREY[y::dy, x::dx])
    header = struct.pack(">IIBBBBB", GREY.shape[1], GREY.shape[0], 8, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data) for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


CONTAINERS: dict[str, bytes] = {
    "png": by_opencv(".png"),
    "interlaced png": interlaced_png(),
    "jpeg": by_opencv(".jpg"),
    "progressive jpeg": by_opencv(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "bmp": by_opencv(".bmp"),
    "plain tiff": by_opencv(".tiff", cv2.IMWRITE_TIFF_COMPRESSION, 1),
    "lzw tiff": by_opencv(".tiff", cv2.IMWRITE_TIFF_COMPRESSION, 5),
    "deflate tiff": by_opencv(".tiff", cv2.IMWRITE_TIFF_COMPRESSION, 8),
    "packbits tiff": by_pillow(format="TIFF", compression="packbits"),
}


def mutated(whole: bytes, chance: random.Random) -> bytes:
    raw = bytearray(whole)
    match chance.randrange(5):
        case 0:
            del raw[chance.randrange(len(raw)) :]
        case 1:
            del raw[chance.randrange(len(raw)) :]
            raw += whole[-2:]
        case 2:
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        case 3:
            start = chance.randrange(len(raw))
            raw[start : start + chance.randrange(1, 64)] = b""
        case _:
            start = chance.randrange(len(raw))
            raw[start : start + 16] = chance.randbytes(16)
    return bytes(raw)


def refused_elsewhere(raw: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Image.open(io.BytesIO(raw)).load()
        except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error, Image.DecompressionBombError):
            return True
    return False


def read(folder: Path, raw: bytes, **how: str) -> np.ndarray | Reason:
    (folder / "slice").write_bytes(raw)
    try:
        return read_slice(folder, SliceFile(index=0, file="slice"), ImageFormat(), **how).grey  # type: ignore[arg-type]
    except SliceError as error:
        return Reason(error.reason)


@pytest.mark.parametrize("name", CONTAINERS)
def test_what_another_decoder_refuses_is_not_used(name: str, tmp_path: Path) -> None:
    whole, chance = CONTAINERS[name], random.Random(1)
    assert isinstance(read(tmp_path, whole), np.ndarray)
    used = refused = 0
    for _ in range(MUTATIONS):
        raw = mutated(whole, chance)
        found = read(tmp_path, raw)
        if isinstance(found, Reason):
            refused += 1
            continue
        used += 1
        assert not refused_elsewhere(raw)
    print(f"{name}: {refused} of {MUTATIONS} mutations refused, {used} used")
    assert refused > MUTATIONS // 4


@pytest.mark.parametrize("name", ["png", "interlaced png"])
def test_where_the_container_proves_its_pixels_no_damage_changes_any(name: str, tmp_path: Path) -> None:
    whole, chance = CONTAINERS[name], random.Random(2)
    assert (read(tmp_path, whole, unchecked="specialist") == GREY).all()
    for _ in range(MUTATIONS):
        found = read(tmp_path, mutated(whole, chance), unchecked="specialist")
        assert isinstance(found, Reason) or (found == GREY).all()


@pytest.mark.parametrize("name", [name for name in CONTAINERS if "png" not in name])
def test_where_nothing_proves_the_pixels_the_device_may_leave_them_to_the_specialist(name: str, tmp_path: Path) -> None:
    assert read(tmp_path, CONTAINERS[name], unchecked="specialist") is Reason.SLICE_UNCHECKED


def test_a_jpeg_that_is_cut_and_ended_is_not_used(tmp_path: Path) -> None:
    for name in ("jpeg", "progressive jpeg"):
        whole = CONTAINERS[name]
        for share in (0.5, 0.7, 0.9):
            assert read(tmp_path, whole[: int(share * len(whole))] + b"\xff\xd9") is Reason.SLICE_UNREADABLE


def test_a_png_whose_data_is_damaged_under_a_right_check_sum_is_not_used(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(200):
        found = read(tmp_path, _bent_inside(CONTAINERS["png"], lambda data: mutated(data, chance)))
        assert isinstance(found, Reason) or (found == GREY).all()


def _bent_inside(whole: bytes, bend: Callable[[bytes], bytes]) -> bytes:
    place, out = 8, whole[:8]
    while place < len(whole):
        length = int.from_bytes(whole[place : place + 4], "big")
        kind, data = whole[place + 4 : place + 8], whole[place + 8 : place + 8 + length]
        if kind == b"IDAT":
            data = bend(data)
        out += chunk(kind, data)
        place += 12 + length
    return out
