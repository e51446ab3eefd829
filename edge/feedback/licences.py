"""Licences, kept: from what reviews prove to what inspection may release, and to what everyone is told."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from edge.core.clocks import Now
from edge.core.evidence import Count
from edge.core.job import printable
from edge.core.licence import NOTHING, Act, Deed, Permit, Standing, State, Terms
from edge.core.payloads import LicencePayload, ModelRef, Policy
from edge.core.rules import OperatingPoint, Rule
from edge.core.wire import Encoder, Message, timestamp
from edge.feedback.evidence import Evidence
from edge.feedback.ports import ActHeld, Answered, Key, LicenceBook, LicenceSaid, Marks

log = logging.getLogger(__name__)

SUSPENDED = "licence_suspended"
_OLD = timedelta(days=2)
"""For so long reviews may take."""
_ENOUGH, _HALF = 0.8, 0.5
"""Of a board that anybody has reviewed, most drawn joints must be, or those that are were chosen; of older ones half,
or nobody keeps the proof alive."""
_FEW = 20
"""Fewer joints say nothing of how many are reviewed."""
_COUNTED_EVERY = timedelta(minutes=1)
_STRANGE = 3
"""Boards in succession that look strange, until what was proved of their type is in doubt."""
_MOST_SEEN = 5_000
_STALE = timedelta(minutes=10)
"""For longer nobody has looked at the reviews: what may be released is not known any more."""


class Release(NamedTuple):
    """What joints are released on. ``rules``: of each bundle in use, by digest, the strictest first."""

    policy: Policy
    terms: Terms
    audit_share: float
    rules: Mapping[str, Sequence[Rule]]
    models: Mapping[str, ModelRef]


class Licences:
    """``step`` now and then, from one thread; ``permit`` and ``closed`` from any.

    Until the first step, and for whatever is not known, nothing is released.
    """

    def __init__(
        self,
        book: LicenceBook,
        marks: Marks,
        release: Callable[[], Release],
        encoder: Callable[[], Encoder],
        now: Now,
        announce: Callable[[], None],
    ) -> None:
        self._book, self._marks = book, marks
        self._release, self._encoder, self._now, self._announce = release, encoder, now, announce
        self._permits: Mapping[Key, Permit] = {}
        self._seen: set[Key] = set()
        self._strange: Counter[str] = Counter()
        self._doubted: list[str] = []
        self._lock = threading.Lock()
        self._in_force: Release | None = None
        self._evidence: Evidence | None = None
        self._answered: Mapping[Key, Answered] = {}
        self._counted = self._told = self._looked = datetime.min.replace(tzinfo=now().tzinfo)
        self._weighed: tuple[Sequence[ActHeld], Collection[Key]] = (), ()
        self._said: dict[Key, LicencePayload] | None = None
        self._placed: int | None = None

    # --- what inspection asks ---

    def permit(self, board_type: str, joint_type: str, digest: str) -> Permit:
        """What joints like this may be released by. A board without a type can earn nothing."""
        key = Key(board_type, joint_type, digest)
        found = self._permits.get(key)
        if found is None:
            if board_type and len(self._seen) < _MOST_SEEN:
                self._seen.add(key)
            return NOTHING
        return found if abs(self._now() - self._looked) <= _STALE else NOTHING

    def closed(self, board_type: str, *, strange: bool) -> None:
        """A board is inspected. When several in succession look like nothing that the network knows, what was proved
        of their type is proved anew.
        """
        with self._lock:
            self._strange[board_type] = self._strange[board_type] + 1 if strange else 0
            if self._strange[board_type] >= _STRANGE:
                self._strange[board_type] = 0
                self._doubted.append(board_type)
            if not self._strange[board_type]:
                del self._strange[board_type]

    # --- what feedback does ---

    def step(self) -> None:
        """Take what was reviewed and done since, and say what has changed. Raises JournalError or OSError; what may be
        released is then as it was, for some minutes.
        """
        release, now = self._release(), self._now()
        if self._placed is None:
            self._placed = self._newest(now)
        if release != self._in_force or self._evidence is None:
            self._permits, self._weighed = {}, ((), ())
            self._book.keep(release.rules)
            self._in_force, self._evidence = release, Evidence(release.terms, release.rules)
        if release.policy == "card":
            return
        self._enter_doubts(now)
        news = self._hear(self._evidence, release)
        if news:
            self._note_placed()
        due = abs(now - self._counted) >= _COUNTED_EVERY
        acts, seen = self._book.acts(), self._seen.copy()
        if not (news or due) and (acts, seen) == self._weighed:
            self._looked = now
            return
        if news or due:
            self._answered, self._counted = self._book.answered(now - _OLD), now
        standings = self._standings(self._evidence, release, acts, seen)
        self._permits = {
            key: Permit(standing.rule, release.audit_share)
            for key, standing in standings.items()
            if release.policy == "licensed"
        }
        self._looked, self._weighed = now, (acts, seen)
        self._say(standings, release, now)

    def _newest(self, now: datetime) -> int:
        """How many reviews the journal holds. Where it held more once, or nobody noted how many, it was put back from a
        backup, and reviews that spoke against a licence may be lost.
        """
        placed, marked = self._book.placed(), self._marks.marked()
        older = placed < marked if marked is not None else bool(self._book.said())
        if older:
            act = Act(
                Deed.RESTART, "axi-edge", "the journal is older than reviews that were here: put back from a backup"
            )
            self._book.enter([ActHeld("", None, None, act)], now)
        self._marks.mark(placed)
        return placed

    def _note_placed(self) -> None:
        placed = self._book.placed()
        if placed != self._placed:
            self._marks.mark(placed)
            self._placed = placed

    def _enter_doubts(self, now: datetime) -> None:
        with self._lock:
            doubted, self._doubted = self._doubted, []
        released = {key.board_type for key, permit in self._permits.items() if permit.rule is not None}
        doubted = sorted(released.intersection(doubted))
        if not doubted:
            return
        try:
            reason = f"{_STRANGE} boards in succession look like nothing that the network knows"
            act = Act(Deed.RESTART, "axi-edge", reason)
            self._book.enter([ActHeld(board_type, None, None, act) for board_type in doubted], now)
        except BaseException:
            with self._lock:
                self._doubted += doubted  # another time
            raise

    def _hear(self, evidence: Evidence, release: Release) -> bool:
        """Is there news?"""
        before = evidence.heard
        while spoken := self._book.spoken(evidence.heard, list(release.rules)):
            evidence.take(spoken)
        return evidence.heard > before

    def _standings(
        self, evidence: Evidence, release: Release, acts: Sequence[ActHeld], seen: Collection[Key]
    ) -> dict[Key, Standing]:
        named = {
            Key(held.board_type, held.joint_type, held.digest)
            for held in acts
            if held.board_type and held.joint_type and held.digest
        }
        keys = [key for key in {*evidence.lines, *seen, *named} if key.digest in release.rules]
        found = {}
        for key in sorted(keys):
            mine = [held for held in acts if held.concerns(key)]
            course = evidence.line(key).course(mine)
            found[key] = _as_answered(course.standing(), self._answered.get(key, Answered()))
        return found

    # --- what everyone is told ---

    def _say(self, standings: Mapping[Key, Standing], release: Release, now: datetime) -> None:
        """What changed, at once; figures alone once a minute. At first all, whatever the broker has kept."""
        first = self._said is None
        if self._said is None:
            self._said = _readable(self._book.said())
        figures_due = abs(now - self._told) >= _COUNTED_EVERY
        encoder, said, alarms = self._encoder(), list[LicenceSaid](), list[Message]()
        for key, standing in standings.items():
            payload = _payload(encoder.device, key, standing, release, now)
            before = self._said.get(key)
            if before is not None and not first and _same(before, payload, figures=figures_due):
                continue
            if before is not None and (before.state, payload.state) == (State.LICENSED, State.SUSPENDED):
                text = f"board type {printable(key.board_type)}, {printable(key.joint_type)}: {payload.reason}"
                alarms.append(encoder.alarm(SUSPENDED, f"{text}; its joints go to the specialist", now))
            said.append(LicenceSaid(key, encoder.licence(payload)))
            self._said[key] = payload
            log.info("licence", extra={"state": payload.state.value, "about": key.board_type, "why": payload.reason})
        if figures_due:
            self._told = now
        if said:
            self._book.say(said, alarms)
            self._announce()


def _as_answered(standing: Standing, answered: Answered) -> Standing:
    """Nothing is released where reviews do not come, or only of some joints."""
    if _short(answered.begun, _ENOUGH):
        return _unproved(standing, answered.begun, "joints of reviewed boards")
    if standing.state is State.LICENSED and _short(answered.old, _HALF):
        return _unproved(standing, answered.old, f"joints of more than {_OLD.days} days ago")
    return standing


def _short(count: Count, share: float) -> bool:
    return count.total >= _FEW and count.hits < share * count.total


def _unproved(standing: Standing, count: Count, of: str) -> Standing:
    if standing.state is not State.LICENSED:
        return standing._replace(reason=standing.reason or _missing(count, of))
    return standing.rested(_missing(count, of))


def _missing(count: Count, of: str) -> str:
    return f"only {count.hits} of {count.total} drawn {of} are reviewed; review all that go to the specialist"


def _payload(device: str, key: Key, standing: Standing, release: Release, now: datetime) -> LicencePayload:
    rule = standing.rule
    held_back = release.policy == "advise" and rule is not None
    reason = standing.reason or None
    if held_back and rule is not None:
        reason = f"policy advise: nothing is released; {rule.name} is earned"
    return LicencePayload(
        device=device,
        time=timestamp(now),
        board_type=key.board_type,
        joint_type=key.joint_type,
        model=release.models[key.digest],
        state=State.LEARNING if held_back else standing.state,
        by=standing.by,
        operating_point=rule.name if rule else None,
        threshold=rule.threshold if isinstance(rule, OperatingPoint) else None,
        escape_bound=round(standing.escape_bound, 4),
        confidence=release.terms.confidence,
        target_escape=release.terms.target_escape,
        defects_sampled=standing.findings.escapes + standing.findings.caught,
        escapes=standing.findings.escapes,
        joints_reviewed=standing.reviewed,
        reviewers_miss=round(standing.misses, 4),
        audit_share=release.audit_share,
        policy=release.policy,
        reason=reason,
    )


def _same(before: LicencePayload, after: LicencePayload, *, figures: bool) -> bool:
    """But for the time; without ``figures`` also but for these."""
    if figures:
        return msgspec.structs.replace(before, time=after.time) == after
    what = ("state", "by", "operating_point", "policy", "model")
    return all(getattr(before, name) == getattr(after, name) for name in what)


def _readable(said: Mapping[Key, bytes]) -> dict[Key, LicencePayload]:
    """What an earlier version said in other words is said anew."""
    found = {}
    for key, raw in said.items():
        try:
            found[key] = msgspec.json.decode(raw, type=LicencePayload)
        except msgspec.DecodeError:
            log.info("licence of an earlier version said anew", extra={"about": key.board_type})
    return found
