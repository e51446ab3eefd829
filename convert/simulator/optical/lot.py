"""An optical lot on disk: job folders of contract axi-job/1 as a camera station would leave them, and their truth.

``DIR/<job_id>/`` holds manifest.json and one PNG a view, slice index 0; ``DIR/truth.csv`` has one row a joint. The same
plan gives the same bytes on one kind of machine. Solder amounts are uniform in [0, 1] unless told otherwise. Of the
plan, ``defect_share``, ``difficulty`` and ``form`` mean nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.lots.graded_truth import GradedRow, graded_truth_writer
from convert.simulator.optical.board_type import OpticalType, optical_type
from convert.simulator.optical.experts import disputed, majority, votes_on
from convert.simulator.optical.optics import Image
from convert.simulator.optical.view import OpticalView, simulate_optical_view
from convert.simulator.plan import LotPlan
from edge.core.errors import UsageError
from edge.core.job import Board, ImageFormat, Job, Joint, SliceFile, Station, View, encode_manifest

Amounts = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""Solder amounts of so many joints."""

_EPOCH = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
_STREAM = 0x0B71CA1


class _BoardView(NamedTuple):
    """One view as the manifest, the file and the truth have it."""

    view: View
    image: Image
    joints: tuple[Joint, ...]
    rows: tuple[GradedRow, ...]


def uniform(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Solder amounts anywhere in [0, 1]."""
    return rng.random(count)


def simulate_optical_lot(out: Path, plan: LotPlan, amounts: Amounts = uniform) -> Iterator[int]:
    """Write a lot into the new or empty folder ``out``; yields the number of joints of each board that is done.

    Raises UsageError when the folder holds something already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: holds something already; name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    with graded_truth_writer(out) as write:
        for board in range(plan.boards):
            rows = _write_job(out, plan, board, amounts)
            write(rows)
            yield len(rows)


def _kind_of(plan: LotPlan, board: int) -> OpticalType:
    """Boards take turns in the plan's types."""
    return optical_type(plan.seed, plan.first_type + board % plan.types)


def _job_id_of(plan: LotPlan, board: int) -> str:
    return f"{plan.prefix}-{board:06d}"


def _write_job(out: Path, plan: LotPlan, board: int, amounts: Amounts) -> list[GradedRow]:
    """One board's job folder; the truth of its joints."""
    views = list(_board_views(plan, board, amounts))
    folder = out / _job_id_of(plan, board)
    folder.mkdir()
    for one in views:
        (folder / one.view.slices[0].file).write_bytes(_encoded(one.image))
    (folder / "manifest.json").write_bytes(encode_manifest(_job_of(plan, board, views)))
    return [row for one in views for row in one.rows]


def _board_views(plan: LotPlan, board: int, amounts: Amounts) -> Iterator[_BoardView]:
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
) -> _BoardView:
    view_id = f"{board % 1000:03d}{number:03d}"
    refdes = f"U{number + 1}"
    pins = range(done + 1, done + 1 + len(simulated.joints))
    joints = tuple(
        Joint(id=f"{refdes}.{pin}", refdes=refdes, pin=str(pin), type="SMT", view=view_id, roi=one.roi)
        for pin, one in zip(pins, simulated.joints, strict=True)
    )
    rows = tuple(
        _row(plan, board, joint.id, one.state.solder, rng) for joint, one in zip(joints, simulated.joints, strict=True)
    )
    view = View(id=view_id, slices=(SliceFile(index=0, file=f"{view_id}00.png"),))
    return _BoardView(view, simulated.image, joints, rows)


def _row(plan: LotPlan, board: int, joint: str, solder: float, rng: np.random.Generator) -> GradedRow:
    votes = votes_on(solder, rng)
    return GradedRow(
        job_id=_job_id_of(plan, board),
        joint=joint,
        board_type=_kind_of(plan, board).name,
        grade=majority(votes),
        solder=round(solder, 4),
        votes=votes,
        disputed=int(disputed(solder)),
    )


def _job_of(plan: LotPlan, board: int, views: list[_BoardView]) -> Job:
    return Job(
        schema="axi-job/1",
        job_id=_job_id_of(plan, board),
        created=(_EPOCH + timedelta(seconds=40 * board)).isoformat().replace("+00:00", "Z"),
        station=Station(name="simulated camera", vendor="axi-edge", software="1"),
        board=Board(serial=f"SO{plan.seed:02d}{board:05d}", type=_kind_of(plan, board).name, revision="A", side="top"),
        image=ImageFormat(polarity="solder_dark"),
        views=tuple(one.view for one in views),
        joints=tuple(joint for one in views for joint in one.joints),
    )


def _encoded(image: Image) -> bytes:
    done, content = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise RuntimeError("the image encoder refused a view")
    return content.tobytes()
