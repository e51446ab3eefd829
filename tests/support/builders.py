"""Valid jobs, cards and images to bend in a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from msgspec import UNSET

from edge.core.card import Lineage, ModelCard, Quantisation, TensorInfo
from edge.core.familiarity import Familiarity, packed
from edge.core.features import FeatureSpec
from edge.core.fillet import FEATURES
from edge.core.grades import GRADES
from edge.core.job import Board, Job, Joint, MachineCall, Roi, SliceFile, View
from edge.core.payloads import BoardRef, VerdictPayload
from edge.core.preprocess import PreprocessSpec
from edge.core.rules import GradeScale, OperatingPoint, Rate, SugenoHead, ThermometerHead
from edge.core.verdict import Call, Reason, Route
from edge.core.wire import Message, VerdictMessage, encode, event_id

HALF = Rate(value=0.5, low=0.1, high=0.9, hits=1, total=2)


def make_job(
    job_id: str = "L7-000123", *, joints: int = 3, views: int = 1, slices: int = 2, board_type: str = "MB-7"
) -> Job:
    """A job with ``joints`` joints in each view."""
    parts = tuple(
        View(
            id=f"01015{v}",
            slices=tuple(SliceFile(index=k, file=f"01015{v}{k:02d}.png") for k in range(slices)),
        )
        for v in range(views)
    )
    return Job(
        schema="axi-job/1",
        job_id=job_id,
        created="2026-11-21T08:15:30Z",
        board=Board(serial="SN001", type=board_type),
        views=parts,
        joints=tuple(
            Joint(
                id=f"J{v}.{i}",
                refdes=f"J{v}",
                pin=str(i),
                type="PTH",
                view=view.id,
                roi=Roi(10 + 12 * i, 20, 24 + 12 * i, 34),
                machine_call=MachineCall(code=164, name="insufficient"),
            )
            for v, view in enumerate(parts)
            for i in range(joints)
        ),
    )


def document(job: Job) -> dict[str, Any]:
    """The manifest as plain JSON data."""
    import msgspec

    return json.loads(msgspec.json.encode(job))


def write_job(parent: Path, job: Job, *, seed: int = 0, side: int = 96) -> Path:
    """A job folder with random, smooth PNG slices."""
    from edge.core.job import encode_manifest

    folder = parent / job.job_id
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for view in job.views:
        for part in view.slices:
            image = cv2.GaussianBlur(rng.integers(0, 256, (side, side)).astype(np.uint8), (0, 0), 2)
            (folder / part.file).write_bytes(cv2.imencode(Path(part.file).suffix, image)[1].tobytes())
    (folder / "manifest.json").write_bytes(encode_manifest(job))
    return folder


def trusting(features: int) -> Familiarity:
    """As large as a build's own, and everything is familiar to it."""
    weights = np.random.default_rng(0).integers(-300, 300, (120, features))
    rows = tuple(range(1, 121))
    return Familiarity(
        weights=packed(weights), offsets=rows, ends=rows, limit=2**52, measured_on="nothing", unfamiliar=HALF
    )


def make_point(name: str = "recall-0.90", threshold: float = 0.5) -> OperatingPoint:
    return OperatingPoint(name=name, threshold=threshold, measured_on="lot", recall=HALF, false_positive_rate=HALF)


def make_card(**changes: Any) -> ModelCard:
    """A card for a model of one uint8 output band."""
    point = make_point()
    values: dict[str, Any] = {
        "schema": "axi-card/1",
        "name": "tiny",
        "version": "1.0.0",
        "task": "joint_defect",
        "network": "cnn3d",
        "joint_types": ("PTH",),
        "classes": ("normal", "defect"),
        "preprocess": PreprocessSpec(),
        "operating_points": (point,),
        "default_operating_point": "recall-0.90",
        "quantisation": Quantisation(
            scheme="int8",
            input=TensorInfo(dtype="uint8", shape=(1, 128, 128, 6), scale=1 / 255),
            output=TensorInfo(dtype="uint8", shape=(1, 4), scale=6 / 255),
            head=ThermometerHead(low=-12, high=12, full=6),
        ),
        "accuracy": (),
        "files": {},
        "lineage": Lineage(
            source_model="m.keras",
            source_digest="sha256:" + "0" * 64,
            data={},
            seed=0,
            tools={},
            created="2026-11-21T00:00:00Z",
        ),
    }
    return ModelCard(**{**values, **changes})


def make_quality_card(**changes: Any) -> ModelCard:
    """A card for a model of four uint8 ramps; its thresholds lie between the consequents."""
    scale = GradeScale(
        thresholds=(0.125, 0.375, 0.625, 0.875),
        class_means=(0.0, 0.25, 0.5, 0.75, 1.0),
        learnt_on="training",
        measured_on="lot",
        recognised=HALF,
        recall=HALF,
        false_positive_rate=HALF,
    )
    values: dict[str, Any] = {
        "name": "tiny-quality",
        "task": "joint_quality",
        "network": "neurofuzzy",
        "joint_types": ("SMT",),
        "classes": GRADES,
        "preprocess": FeatureSpec(size=32, margin=1.5, ranges=((-100.0, 100.0),) * len(FEATURES)),
        "operating_points": (),
        "default_operating_point": "",
        "grades": scale,
        "quantisation": Quantisation(
            scheme="int8",
            input=TensorInfo(dtype="uint8", shape=(1, 1, 1, len(FEATURES)), scale=1 / 255),
            output=TensorInfo(dtype="uint8", shape=(1, 4), scale=6 / 255),
            head=SugenoHead(consequents=(0.0, 0.25, 0.5, 0.75, 1.0), full=6),
        ),
    }
    return make_card(**{**values, **changes})


def make_verdict(
    joint: str,
    job_id: str = "L7",
    call: Call = Call.NORMAL,
    grade: str | None = None,
    reason: Reason | None = None,
) -> VerdictMessage:
    """A verdict as the journal takes it."""
    payload = VerdictPayload(
        event_id=event_id("axi1", job_id, joint, "sha256:0"),
        device="axi1",
        time="2026-11-21T00:00:00.000Z",
        job_id=job_id,
        board=BoardRef(serial="SN"),
        joint=joint,
        refdes="",
        pin="",
        machine_call=None,
        verdict=call,
        route=Route.RELEASE,
        p_defect=None,
        threshold=None,
        operating_point=None,
        reason=reason,
        slices=1,
        model=None,
        latency_ms=1.0,
        grade=UNSET if grade is None else grade,
    )
    return VerdictMessage(payload, Message("base/verdict/SN", encode(payload)))
