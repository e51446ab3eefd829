"""Picture files made by hand, and what the device makes of them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge.core.errors import SliceError
from edge.core.job import ImageFormat, SliceFile
from edge.judging.slices import read_slice


def refusal(folder: Path, raw: bytes, image: ImageFormat = ImageFormat()) -> SliceError:  # noqa: B008 - frozen
    (folder / "slice").write_bytes(raw)
    with pytest.raises(SliceError) as refused:
        read_slice(folder, SliceFile(index=0, file="slice"), image)
    return refused.value


def read(folder: Path, raw: bytes, page: int | None = None) -> np.ndarray:
    (folder / "slice").write_bytes(raw)
    return read_slice(folder, SliceFile(index=0, file="slice", page=page), ImageFormat()).grey


def saved(picture: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(stream, kind, **options)
    return stream.getvalue()


def tiff(*pages: tuple[Mapping[int, tuple[int, ...]], bytes]) -> bytes:
    """A TIFF of pages of one strip, with these tags on top of what 8-bit grey of 8 x 8 pixels has."""
    raw, link = bytearray(b"II*\0" + bytes(4)), 4
    for tags, data in pages:
        entries = {256: (8,), 257: (8,), 258: (8,), 259: (1,), 262: (1,), 277: (1,), 278: (8,), 279: (len(data),)}
        entries |= {273: (len(raw),), **tags}
        raw += data
        fields = b""
        for tag, values in sorted(entries.items()):
            packed = struct.pack(f"<{len(values)}H", *values)
            place = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", len(raw))
            raw += packed if len(packed) > 4 else b""
            fields += struct.pack("<HHI", tag, 3, len(values)) + place
        struct.pack_into("<I", raw, link, len(raw))
        raw += struct.pack("<H", len(entries)) + fields
        link = len(raw)
        raw += bytes(4)
    return bytes(raw)


def grey_page(level: int, **tags: tuple[int, ...]) -> tuple[dict[int, tuple[int, ...]], bytes]:
    return {int(tag[1:]): values for tag, values in tags.items()}, bytes([level]) * 64


def with_text(png: bytes, kind: bytes, content: bytes) -> bytes:
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return png[:33] + chunk + png[33:]


def packed(*runs: tuple[int, bytes]) -> bytes:
    return b"".join(bytes([head]) + data for head, data in runs)


EIGHT_ROWS = ((257 - 8, b"\x5a"),) * 8
"""PackBits: eight runs of eight equal bytes."""
