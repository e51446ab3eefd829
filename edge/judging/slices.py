"""Slice files: read, checked and decoded to 8-bit grey."""

from __future__ import annotations

import errno
import hashlib
import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

from edge.core.errors import SliceError
from edge.core.job import ImageFormat, SliceFile
from edge.core.preprocess import Picture, luminance, to_grey8
from edge.core.verdict import Reason
from edge.files import read_regular
from edge.judging.containers import bmp, ifd, jpeg, png, tiff
from edge.judging.containers.facts import (
    DamagedError,
    Facts,
    NotOnePictureError,
    Pixels,
    require_not_turned_by_xmp,
)
from edge.judging.ports import Unchecked

# What Pillow merely warns of is damage.
warnings.filterwarnings("error", category=UserWarning, module=r"PIL\.")

MAX_FILE_BYTES = 256 * 1024 * 1024
_OUR_FAULTS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Not the slice's: to be tried again."""
_REASONS = {errno.ENOENT: Reason.SLICE_MISSING, errno.ELOOP: Reason.SLICE_MISSING, errno.EFBIG: Reason.SLICE_FORMAT}


def read_slice(folder: Path, part: SliceFile, image: ImageFormat, unchecked: Unchecked = "judge") -> Picture:
    """Read one slice as uint8 (height, width), in its stored polarity.

    PNG, JPEG, TIFF and BMP of one upright picture, or of a TIFF the page that ``part`` names; grey, or at 8 bits
    colour, of which the luminance is taken. Damage is found by PNG's own check sums, by a decoder that notices it, or
    by ``sha256`` in the manifest. ``unchecked``: what becomes of a slice of which neither container nor manifest proves
    the pixels. Raises SliceError with the stable reason, OSError where this device has run out of something.
    """
    path = folder / part.file
    raw = _bytes_of(path)
    if part.sha256 is not None and hashlib.sha256(raw).hexdigest() != part.sha256:
        raise SliceError(Reason.SLICE_CORRUPT, f"{path}: sha256 differs from the manifest's; export the slice again")
    facts, decoded = _decoded(raw, path, part.page)
    if unchecked == "specialist" and not facts.proved and part.sha256 is None:
        remedy = "send its sha256 in the manifest, or PNG"
        raise SliceError(Reason.SLICE_UNCHECKED, f"{path}: nothing proves its pixels ([spool] unchecked); {remedy}")
    grey, colour = _single_channel(decoded, path)
    expected = np.uint8 if image.bit_depth == 8 else np.uint16
    if grey.dtype != expected:
        bits = 8 * grey.dtype.itemsize
        text = f"{bits} bits a pixel, but image.bit_depth says {image.bit_depth}; make the two agree"
        raise SliceError(Reason.SLICE_FORMAT, f"{path}: {text}")
    return Picture(to_grey8(grey, image.window), colour)


