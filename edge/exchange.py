"""What the daemon and the process that judges say to each other, as MessagePack."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from edge.core.job import Job
from edge.core.verdict import Verdict
from edge.core.wire import ModelRef


class Load(Struct, frozen=True, tag=True, kw_only=True):
    """First word of the daemon: which bundle, and how to run it. Paths are bytes: a name may be no UTF-8."""

    bundle: bytes
    public_key_file: str
    operating_point: str
    runtime: str
    threads: int
    kernels: str


class Task(Struct, frozen=True, tag=True, kw_only=True):
    """Judge these joints. ``left``: (view, joints) by id, in order."""

    job: Job
    folder: bytes
    left: tuple[tuple[str, tuple[str, ...]], ...]


class Ready(Struct, frozen=True, tag=True, kw_only=True):
    """The bundle is verified, loaded and replayed."""

    model: ModelRef
    signed: bool
    runtime: str
    golden_joints: int
    operating_point: str
    threshold: float


class Refused(Struct, frozen=True, tag=True, kw_only=True):
    """It cannot be used. ``kind``: the name of the error."""

    kind: str
    text: str


class Judged(Struct, frozen=True, tag=True, kw_only=True):
    """A verdict of the task in hand; the next joint's follows."""

    verdict: Verdict


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
