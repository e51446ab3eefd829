"""Topics and messages: what the broker's side sees."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from edge.core.grades import GRADES
from edge.core.ids import id_of
from edge.core.job import Job, NamedJoint
from edge.core.payloads import (
    AlarmPayload,
    BoardPayload,
    BoardRef,
    LicencePayload,
    MetricsPayload,
    ModelRef,
    Payload,
    Policy,
    Presence,
    QualifiedPayload,
    Severity,
    StatusPayload,
    VerdictPayload,
)
from edge.core.verdict import Call, Reason, Route, Verdict, unjudged

NAMESPACE = uuid.UUID("5e0ff0ea-9d1b-5c7e-a3c1-2f6a1d1f8a0e")
"""Namespace of every ``event_id``; changing it would break de-duplication across an update."""
_METRICS_EXPIRE_S = 3_600


class Message(NamedTuple):
    """One MQTT message at QoS 1. ``expiry_s``: after so many seconds it is worth nothing (MQTT 5); None: for ever.

    ``correlation``: handed back to whoever asked for this.
    """

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int | None = None
    correlation: bytes | None = None


def encode(payload: Payload) -> bytes:
    """Compact UTF-8 JSON, keys in the declared order."""
    return msgspec.json.encode(payload)


class _Named(msgspec.Struct):
    schema: str = ""


def schema_of(payload: bytes) -> str:
    """Which contract a message says it keeps; empty where it says none."""
    try:
        return msgspec.json.decode(payload, type=_Named).schema
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""


def timestamp(moment: datetime) -> str:
    """RFC 3339, UTC, milliseconds: ``2026-11-21T08:15:31.204Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_id(device: str, job_id: str, joint: str, digest: str) -> str:
    """UUIDv5 of (device, job, joint, digest): a replay repeats it, so consumers de-duplicate on it.

    ``digest`` is the bundle's; for a joint that no bundle judged because its job was refused, the job's content
    digest stands in, so that a second folder under a used job_id never hides behind the first one's verdicts.
    """
    return id_of(NAMESPACE, (device, job_id, joint, digest))


class Topics(NamedTuple):
    """Topics under one base, for example ``acme/penang/smt/line3/axi1``."""

    base: str

    @property
    def status(self) -> str:
        return f"{self.base}/status"

    @property
    def metrics(self) -> str:
        return f"{self.base}/metrics"

    @property
    def alarm(self) -> str:
        return f"{self.base}/alarm"

    @property
    def review(self) -> str:
        return f"{self.base}/review"

    @property
    def commands(self) -> str:
        """Filter for every command."""
        return f"{self.base}/cmd/+"

    def licence(self, board_type: str, joint_type: str) -> str:
        return f"{self.base}/licence/{topic_level(board_type)}/{topic_level(joint_type)}"

    def verdict(self, serial: str) -> str:
        return f"{self.base}/verdict/{topic_level(serial)}"

    def board(self, serial: str) -> str:
        return f"{self.base}/board/{topic_level(serial)}"


def topic_level(serial: str) -> str:
    """A serial as one topic level: what is not [A-Za-z0-9._-] becomes ``_``."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", serial) or "_"


def below_base(topic: str) -> str:
    """What of a topic of ours stands below its base, whatever that is; empty for none of ours."""
    found = re.search(r"/((?:verdict|board)/[^/]+|licence/[^/]+/[^/]+|alarm|status|metrics)$", topic)
    return found[1] if found else ""


def _files(job: Job, view: str) -> tuple[str, ...]:
    """Of that view's slices, by their order in depth."""
    slices = next((one.slices for one in job.views if one.id == view), ())
    return tuple(part.file for part in sorted(slices, key=lambda part: part.index))


class VerdictMessage(NamedTuple):
    """A verdict as the broker gets it, what it says, and what else the journal keeps of the joint.

    ``sampled``: it is evidence, once it is reviewed.
    """

    payload: VerdictPayload
    message: Message
    joint_type: str = ""
    sampled: bool = False


class BoardOutcome(NamedTuple):
    """How a job ended. ``calls``: (verdict, route) of every decided joint; ``grades`` counts those graded,
    ``reasons`` those that have one.

    ``unread``: why the job may hold joints that nobody could read.
    """

    job_id: str
    board: BoardRef
    calls: Sequence[tuple[str, str]]
    grades: Mapping[str, int]
    expected: int
    refused: bool
    duration_ms: float
    unread: str = ""
    reasons: Mapping[str, int] = MappingProxyType({})


