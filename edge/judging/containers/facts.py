"""What is common to all containers."""

from __future__ import annotations

import html
import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_IN_XMP = re.compile(rb"xmpmeta|rdf:RDF|ns\.adobe\.com/tiff", re.IGNORECASE)
_ORIENTATION = re.compile(
    rb"""\s(?:(?P<prefix>[\w.-]+):)?Orientation\s*=\s*(?:"(?P<one>[^"]{0,4096})|'(?P<two>[^']{0,4096}))"""
    rb"""|<(?:(?P<before>[\w.-]+):)?Orientation(?:\s[^<>]{0,512})?>(?P<inside>[^<]{0,4096})"""
)
"""As an attribute, or as an element."""
_TIFF_PREFIX = re.compile(rb"""xmlns:([\w.-]+)\s*=\s*["']http://ns\.adobe\.com/tiff""")
_WIDE = (b"O\0r\0i\0e\0n\0t\0", b"\0O\0r\0i\0e\0n\0t")
_UPRIGHT = re.compile(r"\s*(?:\+?0*1|horizontal \(normal\))\s*", re.IGNORECASE)
_SHOWN = 64
MOST_PIXELS = 64 * 1024 * 1024


class Facts(NamedTuple):
    """``proved``: check sums of the container cover every pixel, and hold.

    Where examining it got so far already: ``pixels`` are as they are stored, (height, width); ``plain`` is the same
    picture as a file without compression.
    """

    proved: bool
    plain: bytes = b""
    pixels: Pixels | None = None


class NotOnePictureError(ValueError):
    """It is whole, but not one upright picture of 8 or 16 grey bits, or of 8-bit colours. The text says the remedy."""


class DamagedError(ValueError):
    """Something of it is missing, or does not fit together."""


def require_upright(orientation: int) -> None:
    """Boxes refer to the picture as it is shown, so a picture that is to be turned first is refused."""
    if orientation != 1:
        raise NotOnePictureError(f"orientation {orientation} says to turn it; export it upright, with orientation 1")


def require_not_turned_by_xmp(raw: bytes) -> None:
    """XMP says the same as EXIF in words, in whatever container, under whatever prefix, in UTF-8 or wider."""
    text = raw.replace(b"\0", b"") if any(word in raw for word in _WIDE) else raw
    if b"Orientation" not in text or not _IN_XMP.search(text):
        return
    meant = {b"", b"tiff", *_TIFF_PREFIX.findall(text)}
    for match in _ORIENTATION.finditer(text):
        said = match["one"] or match["two"] or match["inside"] or b""
        value = html.unescape(said.decode("utf-8", "replace")).strip()[:_SHOWN]
        another = (match["prefix"] or match["before"] or b"") not in meant and not value.isdecimal()
        if not another and not _UPRIGHT.fullmatch(value):
            raise NotOnePictureError(
                f"orientation {value!r} in its XMP says to turn it; export it upright, with orientation 1"
            )


def require_samples(bits: int) -> None:
    if bits not in {8, 16}:
        raise NotOnePictureError(f"{bits} bits a sample; export 8 or 16")


def require_named(largest: int, colours: int) -> None:
    """Decoders differ over pixels of colours that a palette does not name."""
    if largest >= colours:
        raise NotOnePictureError(f"a pixel of colour {largest}, and a palette of {colours}; export grey, or colours")


def require_size(width: int, height: int) -> None:
    if not width or not height:
        raise DamagedError("no width or no height")
    if width * height > MOST_PIXELS:
        size = f"{width} x {height} pixels"
        raise NotOnePictureError(f"{size}, more than {MOST_PIXELS // 1024**2} megapixels; export smaller frames")
