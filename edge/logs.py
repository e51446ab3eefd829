"""Log lines: one event a line, ``key=value`` fields, with the priority prefix journald understands."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PRIORITY = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
_one_at_a_time = threading.Lock()
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class EventFormatter(logging.Formatter):
    """``warning broker unavailable problem="..." retry_s=0.4``"""

    def __init__(self, *, journald: bool) -> None:
        super().__init__()
        self._journald = journald

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={_value(value)}" for key, value in vars(record).items() if key not in _STANDARD)
        prefix = f"<{_PRIORITY.get(record.levelname, 6)}>" if self._journald else f"{record.levelname.lower()} "
        line = f"{prefix}{record.getMessage()} {fields}".rstrip()
        line = line.replace("\n", "\\n")
        if record.exc_info:  # a traceback is read by people: a line each, of the same priority
            line += "".join(f"\n{prefix}  {each}" for each in self.formatException(record.exc_info).splitlines())
        return line


def set_up_logging(level: str) -> None:
    """Send everything to stderr; journald adds time and unit itself."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter(journald="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def level_in_force() -> str:
    """What ``set_up_logging`` was told, for a process that is to log alike."""
    return logging.getLevelName(logging.getLogger().level).lower()


@contextmanager
def without_lines(*beginnings: bytes) -> Iterator[None]:
    """Keep lines that libraries in C write straight to descriptor 2, and that begin so, from being seen; what else
    comes meanwhile is passed on."""
    with _one_at_a_time, tempfile.TemporaryFile() as captured:
        before = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            captured.seek(0)
            for line in captured:
                if not line.startswith(beginnings):
                    os.write(2, line)


def _value(value: object) -> str:
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if text and not set(text) & set(' "=\n') else json.dumps(text)
