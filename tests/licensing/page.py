"""What became of simulated lines, in tables and drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from convert.metrics.defects import rate
from convert.reports.style import INK, save
from edge.core.licence import State
from edge.core.rules import Rate
from tests.licensing.line import (
    AUDIT,
    FLAGGED,
    KNOWN_DEFECTS,
    KNOWN_GOOD,
    LATEST,
    NEVER,
    SETTLED,
    SETTLING,
    TERMS,
    TWICE,
    Course,
)
from tests.licensing.world import Network, Reviewer, a_type, points_of

Results = Mapping[Network, Sequence[Sequence[Course]]]
_ENOUGH = 100
"""Defects before a share of them is worth looking at."""


class Wrong(NamedTuple):
    """Of lines: those where a type was ever released at a true escape rate above the target."""

    steady: Rate
    any_kind: Rate
    realised: Rate


def _ever_above(course: Course) -> bool:
    return any(board.escape_rate > TERMS.target_escape for board in course.boards)


def _realised_above(courses: Sequence[Course]) -> bool:
    """Did the share of all its defects so far that were released ever exceed the target, of any of its types?"""
    for course in courses:
        defects = np.cumsum([board.defects for board in course.boards])
        escaped = np.cumsum([board.escaped for board in course.boards])
        enough = defects >= _ENOUGH
        if (escaped[enough] > TERMS.target_escape * defects[enough]).any():
            return True
    return False


def wrong(lines: Sequence[Sequence[Course]]) -> Wrong:
    steady = sum(any(_ever_above(course) for course in courses[:-1]) for courses in lines)
    any_kind = sum(any(_ever_above(course) for course in courses) for courses in lines)
    realised = sum(_realised_above(courses) for courses in lines)
    return Wrong(rate(steady, len(lines)), rate(any_kind, len(lines)), rate(realised, len(lines)))


def _in_words(found: Rate) -> str:
    return f"{found.hits} of {found.total}: {found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _first_release(course: Course) -> int | None:
    """Joints until the first board that could be released."""
    for number, board in enumerate(course.boards):
        if board.state is State.LICENSED:
            return number * FLAGGED
    return None


def _quartiles(values: Sequence[int]) -> str:
    if not values:
        return "none"
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"


def _kind_row(name: str, courses: Sequence[Course]) -> str:
    first = [joints for course in courses if (joints := _first_release(course)) is not None]
    defects = sum(board.defects for course in courses for board in course.boards)
    escaped = sum(board.escaped for course in courses for board in course.boards)
    last = [board for course in courses for board in course.boards[-100:]]
    saved = sum(board.released for board in last) / (FLAGGED * len(last))
    return (
        f"| {name} | {len(first)} of {len(courses)} | {_quartiles(first)} | {escaped / defects:.4f} "
        f"({escaped:,} of {defects:,}) | {saved:.3f} |"
    )


def _drift_row(courses: Sequence[Course]) -> str:
    """From where the true rate of what is released crosses the target to where nothing is released."""
    spans, escaped = [], []
    for course in courses:
        above = [number for number, board in enumerate(course.boards) if board.escape_rate > TERMS.target_escape]
        if above:
            spans.append(len(above))
            escaped.append(sum(course.boards[number].escaped for number in above))
    return (
        f"Of {len(courses)} types that drift, {len(spans)} were released at a true escape rate above the target for a "
        f"while: for {_quartiles(spans)} boards, in which {_quartiles(escaped)} defects were released (median and "
        "middle half)."
    )


class Compared(NamedTuple):
    """Work saved, of all joints, with as many escapes: by licences, and by one threshold for all types."""

    escapes: float
    licensed: float
    one_threshold: float


def compared(lines: Sequence[Sequence[Course]]) -> Compared:
    courses = [course for one in lines for course in one]
    defects = np.sum([course.defects_by_logit for course in courses], axis=0)
    good = np.sum([course.good_by_logit for course in courses], axis=0)
    escaped = sum(board.escaped for course in courses for board in course.boards)
    released = sum(board.released for course in courses for board in course.boards)
    total = int(defects.sum() + good.sum())
    below = int(np.searchsorted(np.cumsum(defects), escaped, side="right"))
    return Compared(escaped / int(defects.sum()), released / total, float((defects + good)[:below].sum()) / total)


def _points_rows(network: Network) -> list[str]:
    rng = np.random.default_rng(3)
    scores = [a_type(network, rng, defects=0.15).joints(rng, 5_000, 0) for _ in range(30)]
    rows = []
    for point in points_of(network):
        recalls = [float((p[defect] >= point.threshold).mean()) for defect, p in scores]
        false = float(np.mean([(p[~defect] >= point.threshold).mean() for defect, p in scores]))
        rows.append(f"| {network.name} | {point.name} | {np.mean(recalls):.3f} | {min(recalls):.3f} | {false:.4f} |")
    return rows


def page(results: Results, names: Sequence[str], *, drifts: int, drifts_to: float, blind: float, rare: float) -> str:
    types = (
        f"Types: *{names[0]}*; *{names[1]}*: {rare:.0%} of its flagged joints are defects, else 8 to 20 %; "
        f"*{names[2]}*: {blind:.0%} of its defects look like good joints; *{names[3]}*: from board {drifts} on, within "
        f"100 boards, the share of subtle defects rises to {drifts_to:.0%}."
    )
    text = [
        "# Do licences keep their promise?",
        "",
        *_introduction(results, len(names)),
        "",
        types,
        "",
        "| network | operating point | recall on 30 types | on the worst | false positive rate |",
        "|---|---|---|---|---|",
        *(row for network in results for row in _points_rows(network)),
    ]
    for network, lines in results.items():
        text += _section(network, lines, names)
    return "\n".join([*text, ""])


def _introduction(results: Results, types: int) -> list[str]:
    boards = len(next(iter(results.values()))[0][0].boards)
    counts = " and ".join(f"{len(lines)} with a network {network.name}" for network, lines in results.items())
    reviewer = Reviewer("r1")
    lines = (
        "Written by `make licence`. Lines are simulated: scores and reviews are drawn at random, the truth is known; "
        "what is released, drawn and counted is decided by the device's own code (`edge/core/licence.py`, "
        f"`edge/feedback/evidence.py`). {counts}; each line inspects {boards} boards of each of {types} types, "
        f"{FLAGGED} flagged joints a board, at the defaults: target {TERMS.target_escape}, confidence "
        f"{TERMS.confidence}, audit share {AUDIT}."
    )
    reviewers = (
        f"Two reviewers miss {reviewer.misses:.1%} of the defects ({reviewer.subtle_misses:.0%} of those that the "
        f"network scores below 0.5) and call {reviewer.alarms:.0%} of the good joints defects. Each was measured by "
        f"{KNOWN_DEFECTS} defects and {KNOWN_GOOD} good joints of known truth. Reviews come up to {LATEST} boards "
        f"late, {NEVER:.0%} never, {TWICE:.0%} twice; of claimed escapes {SETTLED:.0%} are looked at once more, every "
        f"{SETTLING} boards, by somebody who errs as often."
    )
    return [lines, "", reviewers]


def _section(network: Network, lines: Sequence[Sequence[Course]], names: Sequence[str]) -> list[str]:
    found, saved = wrong(lines), compared(lines)
    question = f"In how many of {len(lines)} lines was any type released at a true escape rate above the target"
    realised = f"in how many was, after {_ENOUGH} defects, ever more than the target of all a type's defects so far"
    beside = (
        f"Beside one threshold for all types that lets as many defects escape, {saved.escapes:.4f} of all: licences "
        f"released {saved.licensed:.4f} of all joints from the first board on, that threshold "
        f"{saved.one_threshold:.4f}."
    )
    return [
        "",
        f"## A network {network.name}",
        "",
        f"{question} (95 % interval)?",
        "",
        "| | lines |",
        "|---|---|",
        f"| of the types that do not drift | {_in_words(found.steady)} |",
        f"| of all types | {_in_words(found.any_kind)} |",
        f"| {realised} released | {_in_words(found.realised)} |",
        "",
        "| type | ever licensed | joints until then (middle half) | defects released | work saved, last 100 boards |",
        "|---|---|---|---|---|",
        *(_kind_row(name, [courses[number] for courses in lines]) for number, name in enumerate(names)),
        "",
        _drift_row([courses[-1] for courses in lines]),
        "",
        beside,
        "",
        f"![Share of joints released, by board](licence-{_slug(network)}.png)",
    ]


def _slug(network: Network) -> str:
    return "".join(letter for letter in network.name.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def drawn(folder: Path, results: Results, names: Sequence[str]) -> None:
    """What is released, by board, and the true escape rate of what may be."""
    for network, lines in results.items():
        figure, (above, below) = plt.subplots(2, 1, figsize=(7.2, 6.4), sharex=True)
        for number, (name, colour) in enumerate(zip(names, INK, strict=False)):
            courses = [courses[number] for courses in lines]
            above.plot(
                _smooth([[board.released / FLAGGED for board in c.boards] for c in courses]), color=colour, label=name
            )
            below.plot(_highest([[board.escape_rate for board in c.boards] for c in courses]), color=colour)
        below.axhline(TERMS.target_escape, color="#9aa5ab", lw=0.9, ls="--")
        above.set(ylabel="joints released, mean", ylim=(0, 1))
        below.set(xlabel="board", ylabel="true escape rate where released,\n95th of 100 lines")
        above.legend(frameon=False, fontsize=8)
        above.set_title(f"{len(lines)} lines, network {network.name}", fontsize=10)
        save(figure, folder / f"licence-{_slug(network)}.png")


def _smooth(shares: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    mean = np.mean(shares, axis=0)
    return np.convolve(np.pad(mean, 4, mode="edge"), np.ones(9) / 9, mode="valid")


def _highest(rates: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    return np.asarray(np.quantile(rates, 0.95, axis=0))
