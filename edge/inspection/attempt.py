"""One attempt at a claimed job: its views through the judge, within deadlines; who judges is replaced when lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from edge.core.clocks import Monotonic
from edge.core.errors import JobRefused, JudgeLost
from edge.core.job import Job, View, printable
from edge.core.looks import Look
from edge.core.verdict import Call, Reason, Verdict
from edge.inspection.gallery import Compared, Gallery
from edge.inspection.ports import InUse, JobEntry, Shown, Spool
from edge.inspection.records import Records
from edge.jobs.folder import LARGE_BYTES, ClaimedJob, read_job
from edge.judging.ports import Batch, ViewToJudge, views_of

log = logging.getLogger(__name__)

MOST_TRIES = 2
"""How often a job may cost the judging process its life before it is set aside."""


class _OverdueError(Exception):
    """A job has been in work for too long."""


class Result(NamedTuple):
    """``done``: every joint is decided; not so when there is no time left before a shutdown. ``problem``: why the job
    is to be set aside, if it is.
    """

    done: bool
    problem: str | None = None


@dataclass(frozen=True)
class Attempt:
    """``progressed`` is called after each step of progress; ``may_go_on`` says between views whether there is still
    time before a shutdown.
    """

    job: Job
    claimed: ClaimedJob
    entry: JobEntry
    in_use: InUse
    records: Records
    spool: Spool
    clock: Monotonic
    gallery: Gallery
    progressed: Callable[[], None]
    may_go_on: Callable[[], bool]

    def run(self) -> Result:
        """Decide every joint that is left.

        A judging process that hangs or dies is started anew, and the job's remaining joints are tried once more; then
        they go to the specialist, and the job is set aside.
        """
        left = self._left()
        if self._sheds(left):
            return Result(done=True)
        until = self.clock() + self.in_use.job_timeout_s
        for number in range(1, MOST_TRIES + 1):
            try:
                return Result(self._judge_views(left, until, look_ahead=number == 1))
            except _OverdueError:
                self._give_up(self._left(), Reason.TIMEOUT)
                limit_s = self.in_use.job_timeout_s
                text = f"{self._name}: not judged within {limit_s} s; the rest goes to the specialist"
                self.records.alarm("job_overdue", text)
                return Result(done=True)
            except JudgeLost as lost:
                left = self._left()
                problem, reason = f"{self._name}: {lost}", Reason(lost.reason)
                details = {"job_id": self.job.job_id, "problem": str(lost), "attempt": number}
                log.error("judging process lost", extra=details)  # noqa: TRY400 - the problem says it all
                self.records.alarm(f"runtime_{'hung' if reason is Reason.TIMEOUT else 'crashed'}", problem)
        self._give_up(left, reason)
        return Result(done=True, problem=f"{problem}; {MOST_TRIES} times, so its joints go to the specialist")

    @property
    def _name(self) -> str:
        return self.claimed.folder.name

    def _left(self) -> list[ViewToJudge]:
        return self.records.left(self.job, self.entry)

    def _give_up(self, left: Sequence[ViewToJudge], reason: Reason) -> None:
        self.records.give_up(self.job, self.entry, left, reason)

    def _sheds(self, left: Sequence[ViewToJudge]) -> bool:
        """Would this job's verdicts come too late? Then its joints go to the specialist at once."""
        pace = self.in_use.pace
        age_s = self.records.now().timestamp() - self.claimed.arrived
        late = pace.misses(age_s, sum(len(view.joints) for view in left))
        if late:
            self._give_up(left, Reason.OVERLOAD)
        if late != pace.overloaded:
            pace.overloaded = late
            text = f"{self._name} has waited {age_s:.1f} s; verdicts are due within {pace.within_s} s"
            if late:
                self.records.alarm("overload", f"{text}: joints go to the specialist unjudged")
            else:
                self.records.alarm("overload_over", f"{text}: joints are judged again", "warning")
        return late

    def _judge_views(self, left: Sequence[ViewToJudge], until: float, *, look_ahead: bool) -> bool:
        """Judge what is left, one durable commit a view; False when a shutdown leaves no time for the rest.

        Without ``look_ahead`` nobody is at another job's images meanwhile: they may have taken the memory, or the time,
        that a process was lost over.
        """
        if not left:
            return True
        if not self.may_go_on():
            return False
        batch = Batch(self.job, self.claimed.folder, left, self.claimed.key)
        judge = self.in_use.judge
        following = _following(self.spool, judge.looks_ahead) if look_ahead else []
        with closing(judge.views(batch, self.progressed, following)) as verdicts:
            for view in left:
                self._judge_view(view, verdicts, until)
                if view is not left[-1] and not self.may_go_on():
                    return False
        return True

    def _judge_view(self, view: ViewToJudge, verdicts: Iterator[Verdict], until: float) -> None:
        started, judged = self.clock(), list[Verdict]()
        try:
            for _ in view.joints:
                if self.clock() >= until:
                    raise _OverdueError
                judged.append(next(verdicts))
        finally:
            self._record(view, judged)  # also what was judged before the judge was lost
        self.in_use.pace.note(len(judged), self.clock() - started)

    def _record(self, view: ViewToJudge, judged: list[Verdict]) -> None:
        """What was judged of one view, unless its pictures were believed before. Those that nothing was judged by may
        come again, with other boxes for example.
        """
        if not judged:
            return
        compared = self._compared(view.view, judged[0].look)
        if compared.doubt:
            unlike = Shown(view.view.id, (), compared.sight)
            doubted = [one.doubted(Reason.VIEW_UNFAMILIAR) for one in judged]
            self.records.verdicts(self.job, self.entry, doubted, unlike)
            return
        believed = any(verdict.decision.call is not Call.UNJUDGED for verdict in judged)
        shown = Shown(view.view.id, judged[0].shown if believed else (), compared.sight)
        other = self.records.shown_before(self.entry, shown, self.in_use.repeated_days)
        if other == self.job.job_id and self._shares_files(view.view):
            other = None
        if other is None:
            self.records.verdicts(self.job, self.entry, judged, shown, unknown=compared.unknown)
        else:
            self._say_repeated(view.view.id, other)
            self.records.verdicts(self.job, self.entry, [one.doubted(Reason.SLICE_REPEATED) for one in judged])

    def _compared(self, view: View, look: Look | None) -> Compared:
        """With what is known of that view of the board type; a doubt is said once, until one like it is right again."""
        board_type = self.job.board.type
        compared = self.gallery.compare(board_type, view.id, look, self.job.joints_of(view))
        if compared.doubt:
            details = {"job_id": self.job.job_id, "view": view.id, "problem": compared.doubt}
            log.warning("view unfamiliar", extra=details)
        if self.records.tally.begins("view_unfamiliar", f"{board_type} {view.id}", on=bool(compared.doubt)):
            text = f"{self._name}: view {printable(view.id)} of board type {printable(board_type)} is {compared.doubt}"
            remedy = "its joints go to the specialist; correct the export, or review them and it is learnt anew"
            self.records.alarm("view_unfamiliar", f"{text}: {remedy}")
        return compared

    def _shares_files(self, view: View) -> bool:
        """Does the manifest itself name one of its files for another view, too?"""
        files = {(part.file, part.page) for part in view.slices}
        others = (other for other in self.job.views if other.id != view.id)
        return any((part.file, part.page) in files for other in others for part in other.slices)

    def _say_repeated(self, view: str, other: str) -> None:
        """Once a job: whoever sends a picture again mostly sends all of them. Whose it is nobody can tell."""
        where = "another view of it" if other == self.job.job_id else f"job {printable(other)}"
        text = f"{self._name}: view {printable(view)} shows a picture that {where} was judged by"
        log.warning("picture repeated", extra={"job_id": self.job.job_id, "view": view, "before": other})
        if self.records.tally.begins("slice_repeated", self.job.job_id):
            remedy = f"its joints go to the specialist; look at those of {where} as well, and export each view's own"
            self.records.alarm("slice_repeated", f"{text}: {remedy}")


def _following(spool: Spool, most: int) -> list[Batch]:
    """The jobs that will probably come next, so that their views can be judged meanwhile; none of the huge ones, which
    take seconds to be read.
    """
    found = []
    for peeked in spool.peek(most):
        if len(peeked.manifest) > LARGE_BYTES:
            break
        try:
            job, _ = read_job(peeked)
        except JobRefused:
            continue  # it will be said when its turn comes
        found.append(Batch(job, peeked.folder, views_of(job), peeked.key))
    return found
