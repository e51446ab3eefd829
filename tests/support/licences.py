"""A journal, a spool and the licences kept by them, with a line and reviewers to fill them."""

from __future__ import annotations

import shutil
import uuid
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from edge.adapters.journal.licences import JournalLicences
from edge.adapters.journal.reviews import JournalReviews
from edge.adapters.journal.store import Journal
from edge.adapters.review_folder import SpoolReviews
from edge.core.licence import Terms
from edge.core.payloads import BoardRef, ModelRef
from edge.core.review import Review, Said
from edge.core.verdict import Reason
from edge.core.wire import Encoder, Topics, VerdictMessage, timestamp
from edge.feedback.licences import Licences
from edge.feedback.telling import Release
from tests.support.builders import make_point, make_verdict

MODEL = ModelRef(name="tiny", version="1.0.0", digest="sha256:a")
POINTS = [make_point("recall-0.99", 0.1), make_point("recall-0.95", 0.3)]
RELEASE = Release("licensed", Terms(0.2, 0.8), 0.05, {MODEL.digest: POINTS}, {MODEL.digest: MODEL})
START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


class Device:
    """A journal, a spool, and the licences kept by them; ``start`` does what a restart does."""

    def __init__(self, root: Path) -> None:
        self.path, self.release, self.time = root / "journal.db", RELEASE, START
        (root / "spool").mkdir(exist_ok=True)
        self.spool, self._numbers = SpoolReviews(root / "spool"), count(1)
        self.start()

    def start(self) -> None:
        encoder = Encoder("axi1", Topics("base"), "0", MODEL)
        self.book = JournalLicences(self.path)
        self.licences = Licences(
            self.book, self.spool, lambda: self.release, lambda: encoder, lambda: self.time, lambda: None
        )

    def back_up(self, to: Path) -> None:
        """Copy the journal, as it lies while the device is off; and go on."""
        self.book.close()
        shutil.copy(self.path, to)
        self.start()

    def put_back(self, backup: Path | None) -> None:
        """This journal, or none, lies there now; the device is off."""
        self.book.close()
        for left in self.path.parent.glob("journal.db*"):
            left.unlink()
        if backup:
            shutil.copy(backup, self.path)

    def board(self, joints: int, *, score: float = 0.9, sampled: bool = True, reason: Reason | None = None) -> str:
        """Inspect a board of type MB-7; its job."""
        job, journal = f"L{next(self._numbers)}", Journal(self.path)
        entry = journal.open_job(f"sha256:{job}", job, joints, self.time)
        journal.record(entry, [self._verdict(f"J{n}", job, score, reason, sampled=sampled) for n in range(joints)])
        journal.close_job(entry, [], refused=False, now=self.time)
        journal.close()
        return job

    def _verdict(self, joint: str, job: str, score: float, reason: Reason | None, *, sampled: bool) -> VerdictMessage:
        said = make_verdict(joint, job)
        board = BoardRef(serial=job, type="MB-7")
        payload = msgspec.structs.replace(
            said.payload, p_defect=score, reason=reason, board=board, model=MODEL, time=timestamp(self.time)
        )
        return said._replace(payload=payload, joint_type="PTH", sampled=sampled)

    def review(
        self, job: str, joints: int, said: Said, *, first: int = 0, settled: bool = False, by: str = "r1"
    ) -> None:
        book = JournalReviews(self.path)
        who = "lab" if settled else by
        book.enter(
            [
                Review(
                    str(uuid.UUID(int=next(self._numbers))),
                    "now",
                    said,
                    who,
                    job_id=job,
                    joint=f"J{n}",
                    settled=settled,
                )
                for n in range(first, first + joints)
            ],
            "a.csv",
            self.time,
        )
        book.close()

    def measure_reviewer(self) -> None:
        job = self.board(150)
        for settled in (True, False):
            self.review(job, 50, Said.DEFECT, settled=settled)
            self.review(job, 100, Said.FALSE_CALL, first=50, settled=settled)

    def prove(self, defects: int) -> None:
        """Boards of five defects, which the network finds, and the reviewer too."""
        for _ in range(defects // 5):
            self.review(self.board(5), 5, Said.DEFECT)

    def earn(self) -> None:
        self.measure_reviewer()
        self.prove(60)
        self.licences.step()
        assert self.permit.rule == POINTS[1]

    @property
    def permit(self) -> Any:
        return self.licences.permit("MB-7", "PTH", MODEL.digest)

    def heard(self, part: str) -> list[dict[str, Any]]:
        journal = Journal(self.path)
        messages = [row.message for row in journal.pending(10_000) if part in row.message.topic]
        journal.close()
        return [msgspec.json.decode(message.payload) for message in messages]

    def states(self) -> list[str]:
        return [one["state"] for one in self.heard("/licence/MB-7/PTH")]
