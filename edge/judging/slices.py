"""Slice files: read, checked and decoded to 8-bit grey."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
from pathlib import Path

os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(64 * 1024 * 1024))  # read once, when cv2 is imported

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import SliceError
from edge.core.job import ImageFormat, SliceFile
from edge.core.preprocess import Picture, luminance, to_grey8
from edge.core.verdict import Reason
from edge.files import read_regular

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
MAX_FILE_BYTES = 256 * 1024 * 1024
_TIFF = (b"II*\0", b"MM\0*")
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", *_TIFF)
_PHOTOMETRIC, _MIN_IS_WHITE = 262, 0
_REASONS = {errno.ENOENT: Reason.SLICE_MISSING, errno.ELOOP: Reason.SLICE_MISSING, errno.EFBIG: Reason.SLICE_FORMAT}


def read_slice(folder: Path, part: SliceFile, image: ImageFormat) -> Picture:
    """Read one slice as uint8 (height, width), in its stored polarity.

    PNG, JPEG, TIFF and BMP; grey, or at 8 bits colour, of which the luminance is taken. A file cut short does not
    decode; other damage is found by PNG's own check sums, or by ``sha256`` in the manifest for the other formats.
    Raises SliceError with the stable reason.
    """
    path = folder / part.file
    raw = _bytes_of(path)
    if part.sha256 is not None and hashlib.sha256(raw).hexdigest() != part.sha256:
        raise SliceError(Reason.SLICE_CORRUPT, f"{path}: sha256 differs from the manifest's; export the slice again")
    try:
        decoded = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        decoded = None
    if decoded is None:
        raise SliceError(Reason.SLICE_UNREADABLE, f"{path}: not a whole PNG, JPEG, TIFF or BMP; export it again")
    if decoded.dtype == np.uint16 and raw.startswith(_TIFF) and _photometric(raw) == _MIN_IS_WHITE:
        decoded = np.bitwise_not(decoded)  # with white as zero; at 8 bits the decoder has done so itself
    grey, colour = _single_channel(decoded, path)  # type: ignore[arg-type]
    expected = np.uint8 if image.bit_depth == 8 else np.uint16
    if grey.dtype != expected:
        raise SliceError(
            Reason.SLICE_FORMAT,
            f"{path}: {grey.dtype} pixels, but image.bit_depth says {image.bit_depth}; correct the manifest",
        )
    return Picture(to_grey8(grey, image.window), colour)


def _bytes_of(path: Path) -> bytes:
    try:
        raw = read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, Reason.SLICE_UNREADABLE)
        raise SliceError(reason, f"{path}: {error.strerror}; export the slice with its job, whole") from error
    if not raw.startswith(_SIGNATURES):
        raise SliceError(Reason.SLICE_UNREADABLE, f"{path}: not a PNG, JPEG, TIFF or BMP file; export it again")
    return raw


def _photometric(raw: bytes) -> int | None:
    """The PhotometricInterpretation of a TIFF's first image; None when the file does not say."""
    order = "<" if raw[:2] == b"II" else ">"
    try:
        (offset,) = struct.unpack_from(order + "I", raw, 4)
        (count,) = struct.unpack_from(order + "H", raw, offset)
        for i in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHIHxx", raw, offset + 2 + 12 * i)
            if tag == _PHOTOMETRIC:
                return int(value)
    except struct.error:  # cut short; the decoder will say so
        return None
    return None


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
