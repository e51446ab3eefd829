"""What the daemon and the process that judges say to each other, as MessagePack."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from edge.core.job import Job
from edge.core.verdict import Verdict
from edge.core.wire import ModelRef
from edge.ports import Batch, ViewToJudge


class Load(Struct, frozen=True, tag=True, kw_only=True):
    """First word of the daemon: which bundle, and how to run it. Paths are bytes: a name may be no UTF-8."""

    bundle: bytes
    public_key_file: str
    operating_point: str
    runtime: str
    threads: int
    kernels: str


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


class Ready(Struct, frozen=True, tag=True, kw_only=True):
    """The bundle is verified, loaded and replayed."""

    model: ModelRef
    signed: bool
    runtime: str
    golden_joints: int
    operating_point: str
    threshold: float
    score_ms: float
    """What the model took for a golden joint, at best."""


class Refused(Struct, frozen=True, tag=True, kw_only=True):
    """It cannot be used. ``kind``: the name of the error."""

    kind: str
    text: str


class Judged(Struct, frozen=True, tag=True, kw_only=True):
    """Verdicts of the task in hand, in order; the next joints' follow."""

    verdicts: tuple[Verdict, ...]
    score_ms: float
    """What the model takes for a joint of late, median."""


class DiskTrouble(Struct, frozen=True, tag=True, kw_only=True):
    """The task ended early: not the job's fault."""

    errno: int
    text: str


Request = Load | Task
Reply = Ready | Refused | Judged | DiskTrouble

encode = msgspec.msgpack.Encoder().encode
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def decode_request(raw: bytes) -> Request:
    return _requests.decode(raw)


def decode_reply(raw: bytes) -> Reply:
    return _replies.decode(raw)
