"""What the station withstood, as a page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from tests.reviewing.day import ASKED, FLAGGED, WAITING, Took
from tests.reviewing.load import BOARDS_PER_S, PAGES_PER_S, Pairs, Run
from tests.support.killing import Killed

PAGE = Path("docs/station.md")
_ASKED_MS = 200


def page(took: Sequence[Took], killed: Killed, full: Pairs, busy: Pairs) -> str:
    return f"""# What the review station withstands

By `make station`, on {_processor()}: a real station, a real broker
and a real device, all on one machine, with whoever asks for the pages.
[The station](guides/station.md), and [why it works like this](decisions/0030-the-review-station.md).

## A day of a line in its store

{_day(took)}

## Killed while somebody reviews

{_killed(killed)}

## Beside the daemon

Runs in alternation: without a station, and with one of which {PAGES_PER_S} pages a second are asked.
Latency: from the first byte read of a view to the verdict. The station gives way to the daemon, so fewer
pages may be answered.

A busy line, {BOARDS_PER_S} boards of 20 joints a second:

{_table(busy)}

As many as the device can, all boards at once; what the station and whoever asks it take, the device lacks:

{_table(full)}

Of joints a second that is a ratio of **{_ratio(full):.2f}**.
"""


def _day(took: Sequence[Took]) -> str:
    rows = "\n".join(f"| `{one.page}` | {one.median:.1f} | {one.late:.1f} |" for one in took)
    return f"""{FLAGGED:,} flagged joints, {WAITING:,} of them waiting; each page {ASKED} times, over HTTP.
Asked for: {_ASKED_MS} ms at the 95th percentile.

| page | median, ms | 95 of 100 within, ms |
|---|---|---|
{rows}"""


def _killed(killed: Killed) -> str:
    return f"""A robot reviews, and the station gets SIGKILL at {killed.kills} random instants.
Of {len(killed.saved):,} decisions that the robot was told are saved **{len(killed.lost)} are lost**.
On the broker are {len(killed.reviews):,} reviews, **{killed.doubled} of a joint that has one already**,
{len(killed.invented)} of a joint that nobody decided on. (Reviews beyond those told were on disk when the
station died before it could say so.)"""


def _table(pairs: Pairs) -> str:
    rows = "\n".join((_row("without", pairs.without), _row("with", pairs.beside)))
    head = "| station | joints a second | latency, median, ms | 99 of 100 within, ms | pages a second |"
    return f"{head}\n|---|---|---|---|---|\n{rows}"


def _row(name: str, runs: Sequence[Run]) -> str:
    shown = [", ".join(f"{value:.0f}" for value in column if value is not None) for column in zip(*runs, strict=True)]
    return f"| {name} | {' | '.join(shown)} |"


def _ratio(pairs: Pairs) -> float:
    with_it, without = (statistics.mean(run.joints_per_s for run in runs) for runs in (pairs.beside, pairs.without))
    return with_it / without


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} cores of {names[0] if names else 'an unnamed processor'}"
