"""An optical lot on disk: job folders of contract axi-job/1 as a camera station would leave them, and their truth.

``DIR/<job_id>/`` holds manifest.json and one PNG a view, slice index 0; ``DIR/truth.csv`` has one row a joint. The same
plan gives the same bytes on one kind of machine. Solder amounts are uniform in [0, 1] unless told otherwise. Of the
plan, ``defect_share``, ``difficulty`` and ``form`` mean nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.lots.graded_truth import GradedRow, graded_truth_writer
from convert.simulator.boards import BoardView, Machine, require_new, view_of, write_job
from convert.simulator.optical.board_type import OpticalType, optical_type
from convert.simulator.optical.experts import disputed, majority, votes_on
from convert.simulator.optical.view import OpticalView, simulate_optical_view
from convert.simulator.plan import LotPlan
from edge.core.job import Joint

Amounts = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""Solder amounts of so many joints."""

_STREAM = 0x0B71CA1
_MACHINE = Machine("simulated camera", "SO", "top", "solder_dark")


def uniform(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Solder amounts anywhere in [0, 1]."""
    return rng.random(count)


def simulate_optical_lot(out: Path, plan: LotPlan, amounts: Amounts = uniform) -> Iterator[int]:
    """Write a lot into the new or empty folder ``out``; yields the number of joints of each board that is done.

    Raises UsageError when the folder holds something already.
    """
    require_new(out)
    out.mkdir(parents=True, exist_ok=True)
    with graded_truth_writer(out) as write:
        for board in range(plan.boards):
            views = list(_board_views(plan, board, amounts))
            rows = write_job(out, plan, board, _kind_of(plan, board).name, _MACHINE, views)
            write(rows)
            yield len(rows)


def _kind_of(plan: LotPlan, board: int) -> OpticalType:
    return optical_type(plan.seed, plan.type_number(board))


def _board_views(plan: LotPlan, board: int, amounts: Amounts) -> Iterator[BoardView[GradedRow]]:
    """Simulate one board, row by row."""
    rng = np.random.default_rng([plan.seed, _STREAM, plan.first_type, board])
    kind, done, number = _kind_of(plan, board), 0, 0
    while done < plan.joints_on(board):
        count = min(plan.joints_on(board) - done, kind.leads)
        simulated = simulate_optical_view(kind, amounts(rng, count).tolist(), rng)
        yield _board_view(plan, board, number, done, simulated, rng)
        done, number = done + count, number + 1


def _board_view(
    plan: LotPlan, board: int, number: int, done: int, simulated: OpticalView, rng: np.random.Generator
) -> BoardView[GradedRow]:
    refdes, view = f"U{number + 1}", view_of(board, number, 1, _MACHINE.suffix)
    pins = range(done + 1, done + 1 + len(simulated.joints))
    joints = tuple(
        Joint(id=f"{refdes}.{pin}", refdes=refdes, pin=str(pin), type="SMT", view=view.id, roi=made.roi)
        for pin, made in zip(pins, simulated.joints, strict=True)
    )
    rows = tuple(
        _row(plan, board, joint.id, made.state.solder, rng)
        for joint, made in zip(joints, simulated.joints, strict=True)
    )
    return BoardView(view, (simulated.image,), joints, rows)


def _row(plan: LotPlan, board: int, joint: str, solder: float, rng: np.random.Generator) -> GradedRow:
    votes = votes_on(solder, rng)
    return GradedRow(
        job_id=plan.job_id(board),
        joint=joint,
        board_type=_kind_of(plan, board).name,
        grade=majority(votes),
        solder=round(solder, 4),
        votes=votes,
        disputed=int(disputed(solder)),
    )
