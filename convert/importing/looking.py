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
from edge.core.job import ImageFormat, Roi, SliceFile, printable
from edge.core.preprocess import Grey, PreprocessSpec, to_polarity
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
    if asked:
        return _decoded(pages, asked, where, mapping)
    found = _decoded(pages, ImageFormat(polarity=mapping.image.polarity), where, mapping)
    if isinstance(found, Seen) or _DEEP not in found.text:
        return found
    if mapping.image.window is None:
        remedy = "say which grey values become 0 and 255: [image] window = [low, high]"
        return Problem(where, f"picture {printable(pages[0].path.name)} has {_DEEP}; {remedy}")
    deep = ImageFormat(bit_depth=16, polarity=mapping.image.polarity, window=mapping.image.window)
    return _decoded(pages, deep, where, mapping)


_DEEP = "16 bits a pixel"


def _decoded(pages: Sequence[Page], image: ImageFormat, where: str, mapping: Mapping) -> Seen | Problem:
    slices = list[Grey]()
    for index, page in enumerate(pages):
        path, name = page.path.resolve(), printable(page.path.name)  # the device follows no links; people have them
        try:
            picture = read_slice(path.parent, SliceFile(index=index, file=path.name, page=page.number), image)
        except SliceError as error:
            return Problem(where, _in_our_words(printable(str(error)), name, page))
        if picture.colour and not mapping.image.colours:
            remedy = "export it grey, or say [image] colours = true of optical pictures"
            return Problem(where, f"picture {name} has colours; {remedy}")
        slices.append(picture.grey)
    sizes = {grey.shape for grey in slices}
    if len(sizes) > 1:
        said = " and ".join(f"{wide} x {high}" for high, wide in sorted(sizes))
        return Problem(where, f"slices of one view measure {said} pixels; export them alike")
    return Seen(tuple(slices), image)


def _in_our_words(problem: str, name: str, page: Page) -> str:
    """An export has no manifest that could be corrected."""
    if "image.bit_depth" in problem:
        depth = _DEEP if _DEEP in problem else "8 bits a pixel, unlike others of its view"
        return f"picture {name} has {depth}; export all slices alike"
    if page.number is None and "manifest" in problem and "page" in problem:
        return f'picture {name} holds several; say [image] slices = "pages" where they are slices of a view'
    return problem


def content_of(seen: Seen, roi: Roi) -> bytes:
    """Equal for joints that show the same pixels, whatever they are called."""
    digest = blake2b(digest_size=16)
    for grey in seen.slices:
        cut = np.ascontiguousarray(grey[max(0, roi.ymin) : roi.ymax, max(0, roi.xmin) : roi.xmax])
        digest.update(repr(cut.shape).encode())
        digest.update(cut.tobytes())
    return digest.digest()


def box_in_sample(roi: Roi) -> tuple[float, float]:
    """Width and height of the box, as shares of the sample's side."""
    wide, high = roi.xmax - roi.xmin, roi.ymax - roi.ymin
    return wide / (_SHOWN * max(wide, high)), high / (_SHOWN * max(wide, high))


def sample_of(seen: Seen, roi: Roi) -> NDArray[np.uint8]:
    """A joint in the middle slice with what is round it, as the network sees it, solder dark: (pixels, pixels)."""
    spec = PreprocessSpec(size=_SAMPLE, channels=1, margin=_SHOWN)
    grey = to_polarity(seen.slices[len(seen.slices) // 2], seen.image.polarity, spec.polarity)
    return spec.prepared({0: grey}, roi).patch[..., 0]
