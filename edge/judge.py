"""The judge: from a view's slices to one verdict a joint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.core.card import ModelCard, OperatingPoint
from edge.core.decide import judge, score_of, supported
from edge.core.errors import SliceError
from edge.core.job import Job, Joint, Roi, SliceFile, View
from edge.core.preprocess import Grey, PreprocessSpec, prepare, to_polarity
from edge.core.verdict import Call, Reason, Verdict
from edge.ports import Monotonic, ReadSlice, Scorer, ViewToJudge

log = logging.getLogger(__name__)

LEAST_CONTRAST = 4
"""Grey levels that even the dullest slice of a joint spans; less means that nothing was exposed or written there."""

Slices = dict[int, Grey]
"""The slices of a view by index, in the card's polarity; empty when the view cannot be judged."""


def read_view(
    job: Job, view: View, folder: Path, read: ReadSlice, spec: PreprocessSpec
) -> tuple[Slices, Reason | None]:
    """Every slice of the view; or nothing, and why the view cannot be judged."""
    decode = [partial(read_slice_of, job, part, folder, read, spec) for part in view.slices]
    return collected(job, view, decode, spec)


def read_slice_of(job: Job, part: SliceFile, folder: Path, read: ReadSlice, spec: PreprocessSpec) -> Grey:
    """One slice in the spec's polarity. Raises SliceError, and OSError when the disk fails."""
    return to_polarity(read(folder, part, job.image), job.image.polarity, spec.polarity)


def collected(
    job: Job, view: View, decoded: Sequence[Callable[[], Grey]], spec: PreprocessSpec
) -> tuple[Slices, Reason | None]:
    """What ``decoded`` gives for the view's slices, in order; or nothing, and why the view cannot be judged."""
    slices: Slices = {}
    for part, grey in zip(view.slices, decoded, strict=True):
        try:
            slices[part.index] = grey()
        except SliceError as error:
            log.warning("slice refused", extra={"job_id": job.job_id, "view": view.id, "problem": str(error)})
            return {}, Reason(error.reason)
    if len({grey.shape for grey in slices.values()}) > 1:
        return {}, Reason.SLICE_SIZES_DIFFER
    if max(slices) >= spec.channels:
        return {}, Reason.TOO_MANY_SLICES
    return slices, None


class Judge(NamedTuple):
    """Decides joints with one bundle at one operating point. ``decoders`` reads slice files, many at once."""

    card: ModelCard
    point: OperatingPoint
    scorer: Scorer
    read: ReadSlice
    clock: Monotonic
    decoders: Executor

    def views(
        self, job: Job, folder: Path, left: Sequence[ViewToJudge], beat: Callable[[], None]
    ) -> Generator[Verdict, None, None]:
        """One verdict for each joint, view by view; the next view is decoded while the present one is scored.

        Every slice file is decoded once. ``beat`` is called after each joint. Nothing about a joint or a slice makes
        this raise; a failing disk does (OSError).
        """
        waiting = [self._begin(job, part.view, folder) for part in left[:1]]
        for part, following in zip(left, [*left[1:], None], strict=True):
            started, decoding = waiting.pop()
            if following is not None:
                waiting.append(self._begin(job, following.view, folder))
            slices, trouble = collected(job, part.view, [grey.result for grey in decoding], self.card.preprocess)
            for joint in part.joints:
                call, reason, p_defect = self._joint(joint, slices, trouble)
                verdict = Verdict(
                    joint=joint.id,
                    call=call,
                    refdes=joint.refdes,
                    pin=joint.pin,
                    machine_call=joint.machine_call,
                    p_defect=p_defect,
                    threshold=None if p_defect is None else self.point.threshold,
                    operating_point=None if p_defect is None else self.point.name,
                    reason=reason,
                    slices=len(part.view.slices),
                    latency_ms=1e3 * (self.clock() - started),
                )
                beat()
                yield verdict

    def _begin(self, job: Job, view: View, folder: Path) -> tuple[float, list[Future[Grey]]]:
        """Have every slice of the view read and decoded; when that began."""
        started = self.clock()
        return started, [
            self.decoders.submit(read_slice_of, job, part, folder, self.read, self.card.preprocess)
            for part in view.slices
        ]

    def _joint(self, joint: Joint, slices: Slices, trouble: Reason | None) -> tuple[Call, Reason | None, float | None]:
        if not supported(joint.type, self.card.joint_types):
            return Call.UNJUDGED, Reason.UNSUPPORTED_JOINT_TYPE, None
        if trouble is not None:
            return Call.UNJUDGED, trouble, None
        if _outside(joint.roi, next(iter(slices.values()))):
            return Call.UNJUDGED, Reason.ROI_OUTSIDE, None
        patch = prepare(self.card.preprocess, slices, joint.roi)
        if any(np.ptp(patch[..., index]) < LEAST_CONTRAST for index in slices):
            return Call.UNJUDGED, Reason.SLICE_BLANK, None
        score = score_of(self.scorer.run(patch), self.card.quantisation)
        call, reason = judge(score, self.point)
        return call, reason, None if call is Call.UNJUDGED else score.p_defect


def _outside(roi: Roi, frame: Grey) -> bool:
    """The box's centre lies off the frame, or the box exceeds it: the patch would not show this joint."""
    height, width = frame.shape
    centred = 0 <= roi.xmin + roi.xmax <= 2 * width and 0 <= roi.ymin + roi.ymax <= 2 * height
    return not centred or roi.xmax - roi.xmin > width or roi.ymax - roi.ymin > height
