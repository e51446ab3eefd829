"""Golden joints: raw cut-outs with the patch and output they must lead to on every device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.conversion.recipe import EvaluationSection
from convert.conversion.runtimes import Run
from convert.lots.reading import JobReading, read_any_truth
from edge.bundle.format import GoldenJoint
from edge.bundle.parity import Parity
from edge.core.decide import Answer
from edge.core.intake import Spec
from edge.core.job import Roi
from edge.core.preprocess import Grey, Slices, crop_of
from edge.core.qualification import Kernels
from edge.core.variants import variants

_RunOn = Callable[[Kernels, NDArray[np.uint8]], Run]


def golden_joints(
    lot: Path, spec: Spec, count: int, run: Callable[[NDArray[np.uint8]], Run]
) -> tuple[GoldenJoint, ...]:
    """The first joints of a lot with truth, as many defects as normals while there are both.

    ``run`` gives what the model gives for patches (n, size, size, channels).
    """
    truth = read_any_truth(lot)
    wanted = {0: count // 2, 1: count - count // 2}
    found: list[tuple[dict[int, Grey], Roi]] = []
    for view in JobReading(lot).views(spec):
        for joint in view.joints:
            row = truth.get((view.job.job_id, joint.id))
            if row is not None and wanted[row.label]:
                cut = cut_out(view.slices(), joint.roi, spec)
                if cut is not None:
                    wanted[row.label] -= 1
                    found.append(cut)
        if not any(wanted.values()):
            break
    patches = np.stack([spec.prepared(*cut).patch for cut in found])
    answers = run(patches)
    features = [None] * len(found) if answers.features is None else [row[np.newaxis] for row in answers.features]
    return tuple(
        GoldenJoint(*cut, patch, Answer(output[np.newaxis], seen))
        for cut, patch, output, seen in zip(found, patches, answers.outputs, features, strict=True)
    )


def parity_of(golden: Sequence[GoldenJoint], section: EvaluationSection, budget: float, run: _RunOn) -> Parity:
    """What the kernels that must give the same bits give of joints varied from the golden ones."""
    patches = np.stack(list(variants([joint.patch for joint in golden], section.parity)))
    exact = run("exact", patches).outputs
    return Parity(exact, run("reference", patches[: section.parity_reference]).outputs, budget)


def cut_out(slices: Slices, roi: Roi, spec: Spec) -> tuple[dict[int, Grey], Roi] | None:
    """The part of the slices that the crop can see, and the box relative to it; None when they do not overlap.

    The cut-out ends where the frame ends, so zero padding falls on the same pixels as in the whole frame.
    """
    if not slices:
        return None
    height, width = next(iter(slices.values())).shape
    seen = crop_of(roi, spec.margin).inside(width, height)
    if seen is None:
        return None
    x0, y0, x1, y1 = seen
    parts = {index: np.ascontiguousarray(image[y0:y1, x0:x1]) for index, image in slices.items()}
    return parts, Roi(roi.xmin - x0, roi.ymin - y0, roi.xmax - x0, roi.ymax - y0)
