"""One simulated board: its views, and the manifest and truth of its joints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from convert.lots.truth import TruthRow
from convert.simulator.difficulty import DIFFICULTIES
from convert.simulator.plan import LotPlan
from convert.simulator.xray.board_type import BoardType, board_type
from convert.simulator.xray.joint import Truth
from convert.simulator.xray.view import (
    FRAME_PX,
    SimulatedJoint,
    SimulatedView,
    joints_per_view,
    simulate_view,
    strip_height,
)
from edge.core.job import Board, ImageFormat, Job, Joint, MachineCall, SliceFile, Station, View
from edge.core.preprocess import Grey, PreprocessSpec, to_polarity

_EPOCH = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
_CALLS = {
    Truth.MISSING: MachineCall(code=161, name="missing"),
    Truth.INSUFFICIENT: MachineCall(code=164, name="insufficient"),
    Truth.SHORT: MachineCall(code=162, name="short"),
    Truth.VOIDED: MachineCall(code=167, name="void"),
}


@dataclass(frozen=True)
class BoardView:
    """One view with its file names, its joints as the machine names them, and their truth."""

    view: View
    images: tuple[Grey, ...]
    """The slices as the machine stores them, in the order of ``view.slices``."""
    joints: tuple[Joint, ...]
    rows: tuple[TruthRow, ...]


def kind_of(plan: LotPlan, board: int) -> BoardType:
    """Boards take turns in the plan's types."""
    return board_type(plan.seed, plan.first_type + board % plan.types)


def board_views(plan: LotPlan, board: int) -> Iterator[BoardView]:
    """Simulate one board, view by view; it takes as many views as its joints need."""
    rng = np.random.default_rng([plan.seed, 0xB0A2D, board])
    kind = kind_of(plan, board)
    done, number = 0, 0
    while done < plan.joints_on(board):
        count = min(plan.joints_on(board) - done, joints_per_view(kind))
        height = FRAME_PX if plan.form == "jobs" else strip_height(kind, count)
        simulated = simulate_view(
            kind, count, plan.defect_share, rng, DIFFICULTIES[plan.difficulty], (height, FRAME_PX)
        )
        view_id = f"{board % 1000:03d}{number:03d}"
        yield _board_view(plan, board, kind, view_id, number, done, simulated, rng)
        done, number = done + count, number + 1


def job_of(plan: LotPlan, board: int, views: Sequence[BoardView]) -> Job:
    """The manifest of a board's job."""
    kind = kind_of(plan, board)
    return Job(
        schema="axi-job/1",
        job_id=job_id_of(plan, board),
        created=(_EPOCH + timedelta(seconds=40 * board)).isoformat().replace("+00:00", "Z"),
        station=Station(name="simulated AXI", vendor="axi-edge", software="1"),
        board=Board(serial=f"SN{plan.seed:02d}{board:05d}", type=kind.name, revision="A", side="bottom"),
        image=ImageFormat(polarity=kind.polarity),
        views=tuple(one.view for one in views),
        joints=tuple(joint for one in views for joint in one.joints),
    )


def job_id_of(plan: LotPlan, board: int) -> str:
    return f"{plan.prefix}-{board:06d}"


def _board_view(
    plan: LotPlan,
    board: int,
    kind: BoardType,
    view_id: str,
    number: int,
    done: int,
    simulated: SimulatedView,
    rng: np.random.Generator,
) -> BoardView:
    suffix = ".jpg" if kind.jpeg_quality else ".png"
    names = [f"{view_id}{index:02d}{suffix}" for index in range(len(simulated.slices))]
    joints = tuple(
        _as_joint(one, f"J{number + 1}", str(done + i + 1), view_id, rng) for i, one in enumerate(simulated.joints)
    )
    return BoardView(
        View(id=view_id, slices=tuple(SliceFile(index=i, file=name) for i, name in enumerate(names))),
        simulated.slices,
        joints,
        tuple(
            _as_row(one, job_id_of(plan, board), joint.id, kind, len(names))
            for one, joint in zip(simulated.joints, joints, strict=True)
        ),
    )


def encoded(image: Grey, kind: BoardType) -> bytes:
    """A slice as this type's machine stores it."""
    if kind.jpeg_quality:
        done, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, kind.jpeg_quality])
    else:
        done, content = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise RuntimeError("the image encoder refused a slice")
    return content.tobytes()


def as_read(images: Sequence[Grey], kind: BoardType, spec: PreprocessSpec) -> dict[int, Grey]:
    """A view's slices by index, as the device has them once their files are read."""
    return {i: to_polarity(_restored(image, kind), kind.polarity, spec.polarity) for i, image in enumerate(images)}


def _restored(image: Grey, kind: BoardType) -> Grey:
    """A slice as it comes back from its file: the same, but for what JPEG takes away."""
    if not kind.jpeg_quality:
        return image
    return cv2.imdecode(np.frombuffer(encoded(image, kind), np.uint8), cv2.IMREAD_GRAYSCALE).astype(
        np.uint8, copy=False
    )


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
        disputed=int(one.solder.disputed(kind)),
    )
