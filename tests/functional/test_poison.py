"""A job that kills the process that judges it: a real journal, a real spool, real kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.adapters.journal.store import Journal
from edge.adapters.spool import FolderSpool
from edge.core.payloads import VerdictPayload
from edge.core.verdict import Call, Reason
from edge.inspection.loop import MOST_DEATHS
from edge.judging.slices import read_slice
from tests.support.builders import make_job, write_job
from tests.support.fakes import FakeScorer
from tests.support.line import Line

PROGRAM = "import sys; from tests.functional.test_poison import judge_all; judge_all(sys.argv[1])"


def judge_all(place: str) -> None:
    """Every job in the spool; over the one called poison the process dies, as by a segmentation fault."""
    spool = FolderSpool(Path(place, "spool"))

    def read(folder: Path, *rest: Any) -> Any:
        if folder.name == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        return read_slice(folder, *rest)

    scorer = FakeScorer(np.zeros((1, 4), np.uint8))
    Line([], spool=spool, ledger=Journal(Path(place, "journal.db")), reader=read, scorer=scorer).run()


def test_a_job_that_kills_its_judge_is_set_aside_and_the_line_goes_on(tmp_path: Path) -> None:
    incoming = tmp_path / "spool" / "incoming"
    for name, joints in (("poison", 3), ("sound", 2)):
        write_job(incoming, make_job(name, joints=joints))
    os.utime(incoming / "poison", (1, 1))  # the older one comes first

    def life() -> int:
        return subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=False).returncode

    assert [life() for _ in range(MOST_DEATHS)] == [-signal.SIGKILL] * MOST_DEATHS
    assert life() == 0
    reason = (tmp_path / "spool" / "rejected" / "poison" / "reason.json").read_text()
    assert f"died {MOST_DEATHS} times" in reason
    assert (tmp_path / "spool" / "done" / "sound").is_dir()
    sent = [row.message for row in Journal(tmp_path / "journal.db").pending(100)]
    verdicts = [
        msgspec.json.decode(message.payload, type=VerdictPayload) for message in sent if "/verdict/" in message.topic
    ]
    assert [(verdict.job_id, verdict.verdict, verdict.reason) for verdict in verdicts] == [
        *[("poison", Call.UNJUDGED, Reason.JOB_REFUSED)] * 3,
        *[("sound", Call.NORMAL, None)] * 2,
    ]
    assert sum("/alarm" in message.topic for message in sent) == 1
