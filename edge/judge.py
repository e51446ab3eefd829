"""The judge: from a view's slices to one verdict a joint."""

from __future__ import annotations

import logging
import statistics
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.card import ModelCard, OperatingPoint
from edge.core.decide import Output, judge, score_of, supported
from edge.core.errors import SliceError
from edge.core.job import Job, Joint, Roi, SliceFile, View
from edge.core.preprocess import Grey, Patch, PreprocessSpec, prepare, to_polarity
from edge.core.verdict import Call, Reason, Verdict
from edge.files import HeldFolder
from edge.ports import Batch, Monotonic, ReadSlice, Scorer, ViewToJudge

log = logging.getLogger(__name__)

LEAST_CONTRAST = 4
"""Grey levels that even the dullest slice of a joint spans; less means that nothing was exposed or written there."""

_REMEMBERED = 201
_IN_HAND = 5
"""Joints judged one after another by one thread. Handing each over by itself cost a twentieth of the cores' time."""
Slices = dict[int, Grey]
"""The slices of a view by index, in the card's polarity; empty when the view cannot be judged."""

Hands = Sequence[Future[list[Verdict]]]
"""The joints of a view, in order, a few at a time."""


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


class _Begun(NamedTuple):
    """A view whose slices are being decoded, and since when."""

    started: float
    decoding: Sequence[Future[Grey]]


class _Ahead(NamedTuple):
    """The view that was looked at ahead; ``judging`` ends with the joints' own futures."""

    key: str
    view: str
    files: Sequence[tuple[int, int, int]]
    decoding: Sequence[Future[Grey]]
    judging: Future[Hands]


_NOTHING = _Ahead("", "", (), (), Future())


