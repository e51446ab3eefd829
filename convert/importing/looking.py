"""The pictures of a view, decoded as the device does it, and what a joint looks like on them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.importing.found import Page, Problem
from convert.importing.mapping import Mapping
from edge.core.errors import SliceError
from edge.core.job import ImageFormat, Roi, SliceFile
from edge.core.preprocess import Grey, PreprocessSpec
from edge.core.verdict import Reason
from edge.judging.slices import read_slice

_SAMPLE = 96
"""Pixels of a picture for people, a side."""
_SHOWN = 1.5
"""How much more of the picture is shown than the box."""


class Seen(NamedTuple):
    """Slices (height, width) of one size, in their stored polarity, and how they are stored."""

    slices: tuple[Grey, ...]
    image: ImageFormat

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.slices[0].shape
        return height, width


def see(pages: Sequence[Page], asked: ImageFormat | None, where: str, mapping: Mapping) -> Seen | Problem:
    """Decode a view. ``asked``: how its pictures are stored, where the export says so; else the files tell."""
    usual = ImageFormat(polarity=mapping.image.polarity)
    formats = [asked] if asked else [usual]
    if not asked and mapping.image.window:
        formats.append(ImageFormat(bit_depth=16, polarity=usual.polarity, window=mapping.image.window))
    last = Problem(where, "no picture")
    for image in formats:
        found = _decoded(pages, image, where, mapping, has_window=bool(asked or mapping.image.window))
        if isinstance(found, Seen):
            return found
        last = found
    return last


def _decoded(
    pages: Sequence[Page], image: ImageFormat, where: str, mapping: Mapping, *, has_window: bool
) -> Seen | Problem:
    slices = list[Grey]()
    for index, page in enumerate(pages):
        part = SliceFile(index=index, file=page.path.name, page=page.number)
        try:
            picture = read_slice(page.path.parent, part, image)
        except SliceError as error:
            deep = error.reason == Reason.SLICE_FORMAT and "16 bits a pixel" in str(error) and not has_window
            remedy = "has 16 bits a pixel; say which grey values become 0 and 255: [image] window = [low, high]"
            return Problem(where, f"picture {page.path.name} {remedy}" if deep else str(error))
        if picture.colour and not mapping.image.colours:
            remedy = "export it grey, or say [image] colours = true of optical pictures"
            return Problem(where, f"picture {page.path.name} has colours; {remedy}")
        slices.append(picture.grey)
    sizes = {grey.shape for grey in slices}
    if len(sizes) > 1:
        said = " and ".join(f"{wide} x {high}" for high, wide in sorted(sizes))
        return Problem(where, f"slices of one view measure {said} pixels; export them alike")
    return Seen(tuple(slices), image)


def content_of(seen: Seen, roi: Roi) -> bytes:
    """Equal for joints that show the same pixels, whatever they are called."""
    digest = blake2b(digest_size=16)
    for grey in seen.slices:
        cut = np.ascontiguousarray(grey[roi.ymin : roi.ymax, roi.xmin : roi.xmax])
        digest.update(repr(cut.shape).encode())
        digest.update(cut.tobytes())
    return digest.digest()


def box_in_sample(roi: Roi) -> tuple[float, float]:
    """Width and height of the box, as shares of the sample's side."""
    wide, high = roi.xmax - roi.xmin, roi.ymax - roi.ymin
    return wide / (_SHOWN * max(wide, high)), high / (_SHOWN * max(wide, high))


def sample_of(seen: Seen, roi: Roi) -> NDArray[np.uint8]:
    """A joint in the middle slice with what is round it, for people: (pixels, pixels)."""
    spec = PreprocessSpec(size=_SAMPLE, channels=1, margin=_SHOWN, polarity=seen.image.polarity)
    return spec.prepared({0: seen.slices[len(seen.slices) // 2]}, roi).patch[..., 0]
