"""A view's slices: read as they are stored, then as one kind of network wants them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.core.errors import SliceError
from edge.core.fingerprints import fingerprint
from edge.core.intake import Spec
from edge.core.job import ImageFormat, Job, Polarity, SliceFile, View
from edge.core.preprocess import Grey, Picture, Slices, to_polarity
from edge.core.verdict import Reason
from edge.judging.ports import ReadSlice

log = logging.getLogger(__name__)


class Pictures(NamedTuple):
    """What a view shows. ``trouble``: why it cannot be judged at all; then there are no slices. ``shown``: their
    fingerprints.
    """

    slices: dict[int, Grey]
    stored: Polarity
    colour: bool = False
    trouble: Reason | None = None
    shown: tuple[bytes, ...] = ()


def tried(read: ReadSlice, folder: Path, image: ImageFormat, part: SliceFile) -> Picture | SliceError:
    """A slice, or what is wrong with it. Raises OSError when the disk fails."""
    try:
        return read(folder, part, image)
    except SliceError as error:
        return error


def decoded_view(job: Job, view: View, decoded: Iterable[Picture | SliceError]) -> Pictures:
    """The pictures that ``decoded`` gives for the view's slices, in order."""
    stored = job.image.polarity
    slices: dict[int, Grey] = {}

    def refused(problem: str, reason: Reason) -> Pictures:
        log.warning("slice refused", extra={"job_id": job.job_id, "view": view.id, "problem": problem})
        return Pictures({}, stored, trouble=reason)

    hole = _hole_in(view)
    if hole is not None:
        indices = sorted(part.index for part in view.slices)
        return refused(f"slices {indices}: number {hole} is missing; export all, from 0 up", Reason.SLICE_MISSING)
    colour = False
    for part, picture in zip(view.slices, decoded, strict=True):
        if isinstance(picture, SliceError):
            return refused(str(picture), Reason(picture.reason))
        slices[part.index], colour = picture.grey, colour or picture.colour
    if len({grey.shape for grey in slices.values()}) > 1:
        return Pictures({}, stored, trouble=Reason.SLICE_SIZES_DIFFER)
    shown = {index: fingerprint(grey, stored) for index, grey in slices.items()}
    twice = _shown_twice(slices, shown)
    if twice is not None:
        same = "slices {} and {} are one picture; export each height's own".format(*twice)
        return refused(same, Reason.SLICE_REPEATED)
    return Pictures(slices, stored, colour, shown=tuple(found for found in shown.values() if found is not None))


def _hole_in(view: View) -> int | None:
    """The first slice that the view lacks though it has later ones: judged, it would be a black picture."""
    indices = {part.index for part in view.slices}
    return next((index for index in range(max(indices)) if index not in indices), None)


def _shown_twice(slices: Mapping[int, Grey], shown: Mapping[int, bytes | None]) -> tuple[int, int] | None:
    """Two slices that are the same in every pixel, unless they show next to nothing; None where there are none."""
    for first, second in combinations(slices, 2):
        alike = shown[first] is not None and shown[first] == shown[second]
        if alike and np.array_equal(slices[first], slices[second]):
            return first, second
    return None


def as_wanted(spec: Spec, pictures: Pictures) -> tuple[Slices, Reason | None]:
    """The slices in the spec's polarity; or none, and why that kind of network cannot judge this view."""
    if pictures.trouble is not None:
        return {}, pictures.trouble
    if pictures.colour and not spec.takes_colour:
        return {}, Reason.SLICE_FORMAT
    if max(pictures.slices) >= spec.most_slices:
        return {}, Reason.TOO_MANY_SLICES
    wanted = spec.polarity_of(pictures.stored)
    return {index: to_polarity(grey, pictures.stored, wanted) for index, grey in pictures.slices.items()}, None


def read_view(job: Job, view: View, folder: Path, read: ReadSlice, spec: Spec) -> tuple[Slices, Reason | None]:
    """Read every slice of a view, one after the other, and see it as ``spec`` has it."""
    decoded = map(partial(tried, read, folder, job.image), view.slices)
    return as_wanted(spec, decoded_view(job, view, decoded))
