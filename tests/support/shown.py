"""Boards whose slices show what their files say, and those who judge them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from edge.core.decide import Answer
from edge.core.errors import SliceError
from edge.core.job import ImageFormat, Job, SliceFile
from edge.core.preprocess import Patch, Picture
from edge.core.verdict import Call, Reason, Verdict
from edge.judging.client import Judges
from edge.judging.decider import Decider
from edge.judging.judge import Judge
from edge.judging.ports import Batch, views_of
from tests.support.builders import make_job
from tests.support.fakes import FakeWorker
from tests.support.line import CARD, DEFECT, NORMAL

SOUND, FAULTY, TORN = b"sound", b"faulty", b"torn"
SAYS = {SOUND: Call.NORMAL, FAULTY: Call.DEFECT, TORN: Call.UNJUDGED}


class Reader:
    """Slices that show what their files say; ``read``: how often each was."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, folder: Path, part: SliceFile, _: ImageFormat) -> Picture:
        said = (folder / part.file).read_bytes()
        self.read.append(f"{(folder.resolve() / part.file)}")
        if said == TORN:
            raise SliceError(Reason.SLICE_UNREADABLE, f"{part.file}: torn")
        slope = np.arange(96, dtype=np.uint8)
        return Picture(np.broadcast_to(slope + (150 if said == FAULTY else 0), (96, 96)))


class Scorer:
    exact = True

    def run(self, patch: Patch) -> Answer:
        return Answer(DEFECT if patch.max() > 150 else NORMAL)


def worker(reader: Reader, *, late: bool = False, dies_at: Collection[int] = (), takes_one: bool = False) -> FakeWorker:
    decider = Decider(CARD, CARD.rule(), [Scorer()], lambda: 0.0)
    judge = Judge(dict.fromkeys(CARD.joint_types, decider), reader, lambda: 0.0)
    made = FakeWorker(judge, late=late, dies_at=dies_at)
    made.takes_one = takes_one
    return made


def started(workers: Sequence[FakeWorker]) -> Judges:
    judges = Judges(workers, lambda: 0.0)  # type: ignore[arg-type]
    judges.start(lambda: None)
    return judges


class Board:
    """A job in a folder of its own, whose joints carry its name."""

    def __init__(self, root: Path, name: str, said: Sequence[bytes], joints: int) -> None:
        job = make_job(name, joints=joints, views=len(said), slices=1)
        named = tuple(msgspec.structs.replace(joint, refdes=name) for joint in job.joints)
        self.job: Job = msgspec.structs.replace(job, joints=named)
        self.folder, self.name = root / name, name
        self.folder.mkdir()
        for view, word in zip(self.job.views, said, strict=True):
            (self.folder / view.slices[0].file).write_bytes(word)

    def change(self, view: int, said: bytes) -> None:
        file = self.folder / self.job.views[view].slices[0].file
        new = file.with_suffix(".new")
        new.write_bytes(said)
        new.replace(file)

    def move(self) -> None:
        """As it is claimed; its sender gives the same name to another job, which shows something else."""
        before, self.folder = self.folder, self.folder.rename(self.folder.with_name(f"{self.folder.name}-moved"))
        before.mkdir()
        for view in self.job.views:
            file = view.slices[0].file
            (before / file).write_bytes(SOUND if (self.folder / file).read_bytes() == FAULTY else FAULTY)

    def batch(self, decided: Collection[str] = (), most: int | None = None) -> Batch:
        return Batch(self.job, self.folder, views_of(self.job, decided)[:most], self.name)

    def truth(self) -> dict[str, Call]:
        """By joint, what the files say now."""
        words = {view.id: (self.folder / view.slices[0].file).read_bytes() for view in self.job.views}
        return {joint.id: SAYS[words[joint.view]] for joint in self.job.joints}


def told(verdicts: Sequence[Verdict]) -> dict[str, Call]:
    return {verdict.joint.id: verdict.decision.call for verdict in verdicts}


@contextmanager
def boards(*said: Sequence[bytes], joints: int = 2) -> Iterator[list[Board]]:
    with tempfile.TemporaryDirectory() as root:
        yield [Board(Path(root), f"L-{i}", words, joints) for i, words in enumerate(said)]
