"""What the daemon and the process that judges say to each other, as MessagePack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from edge.core.job import Job
from edge.core.payloads import ModelRef
from edge.core.qualification import Kernels
from edge.core.rules import GradeScale, OperatingPoint, Rule
from edge.core.verdict import Verdict
from edge.judging.ports import Batch, RuntimeChoice, Unchecked, ViewToJudge, views_of
from edge.judging.stamps import Stamps


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


class Task(Struct, frozen=True, tag=True, kw_only=True):
    """Judge all joints of ``job``, which is cut down to one view.

    ``files``: where its turn has not come yet, what the slices were as it was given out.
    """

    number: int
    job: Job
    folder: bytes
    files: Stamps | None


def task_of(number: int, job: Job, folder: Path, part: ViewToJudge, files: Stamps | None = None) -> Task:
    cut = msgspec.structs.replace(job, views=(part.view,), joints=part.joints)
    return Task(number=number, job=cut, folder=os.fsencode(folder), files=files)


def batch_of(task: Task) -> Batch:
    return Batch(task.job, Path(os.fsdecode(task.folder)), views_of(task.job))


class Served(Struct, frozen=True, kw_only=True):
    """A bundle that is verified, loaded and replayed, and the joint types it judges.

    ``created``: when it was built. ``thresholds``: of its operating point, or between its grades. ``points``, or
    ``grades``: by what its joints can earn release, the strictest first.
    """

    model: ModelRef
    created: str = ""
    joint_types: tuple[str, ...]
    signed: bool
    golden_joints: int
    operating_point: str
    thresholds: tuple[float, ...]
    points: tuple[OperatingPoint, ...] = ()
    grades: GradeScale | None = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.points if self.grades is None else (self.grades,)

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
    """Verdicts of a task, in order; the next joints' follow."""

    number: int
    verdicts: tuple[Verdict, ...]
    score_ms: float
    """What the model takes for a joint of late, median."""


class Busy(Struct, frozen=True, tag=True, kw_only=True):
    """A sign of life: a slice was read. Large ones take their time."""


class DiskTrouble(Struct, frozen=True, tag=True, kw_only=True):
    """The task ended early: not the job's fault."""

    number: int
    errno: int
    text: str


class Missed(Struct, frozen=True, tag=True, kw_only=True):
    """Looked at ahead, the view could not be read well. What is wrong is said when its turn comes."""

    number: int


Request = Load | Task
Reply = Ready | Refused | Judged | Busy | DiskTrouble | Missed

encode = msgspec.msgpack.Encoder().encode
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def decode_request(raw: bytes) -> Request:
    return _requests.decode(raw)


def decode_reply(raw: bytes) -> Reply:
    return _replies.decode(raw)
