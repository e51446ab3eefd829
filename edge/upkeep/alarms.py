"""Alarms: each trouble said once as it begins and once as it ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edge.core.clocks import Now
from edge.core.payloads import Raised, Severity
from edge.core.wire import Encoder, Message, timestamp

log = logging.getLogger(__name__)


class Alarms:
    """Says each trouble once as it begins (``code``) and once as it ends (``code_over``). Any thread may set one.

    ``about``: whose trouble it is, where several may have the same.
    """

    def __init__(self, encoder: Encoder, now: Now, publish: Callable[[Message], None]) -> None:
        self._encoder, self._now, self._publish = encoder, now, publish
        self._lock = threading.Lock()
        self._raised: dict[tuple[str, str], Raised] = {}

    def about(self, code: str) -> set[str]:
        """Whose trouble of this kind is on."""
        with self._lock:
            return {who for raised, who in self._raised if raised == code}

    def raised(self) -> list[Raised]:
        """All that is on, the longest first."""
        with self._lock:
            return list(self._raised.values())

    def set(self, code: str, text: str, *, on: bool, about: str = "") -> None:
        """The trouble is there, or it is not. Its beginning and its end are published in this order."""
        with self._lock:
            if on == ((code, about) in self._raised):
                return
            if on:
                self._raised[code, about] = Raised(code=code, about=about, text=text, since=timestamp(self._now()))
            else:
                del self._raised[code, about]
            log.log(logging.ERROR if on else logging.WARNING, "alarm", extra={"code": code, "on": on, "problem": text})
            severity: Severity = "error" if on else "warning"
            self._publish(self._encoder.alarm(code if on else f"{code}_over", text, self._now(), severity, about))

    def event(self, code: str, text: str) -> None:
        """Something that happened and is over."""
        log.warning("alarm", extra={"code": code, "problem": text})
        self._publish(self._encoder.alarm(code, text, self._now(), "warning"))
