"""Licences, kept: from what reviews prove to what inspection may release, and to what everyone is told."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from edge.core.clocks import Now
from edge.core.job import printable
from edge.core.licence import Act, Deed, Standing, State
from edge.core.payloads import LicencePayload
from edge.core.release import NOTHING, Permit
from edge.core.wire import Encoder, Message, timestamp
from edge.feedback.coverage import LATELY, OLD, as_answered
from edge.feedback.evidence import Evidence
from edge.feedback.ports import ActHeld, Answered, Key, LicenceBook, LicenceSaid, Mark, Marks
from edge.feedback.telling import Release, payload_of, readable, same, suspended

log = logging.getLogger(__name__)

SUSPENDED = "licence_suspended"
_COUNTED_EVERY = timedelta(minutes=1)
_STRANGE = 3
"""Boards in succession that look strange, until what was proved of their type is in doubt."""
_MOST_SEEN = 5_000
_STALE = timedelta(minutes=10)
"""For longer nobody has looked at the reviews: what may be released is not known any more."""


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
        self._said: dict[Key, LicencePayload] = {}
        self._all_said = False
        self._marked = False
        self._token: str | None = None
        self._proved: set[str] = set()
        """Board types that have been licensed, whether that rests or not."""

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
        if not self._marked:
            self._require_newest(now)
            self._said = self._said or readable(self._book.said())
        if release != self._in_force or self._evidence is None:
            self._permits, self._weighed = {}, ((), ())
            self._end(release, now)
            self._in_force, self._evidence = release, Evidence(release.terms, release.rules)
        if release.policy == "card":
            return
        self._enter_doubts(now)
        news = self._hear(self._evidence, release)
        due = abs(now - self._counted) >= _COUNTED_EVERY
        acts, seen = self._book.acts(), self._seen.copy()
        if news or acts != self._weighed[0]:
            self._mark(acts)
        if not (news or due) and (acts, seen) == self._weighed:
            self._looked = now
            return
        if news or due:
            relied_on = [name for name, reliance in self._evidence.relied_on.items() if reliance.enough]
            self._answered, self._counted = self._book.answered(now - LATELY, now - OLD, relied_on), now
        standings = self._standings(self._evidence, release, acts, seen)
        self._permits = {
            key: Permit(standing.rule, release.audit_share)
            for key, standing in standings.items()
            if release.policy == "licensed"
        }
        self._looked, self._weighed = now, (acts, seen)
        self._say(standings, release, now)

    def _require_newest(self, now: datetime) -> None:
        """A journal whose token is not the last one noted was put back from a backup, or is new: reviews that spoke
        against a licence may be lost, and so may be what people decided.
        """
        marked, tokens = self._marks.marked(), self._book.tokens()
        if marked is None or marked.token not in tokens:
            doubts = list[ActHeld]()
            if marked is not None or self._book.said():
                reason = "the journal is not the one that was here last: put back from a backup, or made anew"
                doubts.append(ActHeld("", None, None, Act(Deed.RESTART, "axi-edge", reason)))
            for one in marked.suspended if marked else ():
                doubts.append(ActHeld(one.board_type, one.joint_type, None, Act(Deed.SUSPEND, one.by, one.reason)))
            self._book.enter(doubts, now)
        else:
            self._token = tokens[0]  # as it is; what could not be noted the last time is noted now
        self._mark(self._book.acts())

    def _mark(self, acts: Sequence[ActHeld]) -> None:
        """The journal first: between the two, and until that can be written, the note has the token before."""
        self._marked = False
        if self._token is None:
            token = str(uuid.uuid4())
            self._book.renew(token)
            self._token = token
        self._marks.mark(Mark(self._token, suspended(acts)))
        self._token, self._marked = None, True

    def _end(self, release: Release, now: datetime) -> None:
        """Of what is no longer judged by these bundles, or by licences, that is said."""
        dropped = self._book.keep([] if release.policy == "card" else release.rules)
        encoder, said = self._encoder(), list[LicenceSaid]()
        for key, before in readable(dropped).items():
            why = "policy card: the card's word releases" if release.policy == "card" else "another bundle judges now"
            ended = msgspec.structs.replace(
                before,
                time=timestamp(now),
                state=State.LEARNING,
                operating_point=None,
                threshold=None,
                policy=release.policy,
                reason=why,
            )
            said.append(LicenceSaid(key, encoder.licence(ended)))
        if said:
            self._book.tell([one.message for one in said])
            self._announce()

    def _enter_doubts(self, now: datetime) -> None:
        with self._lock:
            doubted, self._doubted = self._doubted, []
        doubted = sorted(self._proved.intersection(doubted))
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
            if course.state is State.LICENSED:
                self._proved.add(key.board_type)
            said = self._said.get(key)
            licensed = said is not None and said.state is State.LICENSED
            found[key] = as_answered(course.standing(), self._answered.get(key, Answered()), licensed=licensed)
        return found

    # --- what everyone is told ---

    def _say(self, standings: Mapping[Key, Standing], release: Release, now: datetime) -> None:
        """What changed, at once; figures alone once a minute. At first all, whatever the broker has kept."""
        first, new = not self._all_said, dict[Key, LicencePayload]()
        figures_due = abs(now - self._told) >= _COUNTED_EVERY
        encoder, said, alarms = self._encoder(), list[LicenceSaid](), list[Message]()
        for key, standing in standings.items():
            payload = payload_of(encoder.device, key, standing, release, now)
            before = self._said.get(key)
            if before is not None and not first and same(before, payload, figures=figures_due):
                continue
            if before is not None and (before.state, payload.state) == (State.LICENSED, State.SUSPENDED):
                text = f"board type {printable(key.board_type)}, {printable(key.joint_type)}: {payload.reason}"
                alarms.append(encoder.alarm(SUSPENDED, f"{text}; its joints go to the specialist", now))
            said.append(LicenceSaid(key, encoder.licence(payload)))
            new[key] = payload
            log.info("licence", extra={"state": payload.state.value, "about": key.board_type, "why": payload.reason})
        if said:
            self._book.say(said, alarms)
            self._said |= new  # once it is written down
            self._announce()
        self._all_said = True
        if figures_due:
            self._told = now
