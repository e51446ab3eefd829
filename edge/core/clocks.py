"""The two clocks that everything else is told the time by, as types: nobody here reads one; and moments as text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]
"""Wall clock, time-zone aware."""
Monotonic = Callable[[], float]
"""Seconds since some moment; never steps back."""


def is_moment(text: str) -> bool:
    """Is it a date, or a date and a time, as ISO 8601 writes them?"""
    try:
        moment_of(text)
    except (ValueError, OverflowError):
        return False
    return True


def moment_of(text: str) -> datetime:
    """The moment, time-zone aware; UTC where it names no zone. Raises ValueError for none."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
