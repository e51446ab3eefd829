"""The gate's arithmetic: what so many defects prove."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from convert.conversion.gate import Check, defects_to_prove, escape_check, require_passed, upper_bound
from edge.core.errors import GateRefused


@given(st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_bound_is_where_so_few_escapes_would_be_a_five_percent_surprise(case: tuple[int, int]) -> None:
    hits, total = case
    bound = upper_bound(hits, total)
    assert bound >= hits / total
    if hits < total:
        assert stats.binom.cdf(hits, total, bound) == pytest.approx(0.05, abs=1e-6)


@given(st.floats(0.001, 0.9))
def test_the_named_number_of_defects_is_the_smallest_that_proves_it(budget: float) -> None:
    enough = defects_to_prove(budget)
    assert upper_bound(0, enough) <= budget * (1 + 1e-9)
    if enough > 1:
        assert upper_bound(0, enough - 1) > budget * (1 - 1e-9)


def test_known_values() -> None:
    assert upper_bound(0, 59) == pytest.approx(0.0495, abs=1e-4)
    assert defects_to_prove(0.05) == 59
    assert defects_to_prove(1.0) == 0


def test_too_few_defects_do_not_pass_however_good_they_look() -> None:
    check = escape_check("escape rate", 0, 20, 0.05)
    assert not check.passed
    with pytest.raises(GateRefused, match="takes at least 59 defects"):
        require_passed([check])
    assert escape_check("escape rate", 0, 59, 0.05).passed


def test_what_could_not_be_measured_does_not_pass_and_what_has_no_budget_only_informs() -> None:
    assert not Check("AUROC drop", math.nan, 0.005).passed
    assert Check("escape rate", 0.9, None).passed
    require_passed([Check("escape rate", 0.9, None), Check("AUROC drop", 0.005, 0.005)])
