"""Is every joint accounted for? Spool, journal and, given a capture, what the broker delivered, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from edge.core.places import FINISHED, UNFINISHED, JobState
from edge.core.verdict import Call, Route
from edge.upkeep.ports import FoundJob, JobHeld


class Problem(Struct, frozen=True, kw_only=True):
    """A joint, or a job where ``joint`` is empty, that is not accounted for. ``code`` is stable."""

    code: str
    job_id: str
    joint: str
    text: str


class Account(Struct, frozen=True, kw_only=True):
    """How many joints are in which state; each is in exactly one of the first three."""

    waiting: int
    """In a job that lies in incoming or work, not yet decided."""
    queued: int
    """Decided; the message waits for the broker."""
    acknowledged: int
    """Decided, and the broker took the message."""
    jobs: int
    unreadable: int
    """Jobs in incoming or work that whoever audits may not read: how many joints they hold is not known."""
    delivered: int | None
    """Different event_ids in the capture; None without one."""
    problems: tuple[Problem, ...]


def audit(
    found: Sequence[FoundJob], held: Mapping[str, JobHeld], delivered: Iterable[Mapping[str, Any]] | None
) -> Account:
    """Reconcile. ``found``: every job in the spool; ``held``: content -> job, from the journal; ``delivered``: verdict
    payloads, from a capture that covers the whole time.
    """
    problems = [*_filed(found, held), *_journal(found, held)]
    events = None
    if delivered is not None:
        events, trouble = _by_event(delivered)
        problems += [*trouble, *_delivery(held, events)]
    verdicts = [verdict for job in held.values() for verdict in job.verdicts.values()]
    return Account(
        waiting=sum(1 for job, joint in _in_hand(found) if joint not in _decided(held, job.content)),
        queued=sum(not verdict.acknowledged for verdict in verdicts),
        acknowledged=sum(verdict.acknowledged for verdict in verdicts),
        jobs=len({*held, *(job.content for job in found)}),
        unreadable=_unreadable(found),
        delivered=None if events is None else len(events),
        problems=tuple(problems),
    )


def _unreadable(found: Sequence[FoundJob]) -> int:
    """Jobs in incoming or work into which whoever audits may not look: their joints are not counted."""
    return sum(job.place in UNFINISHED and not job.content for job in found)


def _in_hand(found: Sequence[FoundJob]) -> Iterator[tuple[FoundJob, str]]:
    for job in found:
        if job.place in UNFINISHED:
            yield from ((job, joint.id) for joint in job.found.joints)


def _decided(held: Mapping[str, JobHeld], content: str) -> Mapping[str, object]:
    return held[content].verdicts if content in held else {}


def _filed(found: Sequence[FoundJob], held: Mapping[str, JobHeld]) -> Iterator[Problem]:
    """Every joint of a job in done or rejected has a verdict, and the journal has closed the job."""
    for job in found:
        if job.place not in FINISHED:
            continue
        where, job_id = f"{job.place}/{job.name}", job.found.job_id or job.name
        entry = held.get(job.content)
        if entry is None:
            yield Problem(code="job_unknown", job_id=job_id, joint="", text=f"{where}: the journal does not know it")
        elif entry.state is JobState.OPEN:
            yield Problem(code="job_not_closed", job_id=job_id, joint="", text=f"{where}: not closed in the journal")
        if job.unread:
            text = f"{where}: {job.unread}; ask the machine for the board, then remove the folder"
            yield Problem(code="joints_unread", job_id=job_id, joint="", text=text)
        for joint in job.found.joints if entry is None or not entry.forgotten else ():
            if joint.id not in _decided(held, job.content):
                yield Problem(code="joint_lost", job_id=job_id, joint=joint.id, text=f"{where}: no verdict")


def _journal(found: Sequence[FoundJob], held: Mapping[str, JobHeld]) -> Iterator[Problem]:
    """What the journal holds agrees with itself, and its open jobs lie in the spool."""
    present = {job.content for job in found if job.place in UNFINISHED}
    for content, job in held.items():
        decided = len(job.verdicts)
        if job.state is JobState.OPEN and content not in present:
            text = f"{decided} of {job.expected} joints decided, but its folder is neither in incoming nor in work"
            yield Problem(code="job_vanished", job_id=job.job_id, joint="", text=text)
        if job.state is not JobState.OPEN and not job.forgotten and decided != job.expected:
            text = f"closed with {decided} of {job.expected} joints decided"
            yield Problem(code="job_incomplete", job_id=job.job_id, joint="", text=text)
        for joint, verdict in job.verdicts.items():
            if verdict.acknowledged == verdict.queued:
                text = "acknowledged and queued at once" if verdict.queued else "neither queued nor acknowledged"
                yield Problem(code="verdict_adrift", job_id=job.job_id, joint=joint, text=text)
            if (verdict.route == Route.RELEASE) != (verdict.verdict == Call.NORMAL):
                text = f"verdict {verdict.verdict} with route {verdict.route}"
                yield Problem(code="wrong_route", job_id=job.job_id, joint=joint, text=text)


Said = tuple[str, str, str, str]
"""job_id, joint, verdict, route."""


def _by_event(delivered: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Said], list[Problem]]:
    """What each event_id said; a repetition must say the same."""
    said: dict[str, set[Said]] = defaultdict(set)
    for payload in delivered:
        said[str(payload["event_id"])].add(
            (str(payload["job_id"]), str(payload["joint"]), str(payload["verdict"]), str(payload["route"]))
        )
    trouble = [
        Problem(code="event_contradicts", job_id=words[0][0], joint=words[0][1], text=f"{event} said different things")
        for event, words in ((event, sorted(words)) for event, words in said.items())
        if len(words) > 1
    ]
    return {event: min(words) for event, words in said.items()}, trouble


def _delivery(held: Mapping[str, JobHeld], events: Mapping[str, Said]) -> Iterator[Problem]:
    """What was acknowledged arrived, as decided; what arrived had been decided."""
    known = set()
    for job in held.values():
        for joint, verdict_held in job.verdicts.items():
            known.add(verdict_held.event_id)
            arrived = events.get(verdict_held.event_id)
            if arrived is None and verdict_held.acknowledged:
                text = f"{verdict_held.event_id} was acknowledged but is not in the capture"
                yield Problem(code="not_delivered", job_id=job.job_id, joint=joint, text=text)
            if arrived is not None and arrived != (job.job_id, joint, verdict_held.verdict, verdict_held.route):
                text = f"{verdict_held.event_id} arrived as {arrived}, decided was {verdict_held.verdict}"
                yield Problem(code="delivered_otherwise", job_id=job.job_id, joint=joint, text=text)
    for event, (job_id, joint, verdict, _) in events.items():
        if event not in known:
            text = f"{event} ({verdict}) arrived, but the journal does not hold it"
            yield Problem(code="not_in_journal", job_id=job_id, joint=joint, text=text)
