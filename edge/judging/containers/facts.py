"""What is common to all containers."""

from __future__ import annotations

import re
from typing import NamedTuple

_XMP_TURNED = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([2-8])")
MOST_PIXELS = 64 * 1024 * 1024


class Facts(NamedTuple):
    """``proved``: check sums of the container cover every pixel, and hold."""

    proved: bool


class NotOnePictureError(ValueError):
    """It is whole, but not one upright picture of 8 or 16 grey bits, or of 8-bit colours. The text says the remedy."""


class DamagedError(ValueError):
    """Something of it is missing, or does not fit together."""


def require_upright(orientation: int) -> None:
    """Boxes refer to the picture as it is shown, so a picture that is to be turned first is refused."""
    if orientation != 1:
        raise NotOnePictureError(f"orientation {orientation} says to turn it; export it upright, with orientation 1")


def require_not_turned_by_xmp(raw: bytes) -> None:
    """XMP says the same as EXIF in words, in whatever container."""
    found = _XMP_TURNED.search(raw)
    if found:
        require_upright(int(found[1]))


def require_samples(bits: int) -> None:
    if bits not in {8, 16}:
        raise NotOnePictureError(f"{bits} bits a sample; export 8 or 16")


def require_size(width: int, height: int) -> None:
    if not width or not height:
        raise DamagedError("no width or no height")
    if width * height > MOST_PIXELS:
        size = f"{width} x {height} pixels"
        raise NotOnePictureError(f"{size}, more than {MOST_PIXELS // 1024**2} megapixels; export smaller frames")
