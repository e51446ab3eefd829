"""``axi-convert split``."""

from __future__ import annotations

import argparse
from pathlib import Path

from convert.commands import Commands
from convert.commands.apart import add_apart, add_colours, apart
from convert.reports.terminal import tell_each
from edge.core.preprocess import PreprocessSpec


def add_split(commands: Commands) -> None:
    split = commands.add_parser("split", help="a lot -> training, validation and held-out lots that share nothing")
    split.add_argument("lot", type=Path, metavar="LOT", help="job folders with truth.csv beside them")
    split.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder for the three")
    add_apart(split)
    add_colours(split)
    split.add_argument(
        "--shares", nargs=3, type=float, default=(0.6, 0.2, 0.2), metavar="SHARE", help="of each (default 0.6 0.2 0.2)"
    )
    split.add_argument("--seed", type=int, default=0, help="of the draw")
    split.set_defaults(action=_split)


def _split(arguments: argparse.Namespace) -> int:
    from convert.lots.parting import SHARES, part
    from convert.lots.reading import load_lot
    from convert.lots.splits import says_less

    lot = apart(load_lot(arguments.lot, PreprocessSpec(colours=arguments.colours)), arguments.by)
    tell_each((*lot.left_out, *says_less(lot)))
    parts = part(arguments.lot, lot, arguments.out, arguments.seed, dict(zip(SHARES, arguments.shares, strict=True)))
    for name, rows in parts.items():
        defects, boards = sum(row.label for row in rows), len({row.job_id for row in rows})
        print(f"{arguments.out / name}: {len(rows)} joints of {boards} jobs, {defects} of them defects")
    return 0