def _bytes_of(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        if error.errno in _OUR_FAULTS:
            raise
        reason = _REASONS.get(error.errno or 0, Reason.SLICE_UNREADABLE)
        raise SliceError(reason, f"{path}: {error.strerror}; export the slice with its job, whole") from error


class _Container(NamedTuple):
    """``decode`` is told which picture of the file is meant, from 0."""

    signatures: tuple[bytes, ...]
    examine: Callable[[bytes, int | None], Facts]
    decode: Callable[[bytes, int], Pixels | None]


def _decoded(raw: bytes, path: Path, page: int | None) -> tuple[Facts, Pixels]:
    """What the file says of itself, and its pixels as they are stored. Raises SliceError."""
    container = next((found for found in _CONTAINERS if raw.startswith(found.signatures)), None)
    if container is None:
        raise SliceError(Reason.SLICE_UNREADABLE, f"{path}: not a PNG, JPEG, TIFF or BMP file; export it again")
    try:
        facts = container.examine(raw, page)
        decoded = container.decode(facts.plain or raw, page or 0) if facts.pixels is None else facts.pixels
    except NotOnePictureError as error:
        raise SliceError(Reason.SLICE_FORMAT, f"{path}: {error}") from error
    except _DAMAGED as error:
        raise SliceError(Reason.SLICE_UNREADABLE, f"{path}: damaged ({error}); export it again") from error
    if decoded is None:
        raise SliceError(Reason.SLICE_UNREADABLE, f"{path}: damaged; export it again")
    return facts, decoded


def _one_picture(examine: Callable[[bytes], Facts]) -> Callable[[bytes, int | None], Facts]:
    """For containers that hold one, however they are asked for it."""

    def examined(raw: bytes, page: int | None) -> Facts:
        if page:
            raise NotOnePictureError(f"only a TIFF has a page {page}; correct the manifest")
        return examine(raw)

    return examined


def _searched(examine: Callable[[bytes, int | None], Facts]) -> Callable[[bytes, int | None], Facts]:
    """For containers in which XMP may lie anywhere."""

    def examined(raw: bytes, page: int | None) -> Facts:
        require_not_turned_by_xmp(raw)
        return examine(raw, page)

    return examined


def _by_opencv(raw: bytes, _: int) -> Pixels | None:
    decoded: Pixels | None = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)  # type: ignore[assignment]
    return decoded


def _tiff(raw: bytes, page: int) -> Pixels:
    """By Pillow: OpenCV reads 8-bit TIFF through an interface of libtiff that conceals what is damaged."""
    with TiffImageFile(io.BytesIO(raw)) as picture:
        picture.seek(page)
        pixels = np.asarray(picture.convert("RGB") if picture.mode == "P" else picture)
    if pixels.ndim == 3:
        return np.ascontiguousarray(pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]])  # blue first, as all others
    if pixels.dtype.itemsize == 2:
        grey = pixels.astype(np.uint16)  # out of the file's byte order
        turned = tiff.white_is_zero(ifd.page_of(raw, page))  # Pillow turns 8 bits by itself
        return np.bitwise_not(grey) if turned else grey
    return pixels


def _jpeg(raw: bytes, _: int) -> Pixels:
    """By a decoder that refuses what libjpeg merely warns of. Raises ValueError."""
    components = jpeg.components(raw)
    decoded: NDArray[np.uint8] = simplejpeg.decode_jpeg(raw, "GRAY" if components == 1 else "BGR")
    return decoded[..., 0] if components == 1 else decoded


_DAMAGED = (
    *(DamagedError, ValueError, TypeError, LookupError, SyntaxError),
    *(OSError, EOFError, UserWarning, struct.error, cv2.error),
)
"""What decoders raise over damaged files. None of these reads a disk."""
_CONTAINERS = (
    _Container((png.SIGNATURE,), _one_picture(png.examine), _by_opencv),
    _Container((jpeg.SIGNATURE,), _searched(_one_picture(jpeg.examine)), _jpeg),
    _Container((*tiff.SIGNATURES, *tiff.BIG_SIGNATURES), _searched(tiff.examine), _tiff),
    _Container((bmp.SIGNATURE,), _searched(_one_picture(bmp.examine)), _by_opencv),
)


def _single_channel(image: Pixels, path: Path) -> tuple[Pixels, bool]:
    """One channel, and whether the picture has colours."""
    if image.ndim == 2:
        return image, False
    colours = image[..., :3]  # a fourth channel is opacity
    if image.ndim == 3 and image.shape[2] in {3, 4}:
        if (colours == colours[..., :1]).all():
            return np.ascontiguousarray(image[..., 0]), False
        if colours.dtype == np.uint8:
            return luminance(colours), True  # type: ignore[arg-type]  # it was just asked for
    raise SliceError(Reason.SLICE_FORMAT, f"{path}: colours of type {image.dtype}; export grey, or colour at 8 bits")
