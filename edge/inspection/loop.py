"""The inspection loop's body: from a claimed job to decided joints in the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge.core.clocks import Monotonic, Now
from edge.core.errors import AxiError, JobRefused
from edge.core.job import Job, printable
from edge.core.payloads import BoardRef
from edge.inspection.attempt import Attempt
from edge.inspection.gallery import Gallery
from edge.inspection.ports import InUse, JobEntry, Ledger, Spool
from edge.inspection.records import Records
from edge.inspection.tally import Tally
from edge.jobs.folder import ClaimedJob, name_refused, read_job

log = logging.getLogger(__name__)

MOST_DEATHS = 5
"""How often the whole program may die over a job, nothing judged in between, before the job is taken for the cause.

More than for the judging process, which meets a job's images: this one dies of power cuts and of what people do.
"""


class Inspection:
    """Takes jobs from the spool through the judge into the journal. Use it from one thread.

    ``announce`` is called after each commit that queued messages; ``progressed`` after each step of progress;
    ``may_go_on`` says between views whether there is still time before a shutdown. Jobs that arrived up to
    ``judged_before``, in seconds since the epoch, may have been judged, and released, by what is not known any more.
    """

    def __init__(
        self,
        spool: Spool,
        ledger: Ledger,
        in_use: InUse,
        *,
        judged_before: float = 0.0,
        gallery: Gallery,
        tally: Tally,
        now: Now,
        clock: Monotonic,
        announce: Callable[[], None],
        progressed: Callable[[], None],
        may_go_on: Callable[[], bool],
    ) -> None:
        self._spool, self._ledger, self._gallery, self._clock = spool, ledger, gallery, clock
        self._progressed, self._may_go_on = progressed, may_go_on
        self._in_use, self._judged_before = in_use, judged_before
        tally.drifts.judge_by(in_use.judged_by)
        self._records = Records(ledger, in_use.encoder, tally, now, announce, in_use.permits)

    def use(self, in_use: InUse) -> None:
        """Judge with this from the next job on. Another bundle may grade by another measure, so trends begin anew."""
        self._in_use = in_use
        self._records = self._records._replace(encoder=in_use.encoder, permits=in_use.permits)
        self._records.tally.forget_trends()
        self._records.tally.drifts.judge_by(in_use.judged_by)

    def step(self) -> bool:
        """Take the next job all the way; False when none is waiting."""
        claimed = self._spool.claim()
        if claimed is None:
            return False
        try:
            self._inspect(claimed)
        except JobRefused as error:
            self._refuse(claimed, printable(str(error)))
        return True

    def _inspect(self, claimed: ClaimedJob) -> None:
        started = self._clock()
        job, unknown = read_job(claimed)
        if unknown:
            log.warning("unknown manifest keys ignored", extra={"job_id": job.job_id, "keys": list(unknown)})
        entry = self._ledger.open_job(claimed.content, job.job_id, len(job.joints), self._records.now())
        _require_its_own_id(claimed, job.job_id, entry)
        problem = None
        if not entry.closed:
            _require_survivable(claimed, entry)
            attempt = Attempt(
                job,
                claimed,
                entry,
                self._in_use,
                self._records._replace(proves=claimed.arrived > self._judged_before),
                self._spool,
                self._clock,
                self._gallery,
                self._progressed,
                self._may_go_on,
            )
            try:
                done, problem = attempt.run()
            except (OSError, AxiError):
                self._ledger.leave_job(entry)  # disk or journal, not the job: it may be tried again for ever
                raise
            if not done:
                self._ledger.leave_job(entry)
                log.info("job left in work for the next start", extra={"job_id": job.job_id})
                return
            self._note_slices(job)
            board = BoardRef(serial=job.board.serial, type=job.board.type)
            share, spent_s = self._in_use.max_unfamiliar_share, self._clock() - started
            self._records.close(entry, job.job_id, board, len(job.joints), spent_s, max_unfamiliar_share=share)
            about = {"job_id": job.job_id, "serial": job.board.serial, "joints": len(job.joints)}
            log.info("job finished", extra={**about, "ms": round(1e3 * spent_s)})
        if problem is None:
            self._spool.finish(claimed)
        else:
            self._spool.reject(claimed, problem)

    def _note_slices(self, job: Job) -> None:
        """Fewer slices than usual are judged, but somebody should know: a machine may be losing them."""
        for view in job.views if job.board.type else ():
            text = self._records.tally.fewer_slices(job.board.type, view.id, len(view.slices))
            if text:
                self._records.alarm("fewer_slices", f"{job.job_id}: {text}", "warning")

    def _refuse(self, claimed: ClaimedJob, reason: str) -> None:
        """The whole job goes to rejected; each joint that can be named goes to the specialist."""
        started = self._clock()
        reason = reason.replace(f"{claimed.folder}", printable(claimed.folder.name))  # it goes to rejected
        log.error("job refused", extra={"job": claimed.folder.name, "problem": reason})
        job = name_refused(claimed)
        entry = self._ledger.open_job(claimed.content, job.job_id, len(job.joints), self._records.now())
        if not entry.closed:
            self._records.refused(job, entry, claimed)
            board = BoardRef(serial=job.serial)
            self._records.close(
                entry,
                job.job_id,
                board,
                len(job.joints),
                self._clock() - started,
                refusal=reason,
                unread=job.unread,
            )
        else:
            again = "refused before with the same content; if it is another board, its machine wrote both alike"
            self._records.alarm("job_refused", f"{claimed.folder.name}: {again}: {reason}")
        self._spool.reject(claimed, reason)


def _require_its_own_id(claimed: ClaimedJob, job_id: str, entry: JobEntry) -> None:
    if entry.clash:
        raise JobRefused(
            f"{claimed.folder.name}: job_id: {job_id!r} was used before with other content; "
            "give every job an id of its own"
        )


def _require_survivable(claimed: ClaimedJob, entry: JobEntry) -> None:
    if entry.tries > MOST_DEATHS:
        raise JobRefused(
            f"{claimed.folder.name}: the program died {entry.tries - 1} times over this job and judged nothing "
            "of it; its joints go to the specialist, the folder in rejected should go to the maintainers"
        )
