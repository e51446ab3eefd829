"""BMP (Windows): a header, perhaps a palette, and rows of pixels."""

from __future__ import annotations

import struct

from edge.judging.containers.facts import DamagedError, Facts, NotOnePictureError, require_size

SIGNATURE = b"BM"
_FILE_HEADER, _CORE_HEADER = 14, 12
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
    if bits not in {8, 24, 32}:
        raise NotOnePictureError(f"{bits} bits a pixel; export 8 or 24")
    if compression:  # of run lengths some need not be there, and masks are not read by every decoder
        raise NotOnePictureError(f"compression {compression}; export without")
    if bits == 8 and colours not in {0, 256}:  # decoders differ over the colours that it does not name
        raise NotOnePictureError(f"a palette of {colours} colours; export one of 256")
    palette = 256 * (3 if header == _CORE_HEADER else 4) if bits == 8 else 0
    if pixels < _FILE_HEADER + header + palette:
        raise DamagedError("its pixels begin before its palette ends")
    if len(raw) < pixels + (width * bits // 8 + 3) // 4 * 4 * height:
        raise DamagedError("cut short")
    return Facts(proved=False)
