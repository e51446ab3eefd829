"""Control charts of what X-rays show: how often they are wrong is known, and they see what moves."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from edge.core.drift import BOARDS_A_FALSE_ALARM, LIMIT, SLACK, Board, Chart, Charts, board_of
from edge.core.verdict import Call, Decision, Reason, unjudged

LINES, BOARDS = 600, 20_000


def run(figures: np.ndarray) -> list[Chart]:
    chart, seen = Chart(), []
    for figure in figures.tolist():
        chart = chart.after(figure)
        seen.append(chart)
    return seen


def test_three_charts_that_have_nothing_to_say_say_something_less_often_than_stated() -> None:
    """Ranks alone matter, so this holds for figures of any kind: 600 lines of up to 20,000 boards each."""
    rng = np.random.default_rng(7)
    high, low, watched, wrong = np.zeros(LINES), np.zeros(LINES), 0, 0
    for boards in range(1, BOARDS + 1):
        z = ndtri((rng.integers(1, boards + 1, len(high)) - 0.5) / boards)
        high, low = np.maximum(0, high + z - SLACK), np.maximum(0, low - z - SLACK)
        quiet = np.maximum(high, low) <= LIMIT
        watched, wrong = watched + len(high), wrong + int((~quiet).sum())
        high, low = high[quiet], low[quiet]
    assert wrong > 20, "or nothing is measured"
    assert watched / wrong / 3 > BOARDS_A_FALSE_ALARM


def test_the_chart_is_the_sum_of_ranks_that_was_measured() -> None:
    figures = np.random.default_rng(3).permutation(40) / 40 + 0.0125  # far enough apart to be told apart
    ranks = [1 + int((figures[:n] < figures[n]).sum()) for n in range(len(figures))]
    high = low = 0.0
    for n, (rank, chart) in enumerate(zip(ranks, run(figures), strict=True), 1):
        z = float(ndtri((rank - 0.5) / n))
        high, low = max(0.0, high + z - SLACK), max(0.0, low - z - SLACK)
        assert (chart.high, chart.low) == (pytest.approx(high), pytest.approx(low))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5])
def test_figures_that_are_mostly_alike_raise_no_more_alarms(share: float) -> None:
    """As the unjudged share is: 0 on nearly every board."""
    rng = np.random.default_rng(11)
    assert not any(chart.drifting for chart in run(np.where(rng.random(3_000) < share, rng.random(3_000), 0.0)))


@pytest.mark.parametrize(("scatters", "most"), [(1.0, 60), (2.0, 25), (-1.0, 60)])
def test_what_moves_is_seen_soon_and_is_over_when_it_moved_back(scatters: float, most: int) -> None:
    rng = np.random.default_rng(5)
    usual = 0.3 + 0.05 * rng.standard_normal(300)
    moved = 0.3 + 0.05 * (rng.standard_normal(100) + scatters)
    back = 0.3 + 0.05 * rng.standard_normal(150)
    charts = run(np.clip(np.concatenate([usual, moved, back]), 0, 1))
    drifting = [chart.drifting for chart in charts]
    assert not any(drifting[:300])
    assert drifting.index(True) < 300 + most
    assert (charts[399].moved > 0) == (scatters > 0)
    assert charts[399].lately == pytest.approx(0.3 + 0.05 * scatters, abs=0.03)
    assert not drifting[-1]
    assert sum(one != after for one, after in pairwise(drifting)) == 2, "said once each"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_whatever_comes_is_counted_once_and_survives_being_written_down(figures: list[float]) -> None:
    chart = run(np.array(figures))[-1]
    assert sum(chart.counts) == chart.boards == len(figures)
    assert chart.usual == pytest.approx(np.mean(figures), abs=1e-9)
    assert 0 <= chart.high <= 1.25 * LIMIT
    charts = Charts(judged_by="x", normal=chart)
    assert msgspec.json.decode(msgspec.json.encode(charts), type=Charts) == charts


def test_a_chart_of_other_bins_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="counts: 2 instead of"):
        msgspec.json.decode(b'{"counts": [1, 2]}', type=Chart)


def test_a_board_is_what_the_network_says_of_it_and_not_the_clock() -> None:
    good, bad = Decision(Call.NORMAL, p_defect=0.1), Decision(Call.DEFECT, p_defect=0.9)
    strange = Decision(Call.NORMAL, p_defect=0.2).doubted(Reason.UNFAMILIAR)
    late = [unjudged(reason) for reason in (Reason.OVERLOAD, Reason.TIMEOUT, Reason.RUNTIME_CRASHED)]
    assert board_of([good, bad, strange, unjudged(Reason.SLICE_BLANK), *late]) == Board(0.25, 0.5, 0.2)
    assert board_of(late) == Board()
    assert board_of([unjudged(Reason.SLICE_BLANK)]) == Board(0.0, 1.0, None)
    graded = Decision(Call.NORMAL, quality_index=0.5, grade="good")
    assert board_of([graded]) == Board(1.0, 0.0, None)
    charts = Charts().after(Board(0.5, 0.5, None)).after(Board())
    assert (charts.normal.boards, charts.unjudged.boards, charts.p_defect.boards) == (1, 1, 0)
