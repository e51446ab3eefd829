"""The inspection loop's body: from a claimed job to decided joints in the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.core.card import ModelCard, OperatingPoint
from edge.core.decide import judge, score_of, supported
from edge.core.errors import AxiError, JobRefused, SliceError
from edge.core.job import Job, Joint, NamedJoint, Roi, View, parse_manifest, salvage
from edge.core.preprocess import Grey, PreprocessSpec, prepare, to_polarity
from edge.core.verdict import Call, Reason, Verdict
from edge.core.wire import BoardRef, Encoder, Message, VerdictPayload, encode
from edge.ports import ClaimedJob, JobEntry, Ledger, Monotonic, Now, ReadSlice, Scorer, Spool

log = logging.getLogger(__name__)

LEAST_CONTRAST = 4
"""Grey levels that even the dullest slice of a joint spans; less means that nothing was exposed or written there."""

MOST_TRIES = 2
"""How often the program may die over a job, no view of it judged, before the job is set aside."""


def read_view(
    job: Job, view: View, folder: Path, read: ReadSlice, spec: PreprocessSpec
) -> tuple[dict[int, Grey], Reason | None]:
    """Every slice of the view by index, in the spec's polarity; or nothing, and why the view cannot be judged."""
    slices: dict[int, Grey] = {}
    for part in view.slices:
        try:
            grey = read(folder, part, job.image)
        except SliceError as error:
            log.warning("slice refused", extra={"job_id": job.job_id, "view": view.id, "problem": str(error)})
            return {}, Reason(error.reason)
        slices[part.index] = to_polarity(grey, job.image.polarity, spec.polarity)
    if len({grey.shape for grey in slices.values()}) > 1:
        return {}, Reason.SLICE_SIZES_DIFFER
    if max(slices) >= spec.channels:
        return {}, Reason.TOO_MANY_SLICES
    return slices, None


class Judge(NamedTuple):
    """Decides joints with one bundle at one operating point."""

    card: ModelCard
    point: OperatingPoint
    scorer: Scorer
    read: ReadSlice
    clock: Monotonic

    def view(
        self, job: Job, view: View, folder: Path, joints: Sequence[Joint], beat: Callable[[], None]
    ) -> list[Verdict]:
        """One verdict for each of ``joints``, all lying in ``view``; every slice file is decoded once.

        ``beat`` is called after each joint. Nothing about a joint or a slice makes this raise.
        """
        started = self.clock()
        slices, trouble = read_view(job, view, folder, self.read, self.card.preprocess)
        verdicts = []
        for joint in joints:
            call, reason, p_defect = self._joint(joint, slices, trouble)
            verdicts.append(
                Verdict(
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
                    latency_ms=1e3 * (self.clock() - started),
                )
            )
            beat()
        return verdicts

    def _joint(
        self, joint: Joint, slices: dict[int, Grey], trouble: Reason | None
    ) -> tuple[Call, Reason | None, float | None]:
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


