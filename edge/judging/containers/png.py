"""PNG (W3C, 3rd edition): a chain of chunks, each with its CRC."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Protocol

from edge.judging.containers import tiff
from edge.judging.containers.facts import (
    DamagedError,
    Facts,
    NotOnePictureError,
    require_samples,
    require_size,
    require_upright,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Passes of an interlaced picture: first column and row, and the step between them."""


class _Inflater(Protocol):
    """A ``zlib.decompressobj``."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def examine(raw: bytes) -> Facts:
    """Raises DamagedError or NotOnePictureError."""
    kinds, size, inflater, inflated = set[bytes](), 0, zlib.decompressobj(), 0
    for kind, content in _chunks(raw):
        if not kinds and kind != b"IHDR":
            raise DamagedError("does not begin with a header")
        kinds.add(kind)
        if kind == b"IHDR":
            size = _size_of(content)
        elif kind == b"IDAT":
            inflated += _inflated(inflater, content, size - inflated)
        elif kind == b"acTL":
            raise NotOnePictureError("an animation; export each picture as a file of its own")
        elif kind == b"eXIf":
            require_upright(tiff.orientation(content))
    if not {b"IHDR", b"IDAT", b"IEND"} <= kinds:
        raise DamagedError("cut short")
    if inflated != size or not inflater.eof:
        raise DamagedError("its data are fewer or more than its rows take")
    return Facts(proved=True)


def _size_of(header: bytes) -> int:
    """Bytes of all rows, each with the byte that names its filter."""
    try:
        width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", header)
    except struct.error as error:
        raise DamagedError("its header is too short") from error
    require_size(width, height)
    if colour != _PALETTE:
        require_samples(bits)
    if colour not in _CHANNELS:
        raise DamagedError(f"colour type {colour} is none")
    pixel = bits * _CHANNELS[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    shapes = (((width - x + dx - 1) // dx, (height - y + dy - 1) // dy) for x, y, dx, dy in passes)
    return sum(high * (1 + (wide * pixel + 7) // 8) for wide, high in shapes if wide and high)


def _inflated(inflater: _Inflater, content: bytes, left: int) -> int:
    """How many bytes come out of a piece of the data, which end in a check sum of them (RFC 1950)."""
    try:
        return len(inflater.decompress(content, left + 1))
    except zlib.error as error:
        raise DamagedError(f"its data do not decompress ({error})") from error


def _chunks(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each chunk, to the last. What comes after that is nobody's."""
    place, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        head = raw[place : place + 8]
        if len(head) < 8:
            raise DamagedError("cut short")
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        content, crc = raw[place + 8 : place + 8 + length], raw[place + 8 + length : place + 12 + length]
        if len(crc) < 4:
            raise DamagedError("cut short")
        if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(crc, "big"):
            raise DamagedError(f"check sum of chunk {kind.decode('ascii', 'replace')!r} differs")
        yield kind, content
        place += 12 + length
