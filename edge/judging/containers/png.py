"""PNG (W3C, 3rd edition): a chain of chunks, each with its CRC."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from isal import isal_zlib
from PIL.PngImagePlugin import PngImageFile

from edge.judging.containers import ifd
from edge.judging.containers.facts import (
    DamagedError,
    Facts,
    NotOnePictureError,
    Pixels,
    require_named,
    require_not_turned_by_xmp,
    require_samples,
    require_size,
    require_upright,
)
from edge.judging.containers.png_filters import unfiltered

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _PALETTE, _ALPHA = 0, 2, 3, {4, 6}
_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_ANIMATED = {b"acTL", b"fcTL", b"fdAT"}
_LONGEST_TEXT, _MOST_TEXTS = 1024 * 1024, 100
_EXIF_TEXTS = (b"Raw profile type exif", b"Raw profile type APP1", b"Raw profile type xmp")
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
Buffer = bytes | memoryview

_BLOCK = 0xFFFF
"""Most bytes of a block that is stored."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Passes of an interlaced picture: first column and row, and the step between them."""


def examine(raw: bytes) -> Facts:
    """Raises DamagedError or NotOnePictureError."""
    chunks = list(_chunks(raw))
    if chunks[0][0] != b"IHDR" or [kind for kind, _ in chunks].count(b"IHDR") != 1:
        raise DamagedError("does not begin with its one header")
    header = _header_of(chunks[0][1])
    _require_palette(raw, chunks)
    if sum(kind in _TEXTS for kind, _ in chunks) > _MOST_TEXTS:
        raise DamagedError(f"more than {_MOST_TEXTS} texts in it")
    for kind, content in chunks:
        _require_upright_alone(kind, content)
    require_not_turned_by_xmp(b"".join(content for kind, content in chunks if kind != b"IDAT"))
    rows = _rows([content for kind, content in chunks if kind == b"IDAT"], header.size)
    pixels = _grey_of(header, rows)
    if pixels is not None:
        return Facts(proved=True, pixels=pixels)
    return Facts(proved=True, plain=_plain(chunks, rows))


def _require_upright_alone(kind: bytes, content: bytes) -> None:
    """Raises NotOnePictureError for a chunk that says the picture is one of several, see-through, or to be turned, and
    DamagedError for one that nobody knows and the picture depends on.
    """
    if kind[:1].isupper() and kind not in _CRITICAL:
        raise DamagedError(f"chunk {kind.decode('ascii', 'replace')!r}, without which it cannot be shown, is unknown")
    if kind in _ANIMATED:
        raise NotOnePictureError("an animation; export each picture as a file of its own")
    if kind == b"tRNS":
        raise NotOnePictureError("some of it is see-through (tRNS); export it without")
    if kind in _TEXTS and content.startswith(_EXIF_TEXTS):
        raise NotOnePictureError("EXIF written as text; export it without")
    if kind == b"eXIf":
        require_upright(ifd.orientation(content))
    if kind in {b"zTXt", b"iTXt"}:
        require_not_turned_by_xmp(_text(kind, content))


def _text(kind: bytes, content: bytes) -> bytes:
    """Of a text chunk, out of its compression. Raises DamagedError."""
    _, _, rest = content.partition(b"\0")
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", b"".join(rest[2:].split(b"\0", 2)[2:])
    else:
        packed, rest = True, rest[1:]
    try:
        return isal_zlib.decompressobj().decompress(rest, _LONGEST_TEXT) if packed else rest
    except isal_zlib.error as error:  # type: ignore[misc]  # the class, which its stub calls an instance
        raise DamagedError(f"a text in it does not decompress ({error})") from error


def _rows(parts: Sequence[bytes], size: int) -> bytes:
    """The rows as they are filtered. Raises DamagedError where the data are not ``size`` bytes and their check sum
    (RFC 1950)."""
    inflater = isal_zlib.decompressobj()
    try:
        rows = inflater.decompress(b"".join(parts), size + 1)
    except isal_zlib.error as error:  # type: ignore[misc]  # the class, which its stub calls an instance
        raise DamagedError(f"its data do not decompress ({error})") from error
    if inflater.unused_data:
        raise DamagedError("data behind the end of its data")
    if len(rows) != size or not inflater.eof:
        raise DamagedError("its data are fewer or more than its rows take")
    return rows


