"""Alarms of the device, as they were heard: what is the case now, and what was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from edge.core.errors import AxiError
from edge.core.payloads import AlarmPayload
from edge.station.database import Database

OVER = "_over"
"""At the end of a code: what the code before it said is no longer so."""
MOMENTS = frozenset(
    {
        "activate_refused",
        "bundle_rolled_back",
        *("job_refused", "job_overdue", "fewer_slices", "runtime_hung", "runtime_crashed", "reviews_rejected"),
        *("reviews_set_aside", "slice_repeated", "view_unfamiliar", "unfamiliar_board", "licence_suspended"),
        *("reload_refused", "journal_rebuilt", "clock_jump", "reviews_ahead"),
    }
)
"""Alarms about one moment, of which no end is told."""
_MOST_HELD = 10_000


class NotAnAlarm(AxiError):
    """A message that is no alarm of ours."""


class Alarm(NamedTuple):
    """``over``: it no longer is so. ``time``: RFC 3339. ``about``: whose it is, where several may have the same."""

    time: str
    code: str
    severity: str
    text: str
    about: str = ""

    @property
    def over(self) -> bool:
        return self.code.endswith(OVER)

    @property
    def subject(self) -> str:
        return self.code.removesuffix(OVER)


def alarm_of(payload: bytes) -> Alarm:
    """Raises NotAnAlarm."""
    try:
        said = msgspec.json.decode(payload, type=AlarmPayload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise NotAnAlarm(f"no axi-alarm/1: {error}") from error
    about = "" if said.about is msgspec.UNSET else said.about
    return Alarm(said.time, said.code, said.severity, said.text, about)


class Alarms:
    """In the station's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hear(self, alarms: Sequence[Alarm]) -> None:
        """Each once, however often it comes."""
        if not alarms:
            return
        with self._database.transaction() as db:
            for alarm in alarms:
                enter = "INSERT OR IGNORE INTO alarms (time, code, severity, text) VALUES (?, ?, ?, ?)"
                if not db.execute(enter, alarm[:4]).rowcount:
                    continue
                db.execute("DELETE FROM raised WHERE code = ? AND about = ?", (alarm.subject, alarm.about))
                if not alarm.over and alarm.subject not in MOMENTS:
                    db.execute("INSERT INTO raised (time, code, severity, text, about) VALUES (?, ?, ?, ?, ?)", alarm)
            db.execute("DELETE FROM alarms WHERE number <= (SELECT MAX(number) FROM alarms) - ?", (_MOST_HELD,))

    def latest(self, most: int) -> list[Alarm]:
        """As they came, the last one first."""
        rows = self._database.rows(
            "SELECT time, code, severity, text FROM alarms ORDER BY number DESC LIMIT ?", (most,)
        )
        return [Alarm(*row) for row in rows]

    def raised(self) -> list[Alarm]:
        """What is the case: of each lasting subject that is not over what was said of it last."""
        rows = self._database.rows("SELECT time, code, severity, text, about FROM raised ORDER BY code, about")
        return [Alarm(*row) for row in rows]
