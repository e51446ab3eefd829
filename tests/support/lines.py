"""A line's jobs, and what is heard of them."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.mosquitto import Subscriber


def jobs_of(lot: Path) -> list[Path]:
    return sorted(path for path in lot.iterdir() if path.is_dir())


def verdicts(subscriber: Subscriber) -> list[dict[str, object]]:
    return subscriber.payloads("/verdict/")


def boards(n: int) -> object:
    return lambda subscriber: len(subscriber.payloads("/board/")) >= n


def wait_until(condition: object, seconds: float = 60) -> None:
    """For what only the file system shows."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def alarms(subscriber: Subscriber) -> list[str]:
    """The codes of those that came."""
    return [alarm["code"] for alarm in subscriber.payloads("/alarm")]
