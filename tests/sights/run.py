"""``make views``: wrong pictures before a device that knows the views of some board types. Writes ``docs/views.md``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import numpy as np
from rich.progress import track

from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.bundle.shipped import WORD, bundle_folder
from edge.core.job import ImageFormat, Job, SliceFile, View
from edge.core.learning import LEAST_BOARDS, learnt
from edge.core.looks import Sight
from edge.core.preprocess import Picture, to_polarity
from edge.core.reference import Known
from edge.core.verdict import Call, Verdict
from edge.inspection.gallery import Gallery, boxes_of
from edge.jobs.folder import open_folder, read_job
from edge.judging.judge import Judge
from edge.judging.loading import load_models
from edge.judging.messages import Choice, Load
from edge.judging.ports import Batch, ViewToJudge
from edge.judging.slices import read_slice
from tests.sights.kinds import NO_JOINT, WRONG, Scene, Stack, Wrong
from tests.sights.page import PAGE, Outcome, Types, page
from tests.support.fake_ledger import FakeReferences

TYPES, FIRST_TYPE, SEED = 4, 9_000, 21
LEARNT, RIGHT, WRONGED = 24, 50, 5
"""Boards of each type: to learn from (20 are needed; some may be odd), to be right, of these to be spoilt."""
JOINTS = 60
"""On a board: two views."""


class Board(NamedTuple):
    """A board as it lies in the lot; ``labels``: 1 for a defect."""

    job: Job
    folder: Path
    labels: Mapping[str, int]

    @property
    def kind(self) -> str:
        return self.job.board.type

    def stack(self, view: View) -> Stack:
        """Its slices, where solder is dark."""
        stored = self.job.image.polarity
        read = (read_slice(self.folder, part, self.job.image).grey for part in view.slices)
        return np.stack([to_polarity(grey, stored, "solder_dark") for grey in read])


class Memory:
    """Reads slices from what is shown, not from the disk."""

    def __init__(self) -> None:
        self.shown: Stack = np.zeros((0, 1, 1), np.uint8)

    def __call__(self, folder: Path, part: SliceFile, image: ImageFormat) -> Picture:
        return Picture(to_polarity(self.shown[part.index], "solder_dark", image.polarity))


class Rig:
    """The shipped network, and a gallery of what is known."""

    def __init__(self) -> None:
        self._memory, self.references = Memory(), FakeReferences(room=False)
        choice = Choice(bundle=str(bundle_folder(WORD)).encode())
        deciders = load_models(Load(choices=(choice,))).judge._deciders
        self._judge = Judge(deciders, self._memory, lambda: 0.0)
        self._gallery = Gallery(self.references)

    def judged(self, board: Board, view: View, shown: Stack) -> list[Verdict]:
        """The joints of a view by other pictures than its own."""
        self._memory.shown = shown
        parts = tuple(SliceFile(index=index, file=f"{index}.png") for index in range(len(shown)))
        other = msgspec.structs.replace(view, slices=parts)
        batch = Batch(board.job, board.folder, [ViewToJudge(other, tuple(board.job.joints_of(view)))])
        return list(self._judge.views(batch, lambda: None))

    def sight(self, board: Board, view: View) -> Sight:
        look = self.judged(board, view, board.stack(view))[0].look
        assert look is not None
        return Sight(look, boxes_of(board.job.joints_of(view)))

    def outcome(self, board: Board, view: View, shown: Stack) -> Outcome:
        verdicts = self.judged(board, view, shown)
        compared = self._gallery.compare(board.kind, view.id, verdicts[0].look, board.job.joints_of(view))
        normal = [verdict.decision.call is Call.NORMAL for verdict in verdicts]
        labels = [board.labels[verdict.joint.id] for verdict in verdicts]
        return Outcome(tuple(labels), tuple(normal), compared.doubt or ("unknown" if compared.unknown else ""))


def boards_of(lot: Path) -> list[Board]:
    with (lot / "truth.csv").open() as file:
        rows = list(csv.DictReader(file))
    labels: dict[str, dict[str, int]] = {}
    for row in rows:
        labels.setdefault(row["job_id"], {})[row["joint"]] = int(row["label"])
    folders = sorted(path for path in lot.iterdir() if path.is_dir())
    jobs = [(read_job(open_folder(folder))[0], folder) for folder in folders]
    return [Board(job, folder, labels[job.job_id]) for job, folder in jobs]


def learn(rig: Rig, boards: Sequence[Board]) -> Types:
    """Every view of every board type; how many boards each took, and what it cannot tell."""
    found: Types = {}
    for kind in sorted({board.kind for board in boards}):
        own = [board for board in boards if board.kind == kind][:LEARNT]
        known: dict[str, Known] = {}
        for view in own[0].job.views:
            sights = [rig.sight(board, board.job.views[own[0].job.views.index(view)]) for board in own]
            for count in range(LEAST_BOARDS, LEARNT + 1):
                reference = learnt(sights[:count], known).reference
                if reference is not None:
                    known[view.id] = Known(reference)
                    rig.references.add(kind, view.id, msgspec.msgpack.encode(reference))
                    found[kind, view.id] = count, reference.missed
                    break
            else:
                found[kind, view.id] = 0, ()
    return found


def scenes(boards: Sequence[Board]) -> Iterator[tuple[Board, View, Scene]]:
    """Views of boards, and what could be shown instead."""
    for number, board in enumerate(boards):
        other = next(one for one in (*boards[number + 1 :], *boards) if one.kind != board.kind)
        stacks = [board.stack(view) for view in board.job.views]
        for place, view in enumerate(board.job.views):
            yield board, view, Scene(stacks[place], stacks[place - 1], other.stack(other.job.views[0]))


def spoilt(rig: Rig, boards: Sequence[Board], kinds: Mapping[str, Wrong]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {name: [] for name in kinds}
    rng = np.random.default_rng(SEED)
    for board, view, scene in track(list(scenes(boards)), "wrong pictures"):
        for name, wrong in kinds.items():
            found[name].append(rig.outcome(board, view, wrong(scene, rng)))
    return found


def main(words: Sequence[str]) -> int:
    """``words``: how many boards of a type to judge, for a look."""
    right = int(words[0]) if words else RIGHT
    with TemporaryDirectory() as work:
        plan = LotPlan(
            boards=TYPES * (LEARNT + right),
            joints=JOINTS * TYPES * (LEARNT + right),
            seed=SEED,
            types=TYPES,
            first_type=FIRST_TYPE,
            alike=True,
        )
        for _ in track(simulate_lot(Path(work) / "lot", plan), "boards", total=plan.boards):
            pass
        rig, boards = Rig(), boards_of(Path(work) / "lot")
        known = learn(rig, boards)
        rest = boards[TYPES * LEARNT :]
        honest = [
            rig.outcome(board, view, board.stack(view))
            for board in track(rest, "right pictures")
            for view in board.job.views
        ]
        some = rest[: TYPES * WRONGED]
        wrong, none = spoilt(rig, some, WRONG), spoilt(rig, some[:TYPES], NO_JOINT)
    PAGE.write_text(page(known, len(rest), honest, wrong, none), "utf-8")
    print(PAGE.read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
