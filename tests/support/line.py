"""An inspection with everything around it faked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.core.job import Job, encode_manifest
from edge.core.payloads import ModelRef, VerdictPayload
from edge.core.wire import Encoder, Message, Topics
from edge.inspection.gallery import Gallery
from edge.inspection.loop import Inspection
from edge.inspection.pace import Pace
from edge.inspection.ports import InUse
from edge.inspection.tally import Tally
from edge.jobs.folder import ClaimedJob
from edge.judging.decider import Decider
from edge.judging.judge import Judge
from tests.support.builders import make_card
from tests.support.fake_ledger import FakeLedger, FakeReferences
from tests.support.fakes import FakeReader, FakeScorer, FakeSpool

NORMAL, DEFECT = np.zeros((1, 4), np.uint8), np.full((1, 4), 255, np.uint8)
CARD = make_card()
MAIN = ModelRef(name="m", version="1.0.0", digest="sha256:0")
QUALITY = ModelRef(name="q", version="1.0.0", digest="sha256:1")


def claimed(job: Job, folder: str = "", content: str = "") -> ClaimedJob:
    raw = encode_manifest(job)
    return ClaimedJob(Path("work", folder or job.job_id), raw, content or f"sha256:{hash(raw)}")


class Line:
    """An inspection with everything around it faked."""

    def __init__(self, jobs: Sequence[ClaimedJob], **parts: object) -> None:
        self.spool: Any = parts.get("spool") or FakeSpool(jobs)
        self.ledger: Any = parts.get("ledger") or FakeLedger()
        self.reader = parts.get("reader") or FakeReader()
        ticks = count()
        card: Any = parts.get("card") or CARD
        scorer: Any = parts.get("scorer") or FakeScorer(NORMAL)
        decider = Decider(card, card.rule(), [scorer], lambda: next(ticks) * 1e-3)
        deciders = dict.fromkeys(card.joint_types, decider) | (parts.get("beside") or {})  # type: ignore[operator]
        judge = Judge(deciders, self.reader, lambda: next(ticks) * 1e-3)  # type: ignore[arg-type]
        routes = tuple((kind, QUALITY) for kind in deciders if kind not in card.joint_types)
        self.progress = 0
        self.stopped = False
        self.judge: Any = parts.get("judge") or judge
        self.tally = Tally()
        self.references: Any = parts.get("references") or FakeReferences()
        self.inspection = Inspection(
            self.spool,
            self.ledger,  # type: ignore[arg-type]
            InUse(
                self.judge,
                Encoder("axi1", Topics("base"), "0", MAIN, routes),
                Pace(within_s=float(parts.get("within_s", 0))),  # type: ignore[arg-type]
                job_timeout_s=float(parts.get("job_timeout_s", 60)),  # type: ignore[arg-type]
                repeated_days=float(parts.get("repeated_days", 0)),  # type: ignore[arg-type]
                max_unfamiliar_share=0.2,
                permits=parts.get("permits"),  # type: ignore[arg-type]
            ),
            judged_before=float(parts.get("judged_before", 0)) - 1,  # type: ignore[arg-type]
            gallery=Gallery(self.references),
            tally=self.tally,
            now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
            clock=lambda: next(ticks) * 1e-3,
            announce=lambda: None,
            progressed=self._progressed,
            may_go_on=lambda: not self.stopped,
        )

    def _progressed(self) -> None:
        self.progress += 1

    def run(self) -> None:
        while self.inspection.step():
            pass

    @property
    def sampled(self) -> set[str]:
        """Joints that are evidence once they are reviewed."""
        return self.ledger.sampled  # type: ignore[attr-defined,no-any-return]

    def messages(self) -> list[Message]:
        return [row.message for row in self.ledger.pending(10_000)]  # type: ignore[attr-defined]

    def verdicts(self) -> list[VerdictPayload]:
        return [
            msgspec.json.decode(message.payload, type=VerdictPayload)
            for message in self.messages()
            if "/verdict/" in message.topic
        ]


def alarms(line: Line) -> list[str]:
    return [json.loads(m.payload)["code"] for m in line.messages() if m.topic == "base/alarm"]
