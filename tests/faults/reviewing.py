"""A reviewer who reviews whatever the device has judged, and remembers what was handed over."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from edge.adapters.review_folder import drop
from edge.core.verdict import Call

Calls = Mapping[str, Mapping[str, str]]
"""What each job's joints are, by the device's own undisturbed word."""


class Reviewing:
    """Reviews as files in the spool. Only what could be dropped there was handed over."""

    def __init__(self, journal: Path, spool: Path, calls: Calls) -> None:
        self._journal, self._spool, self._calls = journal, spool, calls
        self._seen = 0
        self.handed_over: set[str] = set()
        self._tried: set[str] = set()
        self.settled: set[str] = set()

    def review(self, *, known: bool = False) -> None:
        """Every joint that was judged since, as it is; twice in one file, as some stations send them. ``known``: its
        truth was settled before.
        """
        judged = self._asked("SELECT verdict.rowid, event_id, job_id, joint FROM verdict JOIN job ON job.row = job")
        fresh = [(event, joint, self._decision(job, joint)) for row, event, job, joint in judged if row > self._seen]
        said = {str(uuid.uuid4()): (event, decision) for event, _, decision in fresh}
        lines = [json.dumps(_review(review_id, *what)) for review_id, what in said.items()] * 2
        if not lines:
            return
        self._tried |= said.keys()
        with suppress(OSError):  # no room: they are handed over with the next
            if known:
                rows = [f"{event},{joint},{decision},lab,2026-11-29T08:00:00Z" for event, joint, decision in fresh]
                table = "\n".join(["event_id,joint,decision,reviewer,time", *rows, ""])
                drop(self._spool, "lab.settled.csv", table.encode())
                self.settled |= {event for event, _, _ in fresh}
            drop(self._spool, "station.jsonl", "\n".join([*lines, ""]).encode())
            self.handed_over |= said.keys()
            self._seen = max(row for row, *_ in judged)

    def _decision(self, job: str, joint: str) -> str:
        return "defect" if self._calls.get(job, {}).get(joint) == Call.DEFECT else "false_call"

    def missing(self) -> set[str]:
        """What was handed over and does not count."""
        asked = "SELECT review_id, event_id, settled FROM review WHERE event_id IS NOT NULL"
        held = self._asked(asked)
        unsettled = self.settled - {event for _, event, settled in held if settled}
        return (self.handed_over - {review_id for review_id, _, _ in held}) | unsettled

    def beyond(self) -> int:
        """Reviews in the journal that nobody wrote, or that are there more than once."""
        held = [
            (str(review_id), settled) for review_id, settled in self._asked("SELECT review_id, settled FROM review")
        ]
        looks = [review_id for review_id, settled in held if not settled]
        truths = len(held) - len(looks)
        return len(looks) - len(self._tried.intersection(looks)) + max(0, truths - len(self.settled))

    def _asked(self, question: str) -> list[Any]:
        """Nothing while the journal cannot be asked."""
        try:
            with closing(sqlite3.connect(f"{self._journal.resolve().as_uri()}?mode=ro", uri=True)) as db:
                return db.execute(question).fetchall()
        except sqlite3.Error:
            return []


def _review(review_id: str, event_id: str, decision: str) -> dict[str, str]:
    return {
        "schema": "axi-review/1",
        "review_id": review_id,
        "time": "2026-11-29T08:20:11Z",
        "event_id": event_id,
        "decision": decision,
        "reviewer": "r1",
    }
