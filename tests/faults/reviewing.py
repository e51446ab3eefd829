"""A reviewer who reviews whatever the device has judged, and remembers what was handed over."""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing, suppress
from pathlib import Path

from edge.adapters.review_folder import drop


class Reviewing:
    """Reviews as files in the spool. Only what could be dropped there was handed over."""

    def __init__(self, journal: Path, spool: Path) -> None:
        self._journal, self._spool = journal, spool
        self._seen = 0
        self.handed_over: set[str] = set()
        self._tried: set[str] = set()

    def review(self) -> None:
        """Every joint that was judged since; twice in one file, as some stations send them."""
        fresh = [(row, event) for row, event in self._asked("SELECT rowid, event_id FROM verdict") if row > self._seen]
        said = {str(uuid.uuid4()): event for _, event in fresh}
        lines = [json.dumps(_review(review_id, event)) for review_id, event in said.items()] * 2
        if not lines:
            return
        self._tried |= said.keys()
        with suppress(OSError):  # no room: they are handed over with the next
            drop(self._spool, "station.jsonl", "\n".join([*lines, ""]).encode())
            self.handed_over |= said.keys()
            self._seen = max(row for row, _ in fresh)

    def missing(self) -> set[str]:
        """What was handed over and does not count."""
        asked = "SELECT review_id, event_id FROM review WHERE event_id IS NOT NULL"
        return self.handed_over - {review_id for review_id, _ in self._asked(asked)}

    def beyond(self) -> int:
        """Reviews in the journal that nobody wrote, or that are there more than once."""
        held = [str(review_id) for review_id, _ in self._asked("SELECT review_id, 1 FROM review")]
        return len(held) - len(self._tried.intersection(held))

    def _asked(self, question: str) -> list[tuple[int | str, str]]:
        """Nothing while the journal cannot be asked."""
        try:
            with closing(sqlite3.connect(f"{self._journal.resolve().as_uri()}?mode=ro", uri=True)) as db:
                return db.execute(question).fetchall()
        except sqlite3.Error:
            return []


def _review(review_id: str, event_id: str) -> dict[str, str]:
    return {
        "schema": "axi-review/1",
        "review_id": review_id,
        "time": "2026-11-29T08:20:11Z",
        "event_id": event_id,
        "decision": "false_call",
        "reviewer": "r1",
    }
