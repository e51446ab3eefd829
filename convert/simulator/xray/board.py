"""One simulated board: its views, and the manifest and truth of its joints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from convert.lots.truth import TruthRow
from convert.simulator.boards import BoardView, Machine, view_of
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
from edge.core.job import Joint, MachineCall
from edge.core.preprocess import Grey, PreprocessSpec, to_polarity

_CALLS = {
    Truth.MISSING: MachineCall(code=161, name="missing"),
    Truth.INSUFFICIENT: MachineCall(code=164, name="insufficient"),
    Truth.SHORT: MachineCall(code=162, name="short"),
    Truth.VOIDED: MachineCall(code=167, name="void"),
}


def kind_of(plan: LotPlan, board: int) -> BoardType:
    return board_type(plan.seed, plan.type_number(board))


def machine_of(kind: BoardType) -> Machine:
    """The machine as it is set up for a board type."""
    return Machine("simulated AXI", "SN", "bottom", kind.polarity, kind.jpeg_quality)


def board_views(plan: LotPlan, board: int) -> Iterator[BoardView[TruthRow]]:
    """Simulate one board, view by view; it takes as many views as its joints need."""
    rng = np.random.default_rng([plan.seed, 0xB0A2D, board])
    kind = kind_of(plan, board)
    done, number = 0, 0
    while done < plan.joints_on(board):
        count = min(plan.joints_on(board) - done, joints_per_view(kind))
        height = FRAME_PX if plan.form == "jobs" else strip_height(kind, count)
        drawing = np.random.default_rng([plan.seed, 0xD2A3, plan.type_number(board), number]) if plan.alike else None
        simulated = simulate_view(
            kind, count, plan.defect_share, rng, DIFFICULTIES[plan.difficulty], (height, FRAME_PX), drawing
        )
        yield _board_view(plan, board, kind, number, done, simulated, rng)
        done, number = done + count, number + 1


def _board_view(
    plan: LotPlan,
    board: int,
    kind: BoardType,
    number: int,
    done: int,
    simulated: SimulatedView,
    rng: np.random.Generator,
) -> BoardView[TruthRow]:
    view = view_of(0 if plan.alike else board, number, len(simulated.slices), machine_of(kind).suffix)
    joints = tuple(
        _as_joint(joint, f"J{number + 1}", str(done + i + 1), view.id, rng) for i, joint in enumerate(simulated.joints)
    )
    rows = tuple(
        _as_row(made, plan.job_id(board), joint.id, kind, len(view.slices))
        for made, joint in zip(simulated.joints, joints, strict=True)
    )
    return BoardView(view, simulated.slices, joints, rows)


def as_read(images: Sequence[Grey], kind: BoardType, spec: PreprocessSpec) -> dict[int, Grey]:
    """A view's slices by index, as the device has them once their files are read."""
    return {i: to_polarity(_restored(image, kind), kind.polarity, spec.polarity) for i, image in enumerate(images)}


def _restored(image: Grey, kind: BoardType) -> Grey:
    """A slice as it comes back from its file: the same, but for what JPEG takes away."""
    if not kind.jpeg_quality:
        return image
    stored = np.frombuffer(machine_of(kind).encoded(image), np.uint8)
    return cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE).astype(np.uint8, copy=False)


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
