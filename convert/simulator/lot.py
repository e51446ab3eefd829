"""A lot: job folders as a machine would leave them, and the truth beside them.

``DIR/<job_id>/`` holds manifest.json and the slices; ``DIR/truth.csv`` one row a joint. The same arguments give the
same bytes.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.simulator.board_type import BoardType, board_type
from convert.simulator.joint import Truth
from convert.simulator.view import SimulatedJoint, joints_per_view, simulate_view
from edge.core.errors import UsageError
from edge.core.job import Board, ImageFormat, Job, Joint, MachineCall, SliceFile, Station, View, encode_manifest

TRUTH = "truth.csv"
DEFECT_SHARE = 0.18 / 1.18
"""Normal : defect = 1 : 0.18 among what the machine flags (Zhang et al., Table IV)."""
_EPOCH = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
_CALLS = {
    Truth.MISSING: MachineCall(code=161, name="missing"),
    Truth.INSUFFICIENT: MachineCall(code=164, name="insufficient"),
    Truth.SHORT: MachineCall(code=162, name="short"),
    Truth.VOIDED: MachineCall(code=167, name="void"),
}


class TruthRow(NamedTuple):
    """What is known of one joint. ``label`` is 1 for a defect, 0 for normal; ``roi_right`` is 1 or 0."""

    job_id: str
    joint: str
    board_type: str
    truth: str
    label: int
    fill: float
    void_share: float
    slices: int
    roi_right: int


@dataclass(frozen=True)
class LotPlan:
    """What to simulate: ``joints`` in all, spread over ``boards`` boards of ``types`` types.

    Board types are numbered from ``first_type``; two lots share no board type when their ranges do not overlap.
    """

    boards: int
    joints: int
    seed: int
    types: int
    first_type: int = 0
    defect_share: float = DEFECT_SHARE
    prefix: str = "L1"

    def __post_init__(self) -> None:
        if not 1 <= self.boards <= self.joints:
            raise UsageError(f"--boards {self.boards} --joints {self.joints}: give at least one joint a board")
        if not 0 <= self.defect_share <= 1:
            raise UsageError(f"--defect-share {self.defect_share}: give a share between 0 and 1")
        if self.types < 1 or self.first_type < 0 or self.seed < 0:
            raise UsageError("--types, --first-type and --seed count from 1, 0 and 0 upwards")

    def joints_on(self, board: int) -> int:
        return self.joints // self.boards + (board < self.joints % self.boards)


def simulate_lot(out: Path, plan: LotPlan, workers: int | None = None) -> Iterator[int]:
    """Write a lot into the new or empty folder ``out``; yields each finished board's number of joints.

    Raises UsageError when the folder holds something already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: holds something already; name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    rows: list[TruthRow] = []
    workers = workers or min(os.cpu_count() or 1, plan.boards)
    # Forking is safe here only before TensorFlow starts its threads, and who knows: so start afresh.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        futures = [pool.submit(simulate_board, out, plan, board) for board in range(plan.boards)]
        for future in futures:
            truth = future.result()
            rows += truth
            yield len(truth)
    with (out / TRUTH).open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(TruthRow._fields)
        writer.writerows(rows)


def read_truth(lot: Path) -> dict[tuple[str, str], TruthRow]:
    """(job_id, joint) -> truth. Raises UsageError when the lot has none."""
    try:
        with (lot / TRUTH).open(newline="") as stream:
            rows = [_parsed(record) for record in csv.DictReader(stream)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{lot / TRUTH}: not a readable truth file ({error}); name a lot made by axi-convert simulate"
        ) from error
    return {(row.job_id, row.joint): row for row in rows}


def _parsed(record: dict[str, str]) -> TruthRow:
    return TruthRow(
        job_id=record["job_id"],
        joint=record["joint"],
        board_type=record["board_type"],
        truth=record["truth"],
        label=int(record["label"]),
        fill=float(record["fill"]),
        void_share=float(record["void_share"]),
        slices=int(record["slices"]),
        roi_right=int(record["roi_right"]),
    )


def simulate_board(out: Path, plan: LotPlan, board: int) -> list[TruthRow]:
    """Write one board's job folder; a board takes as many views as its joints need."""
    rng = np.random.default_rng([plan.seed, 0xB0A2D, board])
    kind = board_type(plan.seed, plan.first_type + board % plan.types)
    job_id = f"{plan.prefix}-{board:06d}"
    folder = out / job_id
    folder.mkdir()
    views: list[View] = []
    joints: list[Joint] = []
    rows: list[TruthRow] = []
    left, most = plan.joints_on(board), joints_per_view(kind)
    while left:
        count = min(left, most)
        view_id = f"{board % 1000:03d}{len(views):03d}"
        simulated = simulate_view(kind, count, plan.defect_share, rng)
        views.append(View(id=view_id, slices=_write_slices(folder, view_id, simulated.slices, kind)))
        for one in simulated.joints:
            joint = _as_joint(one, f"J{len(views)}", str(len(joints) + 1), view_id, rng)
            joints.append(joint)
            rows.append(_as_row(one, job_id, joint.id, kind, len(simulated.slices)))
        left -= count
    job = Job(
        schema="axi-job/1",
        job_id=job_id,
        created=(_EPOCH + timedelta(seconds=40 * board)).isoformat().replace("+00:00", "Z"),
        station=Station(name="simulated AXI", vendor="axi-edge", software="1"),
        board=Board(serial=f"SN{plan.seed:02d}{board:05d}", type=kind.name, revision="A", side="bottom"),
        image=ImageFormat(polarity=kind.polarity),
        views=tuple(views),
        joints=tuple(joints),
    )
    (folder / "manifest.json").write_bytes(encode_manifest(job))
    return rows


def _one_thread() -> None:
    cv2.setNumThreads(1)


def _write_slices(
    folder: Path, view_id: str, slices: Sequence[NDArray[np.uint8]], kind: BoardType
) -> tuple[SliceFile, ...]:
    parts = []
    for index, image in enumerate(slices):
        name = f"{view_id}{index:02d}." + ("jpg" if kind.jpeg_quality else "png")
        options = [cv2.IMWRITE_JPEG_QUALITY, kind.jpeg_quality] if kind.jpeg_quality else []
        stored = image if kind.polarity == "solder_dark" else np.bitwise_not(image)
        done, encoded = cv2.imencode(Path(name).suffix, stored, options)
        if not done:
            raise RuntimeError(f"{name}: the image encoder refused a slice")
        (folder / name).write_bytes(encoded.tobytes())
        parts.append(SliceFile(index=index, file=name))
    return tuple(parts)


def _as_joint(one: SimulatedJoint, refdes: str, pin: str, view_id: str, rng: np.random.Generator) -> Joint:
    """The machine calls a good joint something, too: that is why it is in the lot."""
    call = _CALLS.get(one.truth) or list(_CALLS.values())[int(rng.choice(4, p=[0.1, 0.6, 0.1, 0.2]))]
    return Joint(id=f"{refdes}.{pin}", refdes=refdes, pin=pin, type="PTH", view=view_id, roi=one.roi, machine_call=call)


def _as_row(one: SimulatedJoint, job_id: str, joint: str, kind: BoardType, slices: int) -> TruthRow:
    return TruthRow(
        job_id=job_id,
        joint=joint,
        board_type=kind.name,
        truth=one.truth.value,
        label=int(one.truth is not Truth.NORMAL),
        fill=round(one.solder.fill, 4),
        void_share=round(one.solder.void_share(kind), 4),
        slices=slices,
        roi_right=int(one.roi_right),
    )