def _plain(chunks: Sequence[tuple[bytes, bytes]], rows: bytes) -> bytes:
    """The picture with its rows stored, so that they are not decompressed a second time to be decoded."""
    kept = [_chunk(kind, [content]) for kind, content in chunks if kind in {b"IHDR", b"PLTE"}]
    return b"".join((SIGNATURE, *chain(*kept, _chunk(b"IDAT", _stored(rows)), _chunk(b"IEND", []))))


def _stored(content: bytes) -> list[Buffer]:
    """Pieces of a zlib stream that stores it (RFC 1950, 1951); nothing is copied."""
    view, pieces = memoryview(content), list[Buffer]([b"\x78\x01"])
    for start in range(0, len(content), _BLOCK):
        block = view[start : start + _BLOCK]
        last, length = start + _BLOCK >= len(content), len(block)
        pieces += [struct.pack("<BHH", last, length, length ^ 0xFFFF), block]
    return [*pieces, isal_zlib.adler32(content).to_bytes(4, "big")]


def _chunk(kind: bytes, pieces: Sequence[Buffer]) -> list[Buffer]:
    check, length = isal_zlib.crc32(kind), 0
    for piece in pieces:
        check, length = isal_zlib.crc32(piece, check), length + len(piece)
    return [length.to_bytes(4, "big"), kind, *pieces, check.to_bytes(4, "big")]


def _require_palette(raw: bytes, chunks: Sequence[tuple[bytes, bytes]]) -> None:
    bits, colour = chunks[0][1][8:10]
    if colour != _PALETTE:
        return
    named = sum(len(content) for kind, content in chunks if kind == b"PLTE") // 3
    if named < 1 << bits:
        require_named(_largest_index(raw), named)


def _largest_index(raw: bytes) -> int:
    """Raises DamagedError."""
    try:
        with PngImageFile(io.BytesIO(raw)) as picture:
            return int(np.asarray(picture).max(initial=0))
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedError(f"its pixels cannot be read ({error})") from error


class _Header(NamedTuple):
    """``pixel``: bits of one, of all its samples."""

    width: int
    height: int
    pixel: int
    colour: int
    interlaced: int

    @property
    def size(self) -> int:
        """Bytes of all rows, each with the byte that numbers its filter."""
        passes = _ADAM7 if self.interlaced else ((0, 0, 1, 1),)
        shapes = (((self.width - x + dx - 1) // dx, (self.height - y + dy - 1) // dy) for x, y, dx, dy in passes)
        return sum(high * (1 + (wide * self.pixel + 7) // 8) for wide, high in shapes if wide and high)


def _header_of(content: bytes) -> _Header:
    """Raises DamagedError or NotOnePictureError."""
    try:
        width, height, bits, colour, compression, filters, interlaced = struct.unpack(">IIBBBBB", content)
    except struct.error as error:
        raise DamagedError("its header is too short or too long") from error
    if compression or filters or interlaced > 1:
        raise DamagedError("a compression, filters or an interlace that there is not")
    require_size(width, height)
    if colour != _PALETTE:
        require_samples(bits)
    if colour in _ALPHA or (colour == _COLOUR and bits == 16):
        raise NotOnePictureError("alpha, or colours of 16 bits; export grey alone, or colours at 8 bits")
    if colour not in _CHANNELS:
        raise DamagedError(f"colour type {colour} is none")
    return _Header(width, height, bits * _CHANNELS[colour], colour, interlaced)


def _grey_of(header: _Header, rows: bytes) -> Pixels | None:
    """The pixels of a grey picture, where its filters let them be had so."""
    if header.colour != _GREY or header.interlaced:
        return None
    found = unfiltered(rows, header.height, header.width, header.pixel // 8)
    return found if found is None or header.pixel == 8 else found.view(">u2").astype(np.uint16)


def _chunks(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each chunk, to the last. What comes after that is nobody's."""
    place, kind, view = len(SIGNATURE), b"", memoryview(raw)
    while kind != b"IEND":
        head = raw[place : place + 8]
        if len(head) < 8:
            raise DamagedError("cut short")
        end, kind = place + 8 + int.from_bytes(head[:4], "big"), head[4:]
        crc = raw[end : end + 4]
        if len(crc) < 4:
            raise DamagedError("cut short")
        if isal_zlib.crc32(view[place + 4 : end]) != int.from_bytes(crc, "big"):
            raise DamagedError(f"check sum of chunk {kind.decode('ascii', 'replace')!r} differs")
        yield kind, raw[place + 8 : end]
        place = end + 4
