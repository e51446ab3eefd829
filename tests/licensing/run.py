"""``make licence``: does what licences promise hold, on many simulated lines? Writes ``docs/licence.md``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from tests.licensing.line import Course, Simulated
from tests.licensing.page import drawn, page
from tests.licensing.world import STRONG, WEAK, BoardType, Network, a_type, points_of

PAGE = Path("docs/licence.md")
BOARDS, DRIFTS, DRIFTS_TO = 300, 150, 0.5
BLIND, RARE = 0.2, 0.03
LINES = {STRONG: 300, WEAK: 60}


class Kind(NamedTuple):
    """One of the board types of every line."""

    name: str
    changes: dict[str, float]


KINDS = (
    Kind("ordinary", {}),
    Kind("defects are rare", {"defects": RARE}),
    Kind("the network is bad at it", {"blind": BLIND}),
    Kind("drifts", {"drifts": DRIFTS, "drifts_to": DRIFTS_TO}),
)


def kinds_of(network: Network, number: int) -> list[BoardType]:
    rng = np.random.default_rng((5, number))
    return [a_type(network, rng, **kind.changes) for kind in KINDS]


def simulated(network: Network, number: int, boards: int) -> list[Course]:
    """All that became of one line's boards."""
    device = Simulated(number, kinds_of(network, number), points_of(network))
    for board in range(boards):
        device.step(board)
    return device.courses


def lines(network: Network, count: int, boards: int) -> list[list[Course]]:
    """As many as the computer has cores at a time."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(partial(simulated, network, boards=boards), range(count))
        return list(track(found, f"lines, network {network.name}", total=count))


def main(words: Sequence[str]) -> int:
    """``words``: how many lines of each network, for a look."""
    counts = {network: int(words[0]) if words else count for network, count in LINES.items()}
    results = {network: lines(network, count, BOARDS) for network, count in counts.items()}
    names = [kind.name for kind in KINDS]
    drawn(PAGE.parent, results, names)
    PAGE.write_text(page(results, names, drifts=DRIFTS, drifts_to=DRIFTS_TO, blind=BLIND, rare=RARE), "utf-8")
    print(PAGE.read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
