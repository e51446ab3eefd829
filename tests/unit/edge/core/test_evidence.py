"""What reviews show of a share: right at every look together, not only at one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edge.core.evidence import Count, Watch, log_wager_below, shown_below, upper_bound

counts = st.integers(0, 2_000).flatmap(lambda total: st.builds(Count, st.integers(0, total), st.just(total)))
limits = st.floats(0.001, 0.5)


def ever_excluded(share: float, limit: float, alpha: float, trials: int) -> float:
    """The probability, summed over all courses, that ``limit`` is excluded at some look within so many trials."""
    alive, excluded = {0: 1.0}, 0.0
    for total in range(1, trials + 1):
        grown: dict[int, float] = {}
        for hits, mass in alive.items():
            grown[hits] = grown.get(hits, 0.0) + mass * (1 - share)
            grown[hits + 1] = grown.get(hits + 1, 0.0) + mass * share
        alive = {hits: mass for hits, mass in grown.items() if mass > 1e-15}
        for hits in sorted(alive):
            if not shown_below(Count(hits, total), limit, alpha):
                break  # nor with more of them
            excluded += alive.pop(hits)
    return excluded


@pytest.mark.parametrize(("limit", "alpha"), [(0.05, 0.05), (0.05, 0.2), (0.2, 0.05)])
def test_a_share_at_its_limit_or_above_is_excluded_no_more_often_than_promised_though_one_looks_every_time(
    limit: float, alpha: float
) -> None:
    at_limit = ever_excluded(limit, limit, alpha, 400)
    assert at_limit <= alpha
    assert at_limit > alpha / 4, "or more trials are asked for than need be"
    assert ever_excluded(1.5 * limit, limit, alpha, 400) < at_limit


def test_clean_trials_until_five_percent_are_excluded() -> None:
    """59 would do at one look that was fixed before (Clopper and Pearson); looking at every one costs some more."""
    assert not shown_below(Count(0, 58), 0.05, 0.05)
    needed = next(total for total in range(1, 200) if shown_below(Count(0, total), 0.05, 0.05))
    assert 59 < needed < 90


@given(counts, limits, st.floats(0.0, 0.4))
def test_more_hits_or_a_lower_limit_never_show_more(count: Count, limit: float, less: float) -> None:
    found = log_wager_below(count, limit)
    assert log_wager_below(count, limit * (1 - less)) <= found + 1e-9
    if count.misses:
        assert log_wager_below(Count(count.hits + 1, count.total), limit) <= found + 1e-9


@given(counts, st.sampled_from([0.01, 0.05, 0.2]))
def test_the_bound_lies_above_what_one_look_would_give(count: Count, alpha: float) -> None:
    bound = upper_bound(count, alpha)
    once = stats.beta.ppf(1 - alpha, count.hits + 1, count.misses) if count.misses else 1.0
    assert bound >= once - 1e-5
    if bound < 1.0:
        assert shown_below(count, bound, alpha)
        assert not shown_below(count, bound - 2e-6, alpha)


def test_without_trials_nothing_is_known() -> None:
    assert upper_bound(Count(0, 0), 0.05) == 1.0
    assert not shown_below(Count(0, 10**6), 0.0, 0.05)


@given(limits, st.lists(st.booleans(), max_size=60), st.floats(0.0, 1.0))
def test_while_the_share_stays_below_its_limit_no_wager_of_the_watch_gains_on_average(
    limit: float, course: list[bool], part: float
) -> None:
    watch, share = Watch(limit), part * limit
    for hit in course:
        watch = watch.after(hit=hit)
    on_average = [
        share * won + (1 - share) * lost
        for won, lost in zip(watch.after(hit=True).stakes, watch.after(hit=False).stakes, strict=True)
    ]
    assert all(mean <= max(1.0, stake) * (1 + 1e-9) for mean, stake in zip(on_average, watch.stakes, strict=True))


def test_a_share_that_rises_after_thousands_of_good_trials_is_noticed_soon() -> None:
    watch = Watch(0.05)
    for number in range(5_000):
        watch = watch.after(hit=number % 100 == 99)
    assert watch.level < 20
    needed = 0
    while watch.level < 20:
        needed += 1
        watch = watch.after(hit=needed % 3 == 0)
    assert needed < 20


def test_wagers_are_the_mean_of_what_each_would_have_won() -> None:
    """Against the product over a course of trials, wager by wager."""
    limit, course = 0.1, [False] * 9 + [True] + [False] * 20
    weights = [0.25, *[0.75 / 23] * 23]
    shares = [(step / 24) ** 2 * limit for step in range(24)]
    won = [math.prod(q / limit if hit else (1 - q) / (1 - limit) for hit in course) for q in shares]
    expected = sum(weight * value for weight, value in zip(weights, won, strict=True))
    assert math.exp(log_wager_below(Count(1, 30), limit)) == pytest.approx(expected)
