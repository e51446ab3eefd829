"""The inspection loop's body: from a claimed job to decided joints in the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from edge.core.errors import AxiError, JobRefused, RuntimeLost
from edge.core.job import Job, Joint, Manifest, NamedJoint, parse_manifest, printable, salvage
from edge.core.payloads import BoardRef, Severity, VerdictPayload
from edge.core.verdict import Call, Reason, Verdict
from edge.core.wire import Encoder, Message, encode
from edge.pace import Pace
from edge.ports import Batch, ClaimedJob, JobEntry, Judging, Ledger, Monotonic, Now, Spool, ViewToJudge
from edge.tally import Tally

log = logging.getLogger(__name__)

MOST_TRIES = 2
"""How often a job may cost the runtime its life before it is set aside."""

MOST_DEATHS = 5
"""How often the whole program may die over a job, nothing judged in between, before the job is taken for the cause.

More than for the runtime, which is what meets a job's images: this process dies of power cuts and of what people do.
"""


class _OverdueError(Exception):
    """A job has been in work for too long."""


class Inspection(NamedTuple):
    """Takes jobs from the spool through the judge into the journal.

    ``announce`` is called after each commit that queued messages; ``beat`` after each step of progress;
    ``may_go_on`` says between views whether there is still time before a shutdown; ``job_timeout_s`` is how long a
    job may be in work in one go.
    """

    spool: Spool
    ledger: Ledger
    judge: Judging
    encoder: Encoder
    now: Now
    clock: Monotonic
    announce: Callable[[], None]
    beat: Callable[[], None]
    may_go_on: Callable[[], bool]
    pace: Pace
    job_timeout_s: float
    tally: Tally

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
        job, unknown = read_job(claimed)
        if unknown:
            log.warning("unknown manifest keys ignored", extra={"job_id": job.job_id, "keys": list(unknown)})
        entry = self.ledger.open_job(claimed.content, job.job_id, len(job.joints), self.now())
        if entry.clash:
            raise JobRefused(
                f"{claimed.folder.name}: job_id: {job.job_id!r} was used before with other content; "
                "give every job an id of its own"
            )
        problem = None
        if not entry.closed:
            if entry.tries > MOST_DEATHS:
                raise JobRefused(
                    f"{claimed.folder.name}: the program died {entry.tries - 1} times over this job and judged nothing "
                    "of it; its joints go to the specialist, the folder in rejected should go to the maintainers"
                )
            try:
                done, problem = self._judge_job(job, claimed, entry)
            except (OSError, AxiError):
                self.ledger.leave_job(entry)  # disk or journal, not the job: it may be tried again for ever
                raise
            if not done:
                self.ledger.leave_job(entry)
                log.info("job left in work for the next start", extra={"job_id": job.job_id})
                return
            board = BoardRef(serial=job.board.serial, type=job.board.type)
            self._close(entry, job.job_id, board, len(job.joints), started, refused=None)
        if problem is None:
            self.spool.finish(claimed)
        else:
            self.spool.reject(claimed, problem)

    def _judge_job(self, job: Job, claimed: ClaimedJob, entry: JobEntry) -> tuple[bool, str | None]:
        """Whether all joints are decided (not so when there is no time left before a shutdown), and what was wrong.

        A runtime that hangs or dies is started anew, and the job's remaining joints are tried once more; then they
        go to the specialist, and the job is set aside.
        """
        left = self._left(job, entry)
        if self._overloaded(job, claimed, entry, left):
            return True, None
        until = self.clock() + self.job_timeout_s
        for attempt in range(1, MOST_TRIES + 1):
            try:
                return self._judge_views(job, claimed, entry, left, until, look_ahead=attempt == 1), None
            except _OverdueError:
                self._give_up(job, entry, self._left(job, entry), Reason.TIMEOUT)
                text = (
                    f"{claimed.folder.name}: not judged within {self.job_timeout_s} s; the rest goes to the specialist"
                )
                self._alarm("job_overdue", text)
                return True, None
            except RuntimeLost as lost:
                left = self._left(job, entry)
                problem = f"{claimed.folder.name}: {lost}"
                reason = Reason(lost.reason)
                log.error("runtime lost", extra={"job_id": job.job_id, "problem": str(lost), "attempt": attempt})  # noqa: TRY400
                self._alarm(f"runtime_{'hung' if reason is Reason.TIMEOUT else 'crashed'}", problem)
        self._give_up(job, entry, left, reason)
        return True, f"{problem}; {MOST_TRIES} times, so its joints go to the specialist"

    def _overloaded(self, job: Job, claimed: ClaimedJob, entry: JobEntry, left: Sequence[ViewToJudge]) -> bool:
        """Would this job's verdicts come too late? Then its joints go to the specialist at once."""
        age_s = self.now().timestamp() - claimed.arrived
        late = self.pace.misses(age_s, sum(len(part.joints) for part in left))
        if late:
            self._give_up(job, entry, left, Reason.OVERLOAD)
        if late != self.pace.overloaded:
            self.pace.overloaded = late
            text = f"{claimed.folder.name} has waited {age_s:.1f} s; verdicts are due within {self.pace.within_s} s"
            if late:
                self._alarm("overload", f"{text}: joints go to the specialist unjudged")
            else:
                self._alarm("overload_over", f"{text}: joints are judged again", severity="warning")
        return late

    def _give_up(self, job: Job, entry: JobEntry, left: Sequence[ViewToJudge], reason: Reason) -> None:
        self._record(job, entry, [unjudged(joint, reason) for part in left for joint in part.joints])

    def _judge_views(
        self,
        job: Job,
        claimed: ClaimedJob,
        entry: JobEntry,
        left: Sequence[ViewToJudge],
        until: float,
        *,
        look_ahead: bool,
    ) -> bool:
        """Judge what is left, one durable commit a view; False when a shutdown leaves no time for the rest.

        Without ``look_ahead`` the runtime meets no other job's images, which may have been what it was lost over.
        """
        if not left:
            return True
        if not self.may_go_on():
            return False
        batch = Batch(job, claimed.folder, left, claimed.key)
        with closing(self.judge.views(batch, self.beat, self._ahead() if look_ahead else None)) as verdicts:
            for part in left:
                self._judge_view(job, entry, part, verdicts, until)
                if part is not left[-1] and not self.may_go_on():
                    return False
        return True

    def _judge_view(
        self, job: Job, entry: JobEntry, part: ViewToJudge, verdicts: Iterator[Verdict], until: float
    ) -> None:
        started, judged = self.clock(), list[Verdict]()
        try:
            for _ in part.joints:
                if self.clock() >= until:
                    raise _OverdueError
                judged.append(next(verdicts))
        finally:
            self._record(job, entry, judged)  # also what was judged before the runtime was lost
        self.pace.note(len(judged), self.clock() - started)

    def _ahead(self) -> Batch | None:
        """The job that will probably come next, so that its first view can be judged meanwhile."""
        peeked = self.spool.peek()
        if peeked is None:
            return None
        try:
            job, _ = read_job(peeked)
        except JobRefused:
            return None  # it will be said when its turn comes
        views = [ViewToJudge(view, job.joints_of(view)) for view in job.views if job.joints_of(view)]
        return Batch(job, peeked.folder, views[:1], peeked.key)

    def _left(self, job: Job, entry: JobEntry) -> list[ViewToJudge]:
        decided = self.ledger.decided(entry)
        views = (
            ViewToJudge(view, tuple(joint for joint in job.joints_of(view) if joint.id not in decided))
            for view in job.views
        )
        return [part for part in views if part.joints]

    def _record(self, job: Job, entry: JobEntry, verdicts: Sequence[Verdict]) -> None:
        if verdicts:
            self._queue(entry, [self.encoder.verdict(job, verdict, self.now()) for verdict in verdicts])
            self.tally.note(verdicts, job.board.type)  # once it is written down: what is tried again counts once

    def _alarm(self, code: str, text: str, severity: Severity = "error") -> None:
        self.ledger.notify(self.encoder.alarm(code, printable(text), self.now(), severity))
        self.announce()

    def _refuse(self, claimed: ClaimedJob, reason: str) -> None:
        """The whole job goes to rejected; each joint that can be named goes to the specialist."""
        started = self.clock()
        log.error("job refused", extra={"job": claimed.folder.name, "problem": reason})
        found = salvage(claimed.manifest)
        job_id = found.job_id or printable(claimed.folder.name)
        serial = found.serial or "unknown"
        entry = self.ledger.open_job(claimed.content, job_id, len(found.joints), self.now())
        if not entry.closed:
            self._queue(
                entry,
                [
                    self.encoder.refused(job_id, serial, refused_joint(joint), claimed.content, self.now())
                    for joint in found.joints
                ],
            )
            self._close(entry, job_id, BoardRef(serial=serial), len(found.joints), started, refused=reason)
        self.spool.reject(claimed, reason)

    def _queue(self, entry: JobEntry, payloads: list[VerdictPayload]) -> None:
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
        calls, grades = list(self.ledger.decided(entry).values()), self.ledger.grades(entry)
        summary = self.encoder.board(
            job_id,
            board,
            calls,
            grades,
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


def read_job(claimed: ClaimedJob) -> Manifest:
    """The job that a folder holds. Raises JobRefused naming the file, the field and the remedy."""
    source = str(claimed.folder / claimed.source)
    if claimed.problem:
        raise JobRefused(f"{source}: {claimed.problem}")
    return parse_manifest(claimed.manifest, source=source)


def unjudged(joint: Joint, reason: Reason) -> Verdict:
    """The verdict on a joint of a sound job that nothing could be said about."""
    return Verdict(
        joint=joint.id,
        call=Call.UNJUDGED,
        refdes=joint.refdes,
        pin=joint.pin,
        machine_call=joint.machine_call,
        joint_type=joint.type,
        reason=reason,
    )


def refused_joint(joint: NamedJoint) -> Verdict:
    """The verdict on a joint of a refused job."""
    return Verdict(joint=joint.id, call=Call.UNJUDGED, refdes=joint.refdes, pin=joint.pin, reason=Reason.JOB_REFUSED)
