"""The gate: a converted model ships only within its recipe's budgets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats

from edge.core.errors import GateRefused

CONFIDENCE = 0.95
CHECK_HEADINGS = ("check", "measured", "budget", "", "note")


class Check(NamedTuple):
    """One line of the gate's table. Without a ``budget`` it only informs. ``note``: how sure, or what it would take."""

    what: str
    measured: float
    budget: float | None
    note: str = ""

    @property
    def passed(self) -> bool:
        # False for NaN: what could not be measured does not pass.
        return self.budget is None or self.measured <= self.budget

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """As a table shows it; ``CHECK_HEADINGS`` head the columns."""
        budget = "-" if self.budget is None else f"{self.budget:.4f}"
        verdict = "-" if self.budget is None else "ok" if self.passed else "EXCEEDED"
        return self.what, f"{self.measured:.4f}", budget, verdict, self.note


def escape_check(what: str, escaped: int, defects: int, budget: float | None) -> Check:
    """The one-sided 95 % upper bound of an escape rate: what the lot proves, not what it happened to show."""
    note = f"{escaped} of {defects} escaped"
    if budget is not None:
        note += f"; proving {budget:.3g} takes at least {defects_to_prove(budget)} defects"
    return Check(what, upper_bound(escaped, defects), budget, note)


def upper_bound(hits: int, total: int) -> float:
    """Clopper and Pearson's one-sided upper bound of a proportion; 1 where nothing was seen or all of it hit."""
    return float(stats.beta.ppf(CONFIDENCE, hits + 1, total - hits)) if hits < total else 1.0


def defects_to_prove(budget: float) -> int:
    """The fewest defects, none of them escaping, whose upper bound is within the budget."""
    if budget >= 1:
        return 0
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - budget)) if budget > 0 else 10**9


def require_passed(checks: Sequence[Check], hint: str = "") -> None:
    """Raises GateRefused naming every budget that is exceeded. ``hint``: where it may come from."""
    exceeded = [
        f"{check.what} is {check.measured:.4g}, budget {check.budget:.4g}" + (f" ({check.note})" if check.note else "")
        for check in checks
        if not check.passed
    ]
    if exceeded:
        remedy = "recalibrate on more joints, retrain, or widen the budget"
        raise GateRefused(
            "; ".join([f"no bundle written: {exceeded[0]}", *exceeded[1:], *([hint] * bool(hint)), remedy])
        )
