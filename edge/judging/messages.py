"""What the daemon and the process that judges say to each other, as MessagePack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from edge.core.job import Job
from edge.core.payloads import ModelRef
from edge.core.verdict import Verdict
from edge.judging.ports import Batch, Kernels, RuntimeChoice, Unchecked, ViewToJudge


class Choice(Struct, frozen=True, kw_only=True):
    """A bundle. ``joint_types``: those routed to it; empty: whatever its card names and nothing else is routed to.

    The path is bytes: a name may be no UTF-8. Empty ``operating_point``: the card's.
    """

    bundle: bytes
    operating_point: str = ""
    joint_types: tuple[str, ...] = ()


class Load(Struct, frozen=True, tag=True, kw_only=True):
    """First word of the daemon: which bundles, the main one first, and how to run them."""

    choices: tuple[Choice, ...]
    public_key_file: str = ""
    runtime: RuntimeChoice = "auto"
    threads: int = 1
    kernels: Kernels = "fast"
    unchecked: Unchecked = "judge"


class Sent(Struct, frozen=True, kw_only=True):
    """A ``Batch``; ``left``: (view, joints) by id, in order."""

    job: Job
    folder: bytes
    left: tuple[tuple[str, tuple[str, ...]], ...]
    key: str


class Task(Struct, frozen=True, tag=True, kw_only=True):
    """Judge these joints; look ahead at what comes next."""

    batch: Sent
    ahead: Sent | None


def packed(batch: Batch) -> Sent:
    left = tuple((part.view.id, tuple(joint.id for joint in part.joints)) for part in batch.left)
    return Sent(job=batch.job, folder=os.fsencode(batch.folder), left=left, key=batch.key)


def unpacked(sent: Sent) -> Batch:
    views = {view.id: view for view in sent.job.views}
    joints = {joint.id: joint for joint in sent.job.joints}
    left = [ViewToJudge(views[view], tuple(joints[joint] for joint in wanted)) for view, wanted in sent.left]
    return Batch(sent.job, Path(os.fsdecode(sent.folder)), left, sent.key)


class Served(Struct, frozen=True, kw_only=True):
    """A bundle that is verified, loaded and replayed, and the joint types it judges.

    ``thresholds``: of its operating point, or between its grades.
    """

    model: ModelRef
    joint_types: tuple[str, ...]
    signed: bool
    golden_joints: int
    operating_point: str
    thresholds: tuple[float, ...]

    def about(self) -> dict[str, Any]:
        """For a line in the log."""
        return {
            "bundle": f"{self.model.name}-{self.model.version}",
            "digest": self.model.digest,
            "joint_types": self.joint_types,
            "signed": self.signed,
            "golden_joints": self.golden_joints,
            "operating_point": self.operating_point,
            "thresholds": self.thresholds,
        }


class Ready(Struct, frozen=True, tag=True, kw_only=True):
    """Every bundle can be used; the main one first. ``score_ms``: what the slowest took for a golden joint, at best."""

    bundles: tuple[Served, ...]
    runtime: str
    score_ms: float

    @property
    def model(self) -> ModelRef:
        """The main bundle."""
        return self.bundles[0].model

    @property
    def routes(self) -> tuple[tuple[str, ModelRef], ...]:
        """(joint type, bundle) of all others."""
        return tuple((kind, bundle.model) for bundle in self.bundles[1:] for kind in bundle.joint_types)


class Refused(Struct, frozen=True, tag=True, kw_only=True):
    """It cannot be used. ``kind``: the name of the error."""

    kind: str
    text: str


class Judged(Struct, frozen=True, tag=True, kw_only=True):
    """Verdicts of the task in hand, in order; the next joints' follow."""

    verdicts: tuple[Verdict, ...]
    score_ms: float
    """What the model takes for a joint of late, median."""


class Busy(Struct, frozen=True, tag=True, kw_only=True):
    """A sign of life: a slice was read. Large ones take their time."""


class DiskTrouble(Struct, frozen=True, tag=True, kw_only=True):
    """The task ended early: not the job's fault."""

    errno: int
    text: str


Request = Load | Task
Reply = Ready | Refused | Judged | Busy | DiskTrouble

encode = msgspec.msgpack.Encoder().encode
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def decode_request(raw: bytes) -> Request:
    return _requests.decode(raw)


def decode_reply(raw: bytes) -> Reply:
    return _replies.decode(raw)
