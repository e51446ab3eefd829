"""A view's slices: read as they are stored, then as one kind of network wants them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import SliceError
from edge.core.intake import Spec, most_slices, polarity_of, takes_colour
from edge.core.job import Job, Polarity, View
from edge.core.preprocess import Grey, Picture, Slices, to_polarity
from edge.core.verdict import Reason
from edge.ports import ReadSlice

log = logging.getLogger(__name__)


class Scene(NamedTuple):
    """What a view shows. ``trouble``: why it cannot be judged at all; then there are no slices."""

    slices: dict[int, Grey]
    stored: Polarity
    colour: bool = False
    trouble: Reason | None = None


def collected(job: Job, view: View, decoded: Sequence[Callable[[], Picture]]) -> Scene:
    """The scene of what ``decoded`` gives for the view's slices, in order. Raises OSError when the disk fails."""
    stored = job.image.polarity
    slices: dict[int, Grey] = {}
    colour = False
    for part, picture in zip(view.slices, decoded, strict=True):
        try:
            grey, in_colours = picture()
        except SliceError as error:
            log.warning("slice refused", extra={"job_id": job.job_id, "view": view.id, "problem": str(error)})
            return Scene({}, stored, trouble=Reason(error.reason))
        slices[part.index], colour = grey, colour or in_colours
    if len({grey.shape for grey in slices.values()}) > 1:
        return Scene({}, stored, trouble=Reason.SLICE_SIZES_DIFFER)
    return Scene(slices, stored, colour)


def seen_by(spec: Spec, scene: Scene) -> tuple[Slices, Reason | None]:
    """The slices in the spec's polarity; or none, and why that kind of network cannot judge this view."""
    if scene.trouble is not None:
        return {}, scene.trouble
    if scene.colour and not takes_colour(spec):
        return {}, Reason.SLICE_FORMAT
    if max(scene.slices) >= most_slices(spec):
        return {}, Reason.TOO_MANY_SLICES
    wanted = polarity_of(spec, scene.stored)
    return {index: to_polarity(grey, scene.stored, wanted) for index, grey in scene.slices.items()}, None


def read_view(job: Job, view: View, folder: Path, read: ReadSlice, spec: Spec) -> tuple[Slices, Reason | None]:
    """Read every slice of a view, one after the other, and see it as ``spec`` has it."""
    return seen_by(spec, collected(job, view, [partial(read, folder, part, job.image) for part in view.slices]))
