"""BMP (Windows): a header, perhaps a palette, and rows of pixels."""

from __future__ import annotations

import struct

from edge.judging.containers.facts import DamagedError, Facts, NotOnePictureError, require_size

SIGNATURE = b"BM"
_CORE_HEADER = 12
_PLAIN, _RLE8, _BIT_FIELDS = 0, 1, 3


def examine(raw: bytes) -> Facts:
    """Nothing in a BMP proves its pixels. Raises DamagedError or NotOnePictureError."""
    try:
        pixels, header = struct.unpack_from("<II", raw, 10)
        if header == _CORE_HEADER:
            width, height, _, bits = struct.unpack_from("<HHHH", raw, 18)
            compression = _PLAIN
        else:
            width, height, _, bits, compression = struct.unpack_from("<iiHHI", raw, 18)
    except struct.error as error:
        raise DamagedError("cut short") from error
    height = abs(height)  # negative: its rows run from the top
    require_size(max(width, 0), height)
    if bits not in {8, 24, 32}:
        raise NotOnePictureError(f"{bits} bits a pixel; export 8 or 24")
    if compression not in {_PLAIN, _RLE8, _BIT_FIELDS}:
        raise NotOnePictureError(f"compression {compression}; export without")
    row = (width * bits // 8 + 3) // 4 * 4
    if compression != _RLE8 and len(raw) < pixels + row * height:
        raise DamagedError("cut short")
    return Facts(proved=False)
