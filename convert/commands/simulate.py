"""``axi-convert simulate`` and ``gallery``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from convert.commands import Commands
from convert.reference.plans import BUILD_LOTS, LOTS, OPTICAL_LOTS, WIDE_LOTS
from convert.reports.terminal import bar
from convert.simulator.difficulty import DIFFICULTIES
from convert.simulator.optical.lot import simulate_optical_lot
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.core.errors import UsageError

_REFERENCE = {**LOTS, **WIDE_LOTS, **BUILD_LOTS, **OPTICAL_LOTS}
_OF_X_RAY = ("defect_share", "difficulty", "form", "alike")
_DEFAULTS: dict[str, Any] = {"boards": 8, "joints": 160, "seed": 0, "types": 4}
_PLAN_OPTIONS = ("boards", "joints", "seed", "types", "first_type", "defect_share", "difficulty", "form", "alike")


def add_simulate(commands: Commands) -> None:
    simulate = commands.add_parser("simulate", help="an AXI lot as job folders, with truth.csv beside them")
    simulate.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new or empty folder")
    simulate.add_argument("--reference", choices=list(_REFERENCE), help="a lot of the reference models, which is fixed")
    simulate.add_argument("--optical", action="store_true", help="gull-wing joints under a camera, graded by experts")
    simulate.add_argument("--boards", type=int, help="job folders (default 8)")
    simulate.add_argument("--joints", type=int, help="joints in all, spread over the boards (default 160)")
    simulate.add_argument("--seed", type=int, help="default 0")
    simulate.add_argument("--types", type=int, help="board types, boards take turns (default 4)")
    simulate.add_argument("--first-type", type=int, help="number of the first board type (default 0)")
    simulate.add_argument("--defect-share", type=float, help="default 0.1525: 1 to 0.18, as in the paper")
    simulate.add_argument("--difficulty", choices=list(DIFFICULTIES), help="default hard")
    simulate.add_argument("--form", choices=["jobs", "patches"], help="job folders (default), or patches to train on")
    simulate.add_argument(
        "--alike", action="store_true", default=None, help="boards of a type from one drawing, as on a line"
    )
    simulate.set_defaults(action=_simulate)


def add_gallery(commands: Commands) -> None:
    gallery = commands.add_parser("gallery", help="simulated slices by class and by board type, with truth")
    gallery.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new or empty folder")
    gallery.set_defaults(action=_gallery)


def _simulate(arguments: argparse.Namespace) -> int:
    given = {name: getattr(arguments, name) for name in _PLAN_OPTIONS if getattr(arguments, name) is not None}
    if arguments.reference and given:
        option = next(iter(given)).replace("_", "-")
        raise UsageError(f"--{option}: --reference {arguments.reference} is fixed; leave one of the two out")
    optical = arguments.optical or arguments.reference in OPTICAL_LOTS
    mistaken = [name for name in _OF_X_RAY if name in given] if optical else []
    if mistaken:
        raise UsageError(f"--{mistaken[0].replace('_', '-')}: means nothing to an optical lot; leave it out")
    simulated = simulate_optical_lot if optical else simulate_lot
    plan = _REFERENCE[arguments.reference] if arguments.reference else LotPlan(**{**_DEFAULTS, **given})
    with bar(f"simulating {arguments.out.name}", plan.joints) as progress:
        for joints in simulated(arguments.out, plan):
            progress.advance(joints)
    return 0


def _gallery(arguments: argparse.Namespace) -> int:
    from convert.reports.optical_gallery import draw_optical_gallery
    from convert.reports.xray_gallery import draw_gallery

    if arguments.out.exists() and (not arguments.out.is_dir() or any(arguments.out.iterdir())):
        raise UsageError(f"{arguments.out}: holds something already; name a new or empty folder")
    for path in [*draw_gallery(arguments.out), *draw_optical_gallery(arguments.out)]:
        print(path)
    return 0
