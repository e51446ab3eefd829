"""The gate: a converted model ships only within its recipe's budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edge.core.errors import GateRefused


class Check(NamedTuple):
    """One line of the gate's table."""

    what: str
    measured: float
    budget: float

    @property
    def passed(self) -> bool:
        return self.measured <= self.budget  # False for NaN: what could not be measured does not pass


def require_passed(checks: Sequence[Check]) -> None:
    """Raises GateRefused naming every budget that is exceeded."""
    exceeded = [
        f"{check.what} is {check.measured:.4g}, budget {check.budget:.4g}" for check in checks if not check.passed
    ]
    if exceeded:
        raise GateRefused(
            "no bundle written: " + "; ".join(exceeded) + "; recalibrate on more joints, retrain, or widen the budget"
        )