class Judge:
    """Decides joints with one bundle at one operating point.

    Several joints of a view are judged at once, each with a scorer of its own, and slices are decoded meanwhile.
    ``pool`` has as many threads as there are scorers, so that each core does one thing.
    """

    def __init__(
        self,
        card: ModelCard,
        point: OperatingPoint,
        scorers: Sequence[Scorer],
        read: ReadSlice,
        clock: Monotonic,
        pool: Executor,
    ) -> None:
        self.card, self.point = card, point
        self._read, self._clock, self._pool = read, clock, pool
        self._at_once = len(scorers)
        self._free: SimpleQueue[Scorer] = SimpleQueue()
        for scorer in scorers:
            self._free.put(scorer)
        self._ahead = _NOTHING
        self._spent_s: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def score_ms(self) -> float:
        """What the model alone took for a joint, median of the last ones; 0 before there was one."""
        return 1e3 * statistics.median(self._spent_s) if self._spent_s else 0.0

    def views(
        self, batch: Batch, beat: Callable[[], None], ahead: Batch | None = None
    ) -> Generator[Verdict, None, None]:
        """One verdict for each joint, in order; the next view is decoded while the present one is scored.

        Every slice file is decoded once. ``beat`` is called after each joint; the first view of ``ahead`` is decoded
        during the last of ``batch``. Nothing about a joint or a slice makes this raise; a failing disk does (OSError).
        """
        job, folder, left, _ = batch
        begun = [self._begin(job, left[0].view, folder)] if left and not self._is_foreseen(batch) else []
        for part, following in zip(left, [*left[1:], None], strict=True):
            present = begun.pop() if begun else None
            foreseen = self._ahead.judging
            if following is not None:
                begun.append(self._begin(job, following.view, folder))
                look: Callable[[], None] = _no_look
            else:
                look = self._looking(ahead)
            try:
                judging = foreseen.result() if present is None else self._score(job, part, present)
            finally:
                look()  # whatever happened: it lets go of the folder that it holds
            for hand in judging:
                for verdict in hand.result():
                    beat()
                    yield verdict

    def _looking(self, ahead: Batch | None) -> Callable[[], None]:
        """Have the first view of what comes next decoded; the function returned has it judged."""
        if ahead is None or not ahead.left:
            self._ahead = _NOTHING
            return _no_look
        part = ahead.left[0]
        try:
            folder = HeldFolder(ahead.folder)  # it is moved as soon as its turn comes
            files = _files(part.view, ahead.folder)
        except OSError:
            self._ahead = _NOTHING
            return _no_look
        begun = self._begin(ahead.job, part.view, folder.path)

        def score() -> Hands:
            try:
                return self._score(ahead.job, part, begun)
            finally:
                folder.close()

        def look() -> None:
            # Queued behind the decoding it waits for, so the threads it needs are not its own.
            self._ahead = _Ahead(ahead.key, part.view.id, files, begun.decoding, self._pool.submit(score))

        return look

    def _is_foreseen(self, batch: Batch) -> bool:
        """Was the first view read ahead, of these very files, and every slice of it well?

        What is wrong is said when it is read again.
        """
        ahead, view = self._ahead, batch.left[0].view
        if (ahead.key, ahead.view) != (batch.key, view.id) or any(grey.exception() for grey in ahead.decoding):
            return False
        try:
            return _files(view, batch.folder) == ahead.files
        except OSError:
            return False

    def _score(self, job: Job, part: ViewToJudge, begun: _Begun) -> Hands:
        """Have every joint of a view judged, once its slices are there."""
        decoded = [grey.result for grey in begun.decoding]
        slices, trouble = collected(job, part.view, decoded, self.card.preprocess)

        def judged(joints: Sequence[Joint]) -> list[Verdict]:
            return [self._verdict(joint, part.view, slices, trouble, begun.started) for joint in joints]

        size = max(1, min(_IN_HAND, -(-len(part.joints) // self._at_once)))
        return [self._pool.submit(judged, part.joints[i : i + size]) for i in range(0, len(part.joints), size)]

    def _begin(self, job: Job, view: View, folder: Path) -> _Begun:
        """Have every slice of the view read and decoded; when that began."""
        spec = self.card.preprocess
        started = self._clock()
        return _Begun(
            started, [self._pool.submit(read_slice_of, job, part, folder, self._read, spec) for part in view.slices]
        )

    def _verdict(self, joint: Joint, view: View, slices: Slices, trouble: Reason | None, started: float) -> Verdict:
        call, reason, p_defect = self._joint(joint, slices, trouble)
        return Verdict(
            joint=joint.id,
            call=call,
            refdes=joint.refdes,
            pin=joint.pin,
            machine_call=joint.machine_call,
            p_defect=p_defect,
            threshold=None if p_defect is None else self.point.threshold,
            operating_point=None if p_defect is None else self.point.name,
            reason=reason,
            slices=len(view.slices),
            latency_ms=1e3 * (self._clock() - started),
        )

    def _joint(self, joint: Joint, slices: Slices, trouble: Reason | None) -> tuple[Call, Reason | None, float | None]:
        if not supported(joint.type, self.card.joint_types):
            return Call.UNJUDGED, Reason.UNSUPPORTED_JOINT_TYPE, None
        if trouble is not None:
            return Call.UNJUDGED, trouble, None
        if _outside(joint.roi, next(iter(slices.values()))):
            return Call.UNJUDGED, Reason.ROI_OUTSIDE, None
        patch = prepare(self.card.preprocess, slices, joint.roi)
        if contrasts(patch)[list(slices)].min() < LEAST_CONTRAST:
            return Call.UNJUDGED, Reason.SLICE_BLANK, None
        score = score_of(self._run(patch), self.card.quantisation)
        call, reason = judge(score, self.point)
        return call, reason, None if call is Call.UNJUDGED else score.p_defect

    def _run(self, patch: Patch) -> Output:
        scorer = self._free.get()
        started = self._clock()
        try:
            output = scorer.run(patch)
            self._spent_s.append(self._clock() - started)
            return output
        finally:
            self._free.put(scorer)


def contrasts(patch: Patch) -> NDArray[np.uint8]:
    """Grey levels that each channel spans, shape (channels,)."""
    size, _, channels = patch.shape
    rows = patch.reshape(size, -1)  # whole rows first: neighbours in memory are compared many at once
    high, low = rows.max(axis=0).reshape(-1, channels), rows.min(axis=0).reshape(-1, channels)
    spanned: NDArray[np.uint8] = high.max(axis=0) - low.min(axis=0)
    return spanned


def _files(view: View, folder: Path) -> Sequence[tuple[int, int, int]]:
    """What tells the view's files from any that stand in their place later. Raises OSError."""
    found = ((folder / part.file).lstat() for part in view.slices)
    return [(one.st_ino, one.st_size, one.st_ctime_ns) for one in found]


def _no_look() -> None:
    """Nothing comes next."""


def _outside(roi: Roi, frame: Grey) -> bool:
    """The box's centre lies off the frame, or the box exceeds it: the patch would not show this joint."""
    height, width = frame.shape
    centred = 0 <= roi.xmin + roi.xmax <= 2 * width and 0 <= roi.ymin + roi.ymax <= 2 * height
    return not centred or roi.xmax - roi.xmin > width or roi.ymax - roi.ymin > height
