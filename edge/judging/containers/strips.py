"""Strips and tiles of a TIFF: do they hold what their rows take? libtiff stops at the last row and looks no further."""

from __future__ import annotations

import zlib

from edge.judging.containers.facts import DamagedError

_NOTHING = 128
"""A byte of PackBits that stands for no byte at all."""


def require_inflates(data: bytes, size: int, most: int) -> None:
    """Deflate: its check sum holds, and it gives at least ``size`` bytes, and ``most`` at most.

    Some writers fill up the last strip. Raises DamagedError.
    """
    stream = zlib.decompressobj()
    try:
        held = len(stream.decompress(data, most))
        held += len(stream.decompress(stream.unconsumed_tail, 1))  # and its end, which says whether the sum holds
    except zlib.error as error:
        raise DamagedError(f"a strip cannot be inflated: {error}") from error
    if not stream.eof or not size <= held <= most:
        raise DamagedError("a strip inflates to more or fewer bytes than its rows take")


def require_unpacks(data: bytes, size: int, most: int) -> None:
    """PackBits (TIFF 6.0, section 9): runs that give at least ``size`` bytes, and ``most`` at most.

    Raises DamagedError.
    """
    held, place = 0, 0
    while place < len(data):
        head = data[place]
        if head < _NOTHING:  # so many bytes and one more, as they stand
            held += head + 1
            place += head + 2
        else:  # the next byte, so often; but nothing for 128
            held += 257 - head if head != _NOTHING else 0
            place += 2 if head != _NOTHING else 1
    if place != len(data) or not size <= held <= most:
        raise DamagedError("a strip unpacks to more or fewer bytes than its rows take")