class Inspection(NamedTuple):
    """Takes jobs from the spool through the judge into the journal.

    ``announce`` is called after each commit that queued messages; ``beat`` after each step of progress;
    ``may_go_on`` says between views whether there is still time before a shutdown.
    """

    spool: Spool
    ledger: Ledger
    judge: Judge
    encoder: Encoder
    now: Now
    clock: Monotonic
    announce: Callable[[], None]
    beat: Callable[[], None]
    may_go_on: Callable[[], bool]

    def step(self) -> bool:
        """Take the next job all the way; False when none is waiting."""
        claimed = self.spool.claim()
        if claimed is None:
            return False
        try:
            self._inspect(claimed)
        except JobRefused as error:
            self._refuse(claimed, printable(str(error)))
        return True

    def _inspect(self, claimed: ClaimedJob) -> None:
        started = self.clock()
        job, unknown = parse_manifest(claimed.manifest, source=str(claimed.folder / "manifest.json"))
        if unknown:
            log.warning("unknown manifest keys ignored", extra={"job_id": job.job_id, "keys": list(unknown)})
        entry = self.ledger.open_job(claimed.content, job.job_id, len(job.joints), self.now())
        if entry.clash:
            raise JobRefused(
                f"{claimed.folder.name}: job_id: {job.job_id!r} was used before with other content; "
                "give every job an id of its own"
            )
        if not entry.closed:
            if entry.tries > MOST_TRIES:
                raise JobRefused(
                    f"{claimed.folder.name}: the program died {entry.tries - 1} times over this job and judged nothing "
                    "of it; its joints go to the specialist, the folder in rejected should go to the maintainers"
                )
            try:
                done = self._judge_views(job, claimed, entry)
            except (OSError, AxiError):
                self.ledger.leave_job(entry)  # disk or journal, not the job: it may be tried again for ever
                raise
            if not done:
                self.ledger.leave_job(entry)
                return
            board = BoardRef(serial=job.board.serial, type=job.board.type)
            self._close(entry, job.job_id, board, len(job.joints), started, refused=None)
        self.spool.finish(claimed)

    def _judge_views(self, job: Job, claimed: ClaimedJob, entry: JobEntry) -> bool:
        """Whether all joints are decided; not so when there is no time left before a shutdown."""
        decided = self.ledger.decided(entry)
        for view in job.views:
            left = [joint for joint in job.joints_of(view) if joint.id not in decided]
            if left and not self.may_go_on():
                log.info("job left in work for the next start", extra={"job_id": job.job_id})
                return False
            if left:
                verdicts = self.judge.view(job, view, claimed.folder, left, self.beat)
                self._record(entry, [self.encoder.verdict(job, verdict, self.now()) for verdict in verdicts])
        return True

    def _refuse(self, claimed: ClaimedJob, reason: str) -> None:
        """The whole job goes to rejected; each joint that can be named goes to the specialist."""
        started = self.clock()
        log.error("job refused", extra={"job": claimed.folder.name, "problem": reason})
        found = salvage(claimed.manifest)
        job_id = found.job_id or printable(claimed.folder.name)
        serial = found.serial or "unknown"
        entry = self.ledger.open_job(claimed.content, job_id, len(found.joints), self.now())
        if not entry.closed:
            self._record(
                entry,
                [
                    self.encoder.refused(job_id, serial, refused_joint(joint), claimed.content, self.now())
                    for joint in found.joints
                ],
            )
            self._close(entry, job_id, BoardRef(serial=serial), len(found.joints), started, refused=reason)
        self.spool.reject(claimed, reason)

    def _record(self, entry: JobEntry, payloads: list[VerdictPayload]) -> None:
        topics = self.encoder.topics
        self.ledger.record(
            entry,
            [(payload, Message(topics.verdict(payload.board.serial), encode(payload))) for payload in payloads],
        )
        self.announce()

    def _close(
        self,
        entry: JobEntry,
        job_id: str,
        board: BoardRef,
        expected: int,
        started: float,
        *,
        refused: str | None,
    ) -> None:
        calls = list(self.ledger.decided(entry).values())
        summary = self.encoder.board(
            job_id,
            board,
            calls,
            expected=expected,
            refused=refused is not None,
            duration_ms=1e3 * (self.clock() - started),
            now=self.now(),
        )
        messages = [Message(self.encoder.topics.board(board.serial), encode(summary))]
        if refused is not None:
            messages.append(self.encoder.alarm("job_refused", refused, self.now()))
        self.ledger.close_job(entry, messages, refused=refused is not None, now=self.now())
        self.announce()


def printable(name: str) -> str:
    """A folder name as text that can be sent: bytes that are no UTF-8 are written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def refused_joint(joint: NamedJoint) -> Verdict:
    """The verdict on a joint of a refused job."""
    return Verdict(joint=joint.id, call=Call.UNJUDGED, refdes=joint.refdes, pin=joint.pin, reason=Reason.JOB_REFUSED)
