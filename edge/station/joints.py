"""Joints that the device has judged, and what may be said of them before and after a specialist's decision."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from edge.core.errors import AxiError
from edge.core.job import Roi
from edge.core.payloads import VerdictPayload
from edge.core.verdict import Reason, Route

PICTURES_DOUBTED = frozenset(
    {
        *(reason for reason in Reason if reason.value.startswith("slice_")),
        *(Reason.VIEW_UNFAMILIAR, Reason.TOO_MANY_SLICES, Reason.ROI_OUTSIDE, Reason.JOB_REFUSED),
    }
)
"""Reasons that are about the pictures, which a reviewer sees anyway; no other may be known before the decision, nor may
that the network does not know such joints.
"""


_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Seen(Struct, frozen=True):
    """Where a joint is to be seen: the view, its box there in pixels, and the names of the view's slices."""

    view: str | UnsetType = UNSET
    roi: Roi | UnsetType = UNSET
    files: tuple[str, ...] | UnsetType = UNSET


class NotAVerdict(AxiError):
    """A message that is no verdict of ours."""


class Joint(NamedTuple):
    """A joint, as its verdict has it. ``released``: it goes on; any other goes to a specialist.

    ``verdict``, ``reason``, ``p_defect``, ``kind`` and ``quality`` are what the network says: never shown before the
    decision, or a joint that is drawn for the audit could be told from another. ``latency_ms``: from the first byte
    read of its view to the verdict. ``seen``: where it is to be seen, as JSON.
    """

    event_id: str
    job_id: str
    serial: str
    board_type: str
    joint: str
    machine_call: str
    time: str
    verdict: str
    reason: str
    p_defect: float | None
    kind: str
    released: bool = False
    latency_ms: float = 0.0
    quality: float | None = None
    seen: str = "{}"

    @property
    def place(self) -> Seen:
        """Where it is to be seen."""
        return msgspec.json.decode(self.seen, type=Seen)

    @property
    def pictures_doubted(self) -> bool:
        return self.reason in PICTURES_DOUBTED

    @property
    def refused(self) -> bool:
        """Was its job refused as a whole? Then its pictures lie where such jobs do."""
        return self.reason == Reason.JOB_REFUSED

    @property
    def before(self) -> dict[str, object]:
        """What a reviewer may know before deciding."""
        return {
            "event_id": self.event_id,
            "serial": self.serial,
            "board_type": self.board_type,
            "joint": self.joint,
            "machine_call": self.machine_call,
        }

    @property
    def after(self) -> dict[str, object]:
        """What the network said, for who has decided."""
        return {"verdict": self.verdict, "reason": self.reason, "p_defect": self.p_defect, "kind": self.kind}


def joint_of(payload: bytes) -> Joint:
    """The joint of a verdict. Raises NotAVerdict."""
    try:
        said = msgspec.json.decode(payload, type=VerdictPayload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise NotAVerdict(f"no axi-verdict/1: {error}") from error
    if not _UUID.fullmatch(said.event_id):
        raise NotAVerdict(f"no axi-verdict/1: event_id {said.event_id[:80]!r} is no UUID")
    kind = said.defect_class
    return Joint(
        event_id=said.event_id.lower(),
        job_id=said.job_id,
        serial=said.board.serial,
        board_type=said.board.type,
        joint=said.joint,
        machine_call=said.machine_call.name if said.machine_call else "",
        time=said.time,
        verdict=said.verdict.value,
        reason=said.reason.value if said.reason else "",
        p_defect=said.p_defect,
        kind="" if kind is msgspec.UNSET else kind.name,
        released=said.route is Route.RELEASE,
        latency_ms=said.latency_ms,
        quality=None if said.quality_index is msgspec.UNSET else said.quality_index,
        seen=msgspec.json.encode(Seen(said.view, said.roi, said.files)).decode(),
    )