class Encoder(NamedTuple):
    """Turns what this device decided into messages.

    ``model``: the bundle of every joint type that ``routes``, (joint type, bundle), gives none of its own. ``policy``:
    what joints are released on. ``qualification``: whether the device is certified. ``station_url``: where the review
    station's pages are, with no slash at the end; empty where nobody said so.
    """

    device: str
    topics: Topics
    version: str
    model: ModelRef
    routes: tuple[tuple[str, ModelRef], ...] = ()
    policy: Policy = "licensed"
    qualification: QualifiedPayload | None = None
    station_url: str = ""

    def model_for(self, joint_type: str) -> ModelRef:
        """The bundle responsible for a joint type, whatever came of the joint; so event_ids do not hang on that."""
        wanted = joint_type.casefold()
        return next((model for known, model in self.routes if known.casefold() == wanted), self.model)

    def verdict(self, job: Job, verdict: Verdict, now: datetime) -> VerdictMessage:
        """The verdict on a joint of a sound job."""
        model = self.model_for(verdict.joint.type)
        board = BoardRef(serial=job.board.serial, type=job.board.type)
        return self._verdict(job.job_id, board, verdict, model, model.digest, now, _files(job, verdict.joint.view))

    def event_of(self, job_id: str, joint: NamedJoint) -> str:
        """The ``event_id`` of the verdict on a joint of a sound job."""
        return event_id(self.device, job_id, joint.id, self.model_for(joint.type).digest)

    def refused(self, job_id: str, serial: str, joint: NamedJoint, content: str, now: datetime) -> VerdictMessage:
        """The verdict on a joint of a refused job: unjudged, and no model had a say. ``content``: the job's digest."""
        verdict = Verdict(joint, unjudged(Reason.JOB_REFUSED))
        return self._verdict(job_id, BoardRef(serial=serial), verdict, None, content, now)

    def _verdict(
        self,
        job_id: str,
        board: BoardRef,
        verdict: Verdict,
        model: ModelRef | None,
        digest: str,
        now: datetime,
        files: tuple[str, ...] = (),
    ) -> VerdictMessage:
        joint, decision = verdict.joint, verdict.decision
        event = event_id(self.device, job_id, joint.id, digest)
        payload = VerdictPayload(
            event_id=event,
            device=self.device,
            time=timestamp(now),
            job_id=job_id,
            board=board,
            joint=joint.id,
            refdes=joint.refdes,
            pin=joint.pin,
            machine_call=joint.machine_call,
            verdict=decision.call,
            route=decision.route,
            p_defect=decision.p_defect,
            threshold=decision.threshold,
            operating_point=decision.operating_point,
            reason=decision.reason,
            slices=verdict.slices,
            model=model,
            latency_ms=round(verdict.latency_ms, 3),
            quality_index=UNSET if decision.quality_index is None else decision.quality_index,
            grade=UNSET if decision.grade is None else decision.grade,
            defect_class=UNSET if decision.defect_class is None else decision.defect_class,
            view=joint.view or UNSET,
            roi=UNSET if joint.roi is None else joint.roi,
            files=files or UNSET,
            link=f"{self.station_url}/joint/{event}" if self.station_url else UNSET,
        )
        message = Message(self.topics.verdict(board.serial), encode(payload))
        return VerdictMessage(payload, message, joint.type, verdict.sampled)

    def board(self, job: BoardOutcome, now: datetime) -> Message:
        """The summary of a job."""
        verdicts = dict.fromkeys(Call, 0)
        routes = dict.fromkeys(Route, 0)
        for call, route in job.calls:
            verdicts[Call(call)] += 1
            routes[Route(route)] += 1
        payload = BoardPayload(
            device=self.device,
            time=timestamp(now),
            job_id=job.job_id,
            board=job.board,
            joints_expected=job.expected,
            joints_decided=len(job.calls),
            verdicts={call.value: n for call, n in verdicts.items()},
            routes={route.value: n for route, n in routes.items()},
            refused=job.refused,
            duration_ms=round(job.duration_ms, 3),
            grades={grade: job.grades.get(grade, 0) for grade in GRADES} if job.grades else UNSET,
            reasons=dict(job.reasons) or UNSET,
            unread=job.unread or UNSET,
        )
        return Message(self.topics.board(job.board.serial), encode(payload))

    def status_payload(self, state: Presence, now: datetime) -> StatusPayload:
        return StatusPayload(
            state=state,
            time=timestamp(now),
            version=self.version,
            bundle=self.model,
            routes=dict(self.routes),
            release=self.policy,
            qualification=UNSET if self.qualification is None or state != "online" else self.qualification,
        )

    def status(self, state: Presence, now: datetime) -> Message:
        return Message(self.topics.status, encode(self.status_payload(state, now)), retain=True)

    def alarm(self, code: str, text: str, now: datetime, severity: Severity = "error", about: str = "") -> Message:
        payload = AlarmPayload(code=code, severity=severity, text=text, time=timestamp(now), about=about or UNSET)
        return Message(self.topics.alarm, encode(payload))

    def licence(self, payload: LicencePayload) -> Message:
        return Message(self.topics.licence(payload.board_type, payload.joint_type), encode(payload), retain=True)

    def metrics(self, payload: MetricsPayload) -> Message:
        return Message(self.topics.metrics, encode(payload), expiry_s=_METRICS_EXPIRE_S)
