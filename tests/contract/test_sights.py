"""What the journal keeps of views, and what is learnt of it: sights, reviews of their joints, references."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.adapters.journal.reviews import JournalReviews
from edge.adapters.journal.sights import JournalSights
from edge.adapters.journal.store import Journal
from edge.adapters.journal.view import views
from edge.core.learning import LEAST_BOARDS
from edge.core.looks import Sight
from edge.core.payloads import BoardRef, ModelRef
from edge.core.reference import Known, Reference
from edge.core.review import Review, Said
from edge.feedback.sight_book import Place
from edge.feedback.sights import MOST_OF_A_VIEW, Learning
from edge.inspection.ports import References, Shown
from tests.support.builders import make_point, make_verdict
from tests.support.fake_ledger import FakeReferences
from tests.support.views import drawing, reference_of, sights

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
MODEL = ModelRef(name="tiny", version="1.0.0", digest="sha256:a")
RULES = {MODEL.digest: [make_point("recall-0.99", 0.1), make_point("recall-0.95", 0.3)]}
HERE = Place("MB-7", "top-1")
RIGHT, OTHER = drawing(1), drawing(2)


class Device:
    """A journal with boards of type MB-7, whose joints J0 to J3 lie in one view."""

    def __init__(self, root: Path) -> None:
        self.path, self._numbers = root / "journal.db", count(1)
        self.journal, self.reviews = Journal(self.path), JournalReviews(self.path)
        self.sights = JournalSights(self.path)
        self.learning = Learning(self.sights, lambda: RULES, lambda: self.time)
        self.time = NOW

    def board(self, sight: Sight, scores: Sequence[float], *, board_type: str = "MB-7") -> str:
        """Inspect one; its job."""
        job = f"L{next(self._numbers)}"
        entry = self.journal.open_job(f"sha256:{job}", job, len(scores), self.time)
        verdicts = []
        for number, score in enumerate(scores):
            said = make_verdict(f"J{number}", job)
            board = BoardRef(serial=job, type=board_type)
            payload = msgspec.structs.replace(said.payload, p_defect=score, board=board, model=MODEL)
            verdicts.append(said._replace(payload=payload))
        self.journal.record(entry, verdicts, Shown("top-1", (), sight))
        return job

    def review(self, job: str, said: Sequence[Said], *, settled: bool = False) -> None:
        names = [str(uuid.UUID(int=next(self._numbers))) for _ in said]
        reviews = [
            Review(name, "now", word, "r1", job_id=job, joint=f"J{number}", settled=settled)
            for number, (name, word) in enumerate(zip(names, said, strict=True))
        ]
        self.reviews.enter(reviews, "a.csv", self.time)

    def boards(self, drawn: np.ndarray, number: int, *, agreeing: bool = True) -> None:
        """Inspected and reviewed."""
        for sight in sights(drawn, np.random.default_rng(next(self._numbers)), number):
            job = self.board(sight, [0.9, 0.05, 0.05, 0.05])
            self.review(job, AGREEING if agreeing else DISAGREEING)

    @property
    def learnt(self) -> list[Reference]:
        """Of the view, the newest first."""
        numbers = self.sights.learnt("MB-7").get("top-1", [])
        return [msgspec.msgpack.decode(self.sights.reference(number), type=Reference) for number in numbers]


AGREEING = [Said.DEFECT, Said.FALSE_CALL, Said.FALSE_CALL]
DISAGREEING = [Said.FALSE_CALL, Said.DEFECT, Said.DEFECT]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    found = Device(tmp_path)
    yield found
    for part in (found.journal, found.reviews, found.sights):
        part.close()


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(sights(RIGHT, np.random.default_rng(1), LEAST_BOARDS))


@pytest.mark.parametrize("kind", ["fake", "sqlite"])
def test_references_are_found_by_board_type_and_view_the_newest_first(
    kind: str, device: Device, reference: Reference
) -> None:
    fake = FakeReferences()
    asked: References = fake if kind == "fake" else device.sights
    assert asked.learnt("MB-7") == {}
    assert asked.wanted("MB-7", "top-1")
    for board_type, view, boards in (
        ("MB-7", "top-1", 20),
        ("MB-7", "top-1", 21),
        ("MB-7", "low", 22),
        ("MB-8", "low", 23),
    ):
        one = msgspec.structs.replace(reference, boards=boards)
        fake.add(board_type, view, msgspec.msgpack.encode(one))
        device.sights.learn(Place(board_type, view), one, (), NOW)
    found = {
        view: [msgspec.msgpack.decode(asked.reference(number), type=Reference).boards for number in numbers]
        for view, numbers in asked.learnt("MB-7").items()
    }
    assert found == {"top-1": [21, 20], "low": [22]}


def test_boards_whose_reviews_agree_are_learnt_from(device: Device) -> None:
    device.boards(RIGHT, LEAST_BOARDS - 1)
    device.learning.step()
    assert device.learnt == []
    device.boards(RIGHT, 1)
    device.learning.step()
    (found,) = device.learnt
    assert found.boards == LEAST_BOARDS
    known, rng = Known(found), np.random.default_rng(5)
    assert {known.doubt(sight).text for sight in sights(RIGHT, rng, 10)} == {""}
    assert all(known.doubt(sight).text for sight in sights(OTHER, rng, 10))
    assert device.sights.sights(HERE) == [], "their pictures are not kept"


def test_boards_whose_reviews_say_otherwise_are_not(device: Device) -> None:
    device.boards(RIGHT, LEAST_BOARDS, agreeing=False)
    device.learning.step()
    assert device.learnt == []


def test_nor_are_boards_that_nobody_is_sure_of(device: Device) -> None:
    for sight in sights(RIGHT, np.random.default_rng(2), LEAST_BOARDS):
        device.review(device.board(sight, [0.9, 0.05, 0.05, 0.05]), [Said.UNSURE] * 3)
    device.learning.step()
    assert device.learnt == []


def test_what_settles_a_joint_counts_before_what_was_seen(device: Device) -> None:
    for sight in sights(RIGHT, np.random.default_rng(3), LEAST_BOARDS):
        job = device.board(sight, [0.9, 0.05, 0.05, 0.05])
        device.review(job, DISAGREEING)
        device.review(job, AGREEING, settled=True)
    device.learning.step()
    assert len(device.learnt) == 1


def test_a_board_that_looks_otherwise_is_no_obstacle(device: Device) -> None:
    device.boards(OTHER, 2)
    device.boards(RIGHT, LEAST_BOARDS)
    device.learning.step()
    (found,) = device.learnt
    assert found.boards == LEAST_BOARDS


def test_a_changed_layout_is_learnt_beside_the_old_one_and_the_oldest_is_forgotten(device: Device) -> None:
    drawings = [drawing(seed) for seed in (11, 12, 13, 14, 15, 16)]
    for number, drawn in enumerate(drawings):
        device.boards(drawn, LEAST_BOARDS)
        device.learning.step()
        assert len(device.learnt) == min(number + 1, 5)
    rng = np.random.default_rng(6)
    for drawn, known in zip(drawings, [False, True, True, True, True, True], strict=True):
        (seen,) = sights(drawn, rng, 1)
        assert any(not Known(one).doubt(seen).text for one in device.learnt) is known


def test_there_is_room_for_some_boards_and_it_is_made_for_younger_ones(device: Device) -> None:
    rng = np.random.default_rng(7)
    for seed in range(100, 100 + MOST_OF_A_VIEW):  # no two of them alike, as no line would have it
        (sight,) = sights(np.roll(drawing(seed), tuple(rng.integers(0, 256, 2)), (1, 2)), rng, 1)
        device.review(device.board(sight, [0.9, 0.05, 0.05, 0.05]), AGREEING)
    assert not device.sights.wanted(*HERE)
    assert device.sights.wanted("MB-7", "top-2")
    device.learning.step()
    device.learning.step()
    assert device.sights.wanted(*HERE)
    assert device.learnt == []
    for _ in range(3):
        if not device.learnt:
            device.boards(RIGHT, LEAST_BOARDS)
            device.learning.step()
    assert len(device.learnt) == 1


def test_one_picture_sent_again_and_again_is_one_board(device: Device) -> None:
    (sight,) = sights(RIGHT, np.random.default_rng(12), 1)
    for _ in range(LEAST_BOARDS):
        device.review(device.board(sight, [0.9, 0.05, 0.05, 0.05]), AGREEING)
    device.learning.step()
    assert device.learnt == []


def test_what_is_forgotten_while_it_is_learnt_stays_forgotten(device: Device) -> None:
    device.boards(RIGHT, LEAST_BOARDS)
    numbers = [held.number for held in device.sights.sights(HERE)]
    reference = reference_of([held.sight for held in device.sights.sights(HERE)])
    assert device.sights.forget("MB-7") == LEAST_BOARDS
    assert not device.sights.learn(HERE, reference, numbers, NOW)
    assert device.learnt == []


def test_what_other_bundles_judged_makes_room(device: Device) -> None:
    for sight in sights(RIGHT, np.random.default_rng(13), MOST_OF_A_VIEW):
        device.review(device.board(sight, [0.9, 0.05, 0.05, 0.05]), AGREEING)
    Learning(device.sights, lambda: {"sha256:new": RULES[MODEL.digest]}, lambda: NOW).step()
    assert device.sights.sights(HERE) == []


def test_boards_that_nobody_reviews_are_forgotten(device: Device) -> None:
    (sight,) = sights(RIGHT, np.random.default_rng(8), 1)
    device.board(sight, [0.9])
    device.board(sight, [0.9], board_type="")
    assert len(device.sights.sights(HERE)) == 1, "and one without a type is never known again"
    device.time += timedelta(days=15)
    device.learning.step()
    assert device.sights.sights(HERE) == []


def test_what_was_learnt_can_be_forgotten(device: Device, reference: Reference) -> None:
    for view in ("top-1", "top-2"):
        device.sights.learn(Place("MB-7", view), reference, (), NOW)
    (sight,) = sights(RIGHT, np.random.default_rng(9), 1)
    device.board(sight, [0.9])
    device.time += timedelta(minutes=1)
    known = [(state.view, state.references, state.waiting, state.boards) for state in views(device.path)]
    assert known == [("top-1", 1, 1, LEAST_BOARDS), ("top-2", 1, 0, LEAST_BOARDS)]
    assert device.sights.forget("MB-7", "top-1") == 2
    assert [state.view for state in views(device.path)] == ["top-2"]
    assert device.sights.forget("MB-7") == 1
    assert views(device.path) == []


def test_what_another_version_made_of_a_view_is_as_good_as_none(device: Device, reference: Reference) -> None:
    """Smaller pictures: a reference of them is said not to be readable, and nothing is learnt from a sight."""
    small = msgspec.structs.replace(reference, means=reference.means[: len(reference.means) // 2])
    device.sights.learn(HERE, small, (), NOW)
    (sight,) = sights(RIGHT, np.random.default_rng(9), 1)
    device.board(sight, [0.9])
    (frame, levels, pictures), boxes = msgspec.msgpack.decode(msgspec.msgpack.encode(sight))
    packed = msgspec.msgpack.encode([[frame, levels, pictures[:-1]], boxes])
    with closing(sqlite3.connect(device.path)) as db, db:
        db.execute("UPDATE sight SET seen = ?", (packed,))
    assert [(state.references, state.boards) for state in views(device.path)] == [(1, 0)]
    assert device.sights.sights(HERE) == []
