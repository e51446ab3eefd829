"""Joints in a station's queue, without a device or a broker."""

from __future__ import annotations

import uuid
from pathlib import Path

from edge.core.review import Said
from edge.station.database import Database
from edge.station.joints import Joint
from edge.station.outbox import Outbox
from edge.station.store import Decided, JointStore


def joint(number: int, **other: object) -> Joint:
    """The joint of that number: ten to a board, two board types by turns."""
    board = number // 10
    usual = Joint(
        event_id=str(uuid.UUID(int=number + 1)),
        job_id=f"L1-{board:06d}",
        serial=f"SN{board:03d}",
        board_type=f"MB-{board % 2}",
        joint=f"J1.{number % 10}",
        machine_call="void" if number % 3 else "insufficient",
        time=f"2026-11-29T08:{board:02d}:00.000Z",
        verdict="unjudged",
        reason="learning",
        p_defect=0.25,
        kind="",
    )
    return usual._replace(**other)


def store_at(folder: Path) -> JointStore:
    return JointStore(Database(folder / "station.db"), "review1")


def outbox_at(folder: Path) -> Outbox:
    return Outbox(Database(folder / "station.db"))


def decided(
    joint: Joint, reviewer: str = "anna", decision: Said = Said.FALSE_CALL, defect_class: str | None = None
) -> Decided:
    return Decided(joint.event_id, decision, defect_class, reviewer, "2026-11-29T09:00:00.000Z", 1.5)
