"""Messages that wait under a base topic that is no longer configured."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from edge.adapters.journal.connection import Connection
from edge.core.wire import below_base


def address_anew(journal: Path, base: str) -> int:
    """They go to this base topic from now on; how many there were. Whoever corrected it could not send them any more.
    Raises JournalError.
    """
    with closing(Connection(journal)) as connection, connection.transaction():
        rows = connection.db.execute("SELECT seq, topic FROM outbox").fetchall()
        moved = [
            (f"{base}/{rest}", seq) for seq, topic in rows if (rest := below_base(topic)) and topic != f"{base}/{rest}"
        ]
        connection.db.executemany("UPDATE outbox SET topic = ?, refusals = 0 WHERE seq = ?", moved)
    return len(moved)
