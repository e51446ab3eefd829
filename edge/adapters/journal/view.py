"""What the journal holds, for people and audits: read without disturbing the daemon."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.adapters.journal.connection import BUSY_TIMEOUT_S, failed
from edge.adapters.journal.store import FORGOTTEN
from edge.core.errors import JournalError
from edge.core.places import JobState
from edge.core.reference import known_of
from edge.feedback.ports import ReviewHeld
from edge.upkeep.ports import JobHeld, VerdictHeld

_WITH_REVIEWS, _WITH_LICENCES, _WITH_SIGHTS = 5, 7, 8
"""The first versions of the journal that keep reviews, licences, and sights of views."""
_VIEWS = (
    "WITH known AS (SELECT board_type, view, sum(known) AS known, sum(waiting) AS waiting, sum(reviewed) AS reviewed, "
    "max(learnt) AS learnt, max(number) AS number FROM ("
    "SELECT board_type, view, 1 AS known, 0 AS waiting, 0 AS reviewed, learnt, number FROM reference "
    "UNION ALL SELECT sight.board_type, view, 0, 1, EXISTS (SELECT 1 FROM review WHERE review.job_id = job.job_id), "
    "'', 0 FROM sight JOIN job ON job.row = sight.job) GROUP BY 1, 2) "
    "SELECT known.board_type, known.view, known, waiting, reviewed, known.learnt, held "
    "FROM known LEFT JOIN reference USING (number) ORDER BY 1, 2"
)


def held(path: Path) -> dict[str, JobHeld]:
    """Content -> job, all of one moment. Raises JournalError."""
    with _reading(path) as db:
        db.execute("BEGIN")
        if _version(db) == 0:
            return {}  # about to be made
        rows = db.execute("SELECT row, content, job_id, state, expected FROM job").fetchall()
        jobs = {
            row: (content, JobHeld(job_id, JobState(state), expected, {}, forgotten=expected == FORGOTTEN))
            for row, content, job_id, state, expected in rows
        }
        verdicts = db.execute(
            "SELECT job, joint, event_id, verdict, route, acknowledged IS NOT NULL, "
            "event_id IN (SELECT event_id FROM outbox WHERE event_id IS NOT NULL) FROM verdict"
        )
        for row, joint, event_id, verdict, route, acknowledged, queued in verdicts:
            jobs[row][1].verdicts[joint] = VerdictHeld(event_id, verdict, route, bool(acknowledged), bool(queued))
    return dict(jobs.values())


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection, which does not disturb the daemon. Raises JournalError."""
    if not path.exists():
        raise JournalError(f"{path}: no journal; the daemon has not run with this configuration yet")
    try:
        with closing(
            sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
            )
        ) as db:
            yield db
    except sqlite3.DatabaseError as error:
        raise failed(path, error) from error


def reviews(path: Path, *, aside: bool = False) -> list[ReviewHeld]:
    """Every review, as they came; with ``aside`` those that belong to no joint here. Raises JournalError."""
    columns = ", ".join(ReviewHeld.__struct_fields__)
    asked = f"SELECT {columns} FROM review {'WHERE event_id IS NULL ' if aside else ''}ORDER BY rowid"  # noqa: S608
    with _reading(path) as db:
        if _version(db) < _WITH_REVIEWS:
            return []  # of a daemon that was not started since the update
        if _version(db) < _WITH_LICENCES:
            asked = asked.replace("settled", "0 AS settled")
        rows = db.execute(asked).fetchall()
    names = ReviewHeld.__struct_fields__
    return [msgspec.convert(dict(zip(names, row, strict=True)), ReviewHeld, strict=False) for row in rows]


def licences(path: Path) -> list[bytes]:
    """What was said of each licence last, by board type. Raises JournalError."""
    with _reading(path) as db:
        if _version(db) < _WITH_LICENCES:
            return []
        return [said for (said,) in db.execute("SELECT said FROM licence ORDER BY board_type, joint_type, digest")]


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


class ViewState(NamedTuple):
    """``references``: how many are held, the newest ``learnt`` then from ``boards``, with the mistakes that it
    ``missed`` (0: it cannot be read); ``waiting``: sights to learn from, some ``reviewed``.
    """

    board_type: str
    view: str
    references: int
    waiting: int
    reviewed: int
    learnt: str
    boards: int
    missed: tuple[str, ...]


def views(path: Path) -> list[ViewState]:
    """Every view that something is known of, or may be. Raises JournalError."""
    with _reading(path) as db:
        if _version(db) < _WITH_SIGHTS:
            return []
        rows = db.execute(_VIEWS).fetchall()
    found = []
    for board_type, view, references, waiting, reviewed, learnt, newest in rows:
        known = known_of(newest) if newest else None
        boards, missed = (known.reference.boards, known.reference.missed) if known else (0, ())
        found.append(ViewState(board_type, view, references, waiting, reviewed, learnt, boards, missed))
    return found


class Decided(NamedTuple):
    """A joint's verdict; ``acknowledged``: by the broker. ``reason``: empty for none."""

    joint: str
    verdict: str
    route: str
    reason: str
    acknowledged: bool


def decided_of(path: Path, job_id: str) -> list[Decided]:
    """What is decided of a job's joints, in that order. Raises JournalError."""
    asked = (
        "SELECT joint, verdict, route, coalesce(reason, ''), acknowledged IS NOT NULL FROM verdict "
        "JOIN job ON job.row = verdict.job WHERE job.job_id = ? ORDER BY verdict.rowid"
    )
    with _reading(path) as db:
        rows = db.execute(asked, (job_id,)).fetchall() if _version(db) else []
    return [Decided(*row) for row in rows]


class Totals(NamedTuple):
    """What the journal holds, for people."""

    jobs: dict[str, int]
    verdicts: dict[str, int]
    unsent: int
    last_decided: str | None
    licences: dict[str, int]


def totals(path: Path) -> Totals:
    """Count without disturbing the daemon. Raises JournalError."""
    with _reading(path) as db:
        jobs = dict(db.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall())
        verdicts = dict(db.execute("SELECT verdict, count(*) FROM verdict GROUP BY verdict").fetchall())
        (unsent,) = db.execute("SELECT count(*) FROM outbox").fetchone()
        licences: dict[str, int] = {}
        if _version(db) >= _WITH_LICENCES:
            states = "SELECT json_extract(CAST(said AS TEXT), '$.state'), count(*) FROM licence GROUP BY 1"
            licences = dict(db.execute(states).fetchall())
        (last,) = db.execute("SELECT max(decided) FROM verdict").fetchone()
    return Totals(jobs, verdicts, unsent, last, licences)
