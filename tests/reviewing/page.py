"""What the station withstood, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.reviewing.day import ASKED, FLAGGED, WAITING, Took
from tests.reviewing.load import PAGES_PER_S, Paces
from tests.support.killing import Killed

PAGE = Path("docs/station.md")
_ASKED_MS = 200


def page(took: Sequence[Took], killed: Killed, pace: Paces) -> str:
    return f"""# What the review station withstands

By `make station`, on {_processor()}: a real station, a real broker
and a real device, all on one machine, with whoever asks for the pages.
[The station](guides/station.md), and [why it works like this](decisions/0030-the-review-station.md).

## A day of a line in its store

{_day(took)}

## Killed while somebody reviews

{_killed(killed)}

## Beside the daemon

{_beside(pace)}
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


def _beside(pace: Paces) -> str:
    return f"""Joints a second of the whole daemon, alternating: without a station, and with one
of which {PAGES_PER_S} pages a second are asked.

| | joints a second | mean |
|---|---|---|
| without | {_list(pace.without)} | {_mean(pace.without):.0f} |
| with | {_list(pace.beside)} | {_mean(pace.beside):.0f} |

Ratio **{pace.ratio:.2f}**; answered were {_list(pace.asked)} pages a second."""


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} cores of {names[0] if names else 'an unnamed processor'}"
