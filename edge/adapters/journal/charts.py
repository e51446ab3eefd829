"""The journal's control charts, a note for each board type: a restart must not make what drifts the usual."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edge.adapters.journal.connection import Connection
from edge.core.drift import Charts

log = logging.getLogger(__name__)

_PREFIX = "charts of "
_ALL = "SELECT substr(key, length(?) + 1), value FROM note WHERE key LIKE ? || '%'"
_NAMES = "SELECT substr(key, length(?) + 1) FROM note WHERE key LIKE ? || '%'"
_KEEP = "INSERT OR REPLACE INTO note VALUES (?, ?)"
_DROP = "DELETE FROM note WHERE key = ?"


class JournalCharts:
    """One connection to the journal; use it from one thread."""

    def __init__(self, path: Path) -> None:
        """Raises JournalError."""
        self._connection = Connection(path)
        self._db = self._connection.db

    def close(self) -> None:
        self._connection.close()

    def kept(self) -> dict[str, Charts]:
        """By board type. What another version wrote down otherwise begins anew."""
        with self._connection.reading():
            rows = self._db.execute(_ALL, (_PREFIX, _PREFIX)).fetchall()
        found = dict[str, Charts]()
        for board_type, said in rows:
            try:
                found[board_type] = msgspec.json.decode(said, type=Charts)
            except msgspec.DecodeError as error:
                log.warning("charts begin anew", extra={"board_type": board_type, "problem": str(error)})
        return found

    def names(self) -> set[str]:
        """Board types whose charts are kept."""
        with self._connection.reading():
            return {name for (name,) in self._db.execute(_NAMES, (_PREFIX, _PREFIX))}

    def keep(self, charts: Mapping[str, Charts | None]) -> None:
        """In one transaction; None drops what is kept."""
        with self._connection.transaction():
            for board_type, one in charts.items():
                if one is None:
                    self._db.execute(_DROP, (_PREFIX + board_type,))
                else:
                    self._db.execute(_KEEP, (_PREFIX + board_type, msgspec.json.encode(one).decode()))
