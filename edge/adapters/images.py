"""Slice files: read, checked and decoded to 8-bit grey."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.core.errors import SliceError
from edge.core.job import ImageFormat, SliceFile
from edge.core.preprocess import Grey, to_grey8
from edge.core.verdict import Reason

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
MAX_FILE_BYTES = 256 * 1024 * 1024


def read_slice(folder: Path, part: SliceFile, image: ImageFormat) -> Grey:
    """Read one slice as uint8 (height, width), in its stored polarity.

    PNG, JPEG, TIFF and BMP; grey, or colour with equal channels. A truncated file never decodes; a flipped bit is
    found by PNG's own check sums, or by ``sha256`` in the manifest for the other formats.
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
    grey = _single_channel(decoded, path)  # type: ignore[arg-type]
    expected = np.uint8 if image.bit_depth == 8 else np.uint16
    if grey.dtype != expected:
        raise SliceError(
            Reason.SLICE_FORMAT,
            f"{path}: {grey.dtype} pixels, but image.bit_depth says {image.bit_depth}; correct the manifest",
        )
    return to_grey8(grey, image.window)


def _bytes_of(path: Path) -> bytes:
    try:
        if not path.is_file() or path.is_symlink():
            raise SliceError(Reason.SLICE_MISSING, f"{path}: no such file; export the slice with its job")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SliceError(Reason.SLICE_FORMAT, f"{path}: larger than {MAX_FILE_BYTES} bytes; export fewer pixels")
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise SliceError(Reason.SLICE_MISSING, f"{path}: no such file; export the slice with its job") from error
    except OSError as error:
        raise SliceError(Reason.SLICE_UNREADABLE, f"{path}: {error.strerror or error}; check the storage") from error
    if not raw:
        raise SliceError(Reason.SLICE_UNREADABLE, f"{path}: empty file; export the slice again")
    return raw


def _single_channel(image: Pixels, path: Path) -> Pixels:
    if image.ndim == 2:
        return image
    colours = image[..., :3]  # a fourth channel is opacity
    if image.ndim == 3 and image.shape[2] in {3, 4} and (colours == colours[..., :1]).all():
        return np.ascontiguousarray(image[..., 0])
    raise SliceError(Reason.SLICE_FORMAT, f"{path}: a colour image; export grey, or colour with equal channels")
