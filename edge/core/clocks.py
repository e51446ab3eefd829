"""The two clocks that everything else is told the time by, as types: nobody here reads one; and moments as text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Now = Callable[[], datetime]
"""Wall clock, time-zone aware."""
Monotonic = Callable[[], float]
"""Seconds since some moment; never steps back."""


def is_moment(text: str) -> bool:
    """Is it a date, or a date and a time, as ISO 8601 writes them?"""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
