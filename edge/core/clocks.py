"""The two clocks that everything else is told the time by, as types: nobody here reads one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Now = Callable[[], datetime]
"""Wall clock, time-zone aware."""
Monotonic = Callable[[], float]
"""Seconds since some moment; never steps back."""
