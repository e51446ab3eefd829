"""BMP (Windows): a header, perhaps a palette, and rows of pixels."""

from __future__ import annotations

import struct

import numpy as np

from edge.judging.containers.facts import DamagedError, Facts, NotOnePictureError, require_named, require_size

SIGNATURE = b"BM"
_FILE_HEADER, _CORE_HEADER = 14, 12
_ALL = 256
_HEADERS = {_CORE_HEADER, 40, 52, 56, 64, 108, 124}


def examine(raw: bytes) -> Facts:
    """Nothing in a BMP proves its pixels. Raises DamagedError or NotOnePictureError."""
    compression = colours = 0
    try:
        pixels, header = struct.unpack_from("<II", raw, 10)
        if header == _CORE_HEADER:
            width, height, _, bits = struct.unpack_from("<HHHH", raw, 18)
        else:
            width, height, _, bits, compression = struct.unpack_from("<iiHHI", raw, 18)
            (colours,) = struct.unpack_from("<I", raw, 46)
    except struct.error as error:
        raise DamagedError("cut short") from error
    if header not in _HEADERS:
        raise DamagedError(f"a header of {header} bytes")
    height = abs(height)  # negative: its rows run from the top
    require_size(max(width, 0), height)
    _require_depth(bits, colours)
    if compression:  # of run lengths some need not be there, and masks are not read by every decoder
        raise NotOnePictureError(f"compression {compression}; export without")
    palette = min(colours or _ALL, _ALL) * (3 if header == _CORE_HEADER else 4) if bits == 8 else 0
    if pixels < _FILE_HEADER + header + palette:
        raise DamagedError("its pixels begin before its palette ends")
    row = (width * bits // 8 + 3) // 4 * 4
    if len(raw) < pixels + row * height:
        raise DamagedError("cut short")
    if bits == 8 and 0 < colours < _ALL:
        indices = np.frombuffer(raw, np.uint8, row * height, pixels).reshape(height, row)[:, :width]
        require_named(int(indices.max(initial=0)), colours)
    return Facts(proved=False)


def _require_depth(bits: int, colours: int) -> None:
    if bits not in {8, 24, 32}:
        raise NotOnePictureError(f"{bits} bits a pixel; export 8 or 24")
    if bits == 8 and colours > _ALL:
        raise NotOnePictureError(f"a palette of {colours} colours; export one of {_ALL}")
