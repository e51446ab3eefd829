"""What the inspection loop writes down: verdicts, the end of a job, alarms; each with the messages that say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from msgspec.structs import replace

from edge.core.clocks import Now
from edge.core.job import Job, NamedJoint, printable
from edge.core.payloads import BoardRef, Severity
from edge.core.release import NOTHING, draw, ruled
from edge.core.verdict import Reason, Verdict, unjudged
from edge.core.wire import BoardOutcome, Encoder, VerdictMessage
from edge.inspection.ports import JobEntry, Ledger, Permits, Shown
from edge.inspection.tally import Tally
from edge.jobs.folder import ClaimedJob, RefusedJob
from edge.judging.ports import ViewToJudge, views_of

_A_FEW = 3
"""Fewer strange joints say nothing of their board."""


class Records(NamedTuple):
    """``announce`` is called after each commit that queued messages. ``proves``: may joints become evidence?"""

    ledger: Ledger
    encoder: Encoder
    tally: Tally
    now: Now
    announce: Callable[[], None]
    permits: Permits | None = None
    proves: bool = True

    def left(self, job: Job, entry: JobEntry) -> list[ViewToJudge]:
        """What is not decided yet."""
        return views_of(job, self.ledger.decided(entry))

    def verdicts(
        self,
        job: Job,
        entry: JobEntry,
        verdicts: Sequence[Verdict],
        shown: Shown | None = None,
        *,
        unknown: bool = False,
    ) -> None:
        """In one durable commit. ``shown``: the view that they are of, and its pictures. ``unknown``: nobody knows what
        they should look like, so that no licence holds for them.
        """
        if verdicts:
            self.tally.drifts.note(job.job_id, [verdict.decision for verdict in verdicts])
            verdicts = [self._permitted(job, verdict, unknown=unknown) for verdict in verdicts]
            messages = [self.encoder.verdict(job, verdict, self.now()) for verdict in verdicts]
            self.ledger.record(entry, messages, shown)
            self.announce()
            self.tally.note_reasons(messages)
            self.tally.note(verdicts, job.board.type)  # once it is written down: what is tried again counts once

    def _permitted(self, job: Job, verdict: Verdict, *, unknown: bool) -> Verdict:
        """What is said of it where release must be earned, or its view be known."""
        if self.permits is None:
            return verdict.doubted(Reason.VIEW_UNFAMILIAR) if unknown else verdict
        joint = verdict.joint
        permit = self.permits.permit(job.board.type, joint.type, self.encoder.model_for(joint.type).digest)
        permit = NOTHING if unknown and permit.rule is not None else permit
        decision, sampled = ruled(verdict.decision, permit, draw(self.encoder.event_of(job.job_id, joint)))
        return replace(verdict, decision=decision, sampled=sampled and self.proves)

    def shown_before(self, entry: JobEntry, shown: Shown, days: float) -> str | None:
        """The id of a job that showed one of these pictures in the last ``days``."""
        since = self.now() - timedelta(days=days)
        return self.ledger.shown_before(entry, shown, since) if days and shown.fingerprints else None

    def give_up(self, job: Job, entry: JobEntry, left: Sequence[ViewToJudge], reason: Reason) -> None:
        """These joints go to the specialist unjudged."""
        joints = (joint for view in left for joint in view.joints)
        self.verdicts(job, entry, [Verdict(joint.named, unjudged(reason)) for joint in joints])

    def refused(self, job: RefusedJob, entry: JobEntry, claimed: ClaimedJob) -> None:
        """Every joint of a refused job goes to the specialist."""

        def verdict(joint: NamedJoint) -> VerdictMessage:
            return self.encoder.refused(job.job_id, job.serial, joint, claimed.content, self.now())

        self.ledger.record(entry, [verdict(joint) for joint in job.joints])
        self.announce()

    def close(
        self,
        entry: JobEntry,
        job_id: str,
        board: BoardRef,
        expected: int,
        duration_s: float,
        refusal: str | None = None,
        unread: str = "",
        max_unfamiliar_share: float = 1.0,
    ) -> None:
        """The job is decided; its summary, and an alarm where it was refused or looks strange, are queued in the same
        commit.

        ``unread``: why joints of a refused job may be missing.
        """
        reasons = self.ledger.reasons(entry)
        outcome = BoardOutcome(
            job_id=job_id,
            board=board,
            calls=list(self.ledger.decided(entry).values()),
            grades=self.ledger.grades(entry),
            expected=expected,
            refused=refusal is not None,
            duration_ms=1e3 * duration_s,
            unread=printable(unread),
            reasons=reasons,
        )
        messages = [self.encoder.board(outcome, self.now())]
        if refusal is not None:
            messages.append(self.encoder.alarm("job_refused", refusal, self.now()))
        strange, decided = reasons.get(Reason.UNFAMILIAR, 0), len(outcome.calls)
        too_strange = strange >= _A_FEW and strange > max_unfamiliar_share * decided
        if refusal is None:
            self.tally.drifts.close(job_id, board.type, decided)
        if self.permits is not None and refusal is None:
            self.permits.closed(board.type, strange=too_strange)
        if self.tally.begins("unfamiliar_board", board.type, on=too_strange):
            text = f"{printable(job_id)}: {strange} of {decided} joints look like none that the network knows"
            remedy = "compare the job's pictures with its boxes, polarity and exposure"
            messages.append(self.encoder.alarm("unfamiliar_board", f"{text}; {remedy}", self.now()))
        self.ledger.close_job(entry, messages, refused=outcome.refused, now=self.now())
        self.announce()

    def alarm(self, code: str, text: str, severity: Severity = "error") -> None:
        self.ledger.notify(self.encoder.alarm(code, printable(text), self.now(), severity))
        self.announce()
