"""The journal in memory. The contract tests hold it to the same behaviour as the real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from edge.core.looks import Sight
from edge.core.wire import Message, VerdictMessage
from edge.inspection.ports import JobEntry, Shown
from edge.reporting.ports import Queued


class FakeLedger:
    """Ledger and outbox in memory."""

    def __init__(self) -> None:
        self._jobs: dict[str, tuple[int, str]] = {}
        self._states: dict[int, str] = {}
        self._tries: dict[int, int] = {}
        self._verdicts: dict[int, dict[str, tuple[str, str]]] = {}
        self._grades: dict[int, dict[str, str]] = {}
        self._reasons: dict[int, dict[str, str]] = {}
        self._outbox: dict[int, Message] = {}
        self._refusals: dict[int, int] = {}
        self._seq = 0
        self._shown: list[tuple[bytes, int, str]] = []
        self._opened: dict[int, datetime] = {}
        self.sights: list[tuple[int, str, Sight]] = []
        """(job's row, view, sight) of what may be learnt from."""
        self.sampled: set[str] = set()
        """Joints that are evidence once they are reviewed."""

    def open_job(self, content: str, job_id: str, expected: int, now: datetime) -> JobEntry:
        row = self._jobs.setdefault(content, (len(self._jobs) + 1, job_id))[0]
        self._states.setdefault(row, "open")
        self._opened.setdefault(row, now)
        clash = any(
            other == job_id and number != row and self._states[number] != "refused"
            for number, other in self._jobs.values()
        )
        self._tries[row] = self._tries.get(row, 0) + 1
        return JobEntry(row, closed=self._states[row] != "open", clash=clash, tries=self._tries[row])

    def leave_job(self, entry: JobEntry) -> None:
        self._tries[entry.row] = 0

    def decided(self, entry: JobEntry) -> dict[str, tuple[str, str]]:
        return dict(self._verdicts.get(entry.row, {}))

    def grades(self, entry: JobEntry) -> dict[str, int]:
        return dict(Counter(self._grades.get(entry.row, {}).values()))

    def reasons(self, entry: JobEntry) -> dict[str, int]:
        return dict(Counter(self._reasons.get(entry.row, {}).values()))

    def record(self, entry: JobEntry, verdicts: Sequence[VerdictMessage], shown: Shown | None = None) -> None:
        self._tries[entry.row] = 0
        if shown is not None:
            self._shown += [(fingerprint, entry.row, shown.view) for fingerprint in shown.fingerprints]
            if shown.sight is not None:
                self.sights.append((entry.row, shown.view, shown.sight))
        known = self._verdicts.setdefault(entry.row, {})
        for payload, message, _, sampled in verdicts:
            if payload.joint not in known:
                self.sampled |= {payload.joint} if sampled else set()
                known[payload.joint] = (payload.verdict.value, payload.route.value)
                if payload.reason:
                    self._reasons.setdefault(entry.row, {})[payload.joint] = payload.reason.value
                if payload.grade:
                    self._grades.setdefault(entry.row, {})[payload.joint] = payload.grade
                self._queue(message)

    def shown_before(self, entry: JobEntry, shown: Shown, since: datetime) -> str | None:
        ids = dict(self._jobs.values())
        for fingerprint, row, view in self._shown:
            new_enough = self._opened[row] >= since
            if fingerprint in shown.fingerprints and (row, view) != (entry.row, shown.view) and new_enough:
                return ids[row]
        return None

    def close_job(self, entry: JobEntry, messages: Sequence[Message], *, refused: bool, now: datetime) -> None:
        if self._states[entry.row] == "open":
            self._states[entry.row] = "refused" if refused else "decided"
            for message in messages:
                self._queue(message)

    def notify(self, message: Message) -> None:
        self._queue(message)

    def _queue(self, message: Message) -> None:
        self._seq += 1
        self._outbox[self._seq] = message

    def pending(self, limit: int) -> list[Queued]:
        order = sorted(self._outbox, key=lambda seq: (self._refusals.get(seq, 0), seq))
        return [Queued(seq, self._outbox[seq]) for seq in order[:limit]]

    def put_back(self, rows: Sequence[int]) -> None:
        for row in rows:
            self._refusals[row] = self._refusals.get(row, 0) + 1

    def mark_sent(self, rows: Sequence[int], now: datetime) -> None:
        for row in rows:
            del self._outbox[row]


class FakeReferences:
    """What is learnt of views, by board type and view, as a test has it."""

    def __init__(self, held: Mapping[tuple[str, str], Sequence[bytes]] | None = None, *, room: bool = True) -> None:
        self.room = room
        self._held: list[tuple[str, str, bytes]] = []
        for (board_type, view), references in (held or {}).items():
            for reference in references:
                self.add(board_type, view, reference)

    def add(self, board_type: str, view: str, reference: bytes) -> None:
        self._held.append((board_type, view, reference))

    def learnt(self, board_type: str) -> Mapping[str, Sequence[int]]:
        found: dict[str, list[int]] = {}
        for number, (kind, view, _) in reversed(list(enumerate(self._held))):
            if kind == board_type:
                found.setdefault(view, []).append(number)
        return found

    def reference(self, number: int) -> bytes:
        return self._held[number][2]

    def wanted(self, board_type: str, view: str) -> bool:
        return self.room
