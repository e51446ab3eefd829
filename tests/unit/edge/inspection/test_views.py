"""Views that are not what they claim to be: doubted, said once, and kept to learn from."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from msgspec import msgpack
from msgspec.structs import replace

from edge.core.job import Board, Job
from edge.core.learning import LEAST_BOARDS
from edge.core.reference import Known, Reference
from edge.core.release import Permit
from edge.core.verdict import Call, Decision, Reason, Verdict
from edge.inspection.ports import Shown
from edge.judging.look import look_of
from edge.judging.ports import Batch
from tests.support.builders import make_job, make_point
from tests.support.fake_ledger import FakeReferences
from tests.support.line import Line, alarms, claimed
from tests.support.views import drawing, joints_of_view, pictured, reference_of, sights

RIGHT, OTHER = drawing(1), drawing(2)
VIEW = make_job().views[0].id
NOW = datetime(2026, 11, 21, tzinfo=UTC)
rng = np.random.default_rng(1)


@pytest.fixture(scope="module")
def references() -> dict[str, bytes]:
    return {
        name: msgpack.encode(reference_of(sights(drawn, rng, LEAST_BOARDS)))
        for name, drawn in (("right", RIGHT), ("other", OTHER))
    }


class Camera:
    """Judges everything normal, by pictures of boards of one drawing, or by none."""

    score_ms = 0.0
    looks_ahead = 0

    def __init__(self, shows: Mapping[str, np.ndarray]) -> None:
        self.shows = shows

    def views(
        self, batch: Batch, progressed: Callable[[], None], ahead: Sequence[Batch] = ()
    ) -> Generator[Verdict, None, None]:
        for part in batch.left:
            drawn = self.shows[batch.job.job_id]
            look = look_of(dict(enumerate(pictured(drawn, rng, (0, 0)))), "solder_dark")
            for number, joint in enumerate(part.joints):
                decision = Decision(Call.NORMAL, p_defect=0.01, threshold=0.5)
                shown, own = (batch.job.job_id.encode(),), None if number else look
                yield Verdict(joint.named, decision, 3, 1.0, shown, look=own)


class Always:
    """Licensed, whatever is asked."""

    def permit(self, board_type: str, joint_type: str, digest: str) -> Permit:
        return Permit(make_point("recall-0.95", 0.3), 0.0)

    def closed(self, board_type: str, *, strange: bool) -> None:
        """Nothing is made of it."""


def job_of(name: str, *, view: str = VIEW, board_type: str = "MB-7") -> Job:
    job = make_job(name, joints=1, slices=3)
    views = (replace(job.views[0], id=view),)
    return replace(job, views=views, joints=joints_of_view(view), board=Board(serial=name, type=board_type))


def reasons(line: Line) -> list[set[str | None]]:
    """Of each job's verdicts."""
    found: dict[str, set[str | None]] = {}
    for verdict in line.verdicts():
        found.setdefault(verdict.job_id, set()).add(verdict.reason and verdict.reason.value)
    return list(found.values())


def line_of(jobs: Sequence[Job], shows: Sequence[np.ndarray], **parts: object) -> Line:
    camera = Camera({job.job_id: drawn for job, drawn in zip(jobs, shows, strict=True)})
    line = Line([claimed(job) for job in jobs], judge=camera, **parts)
    line.run()
    return line


def test_a_view_that_is_not_what_was_learnt_goes_to_the_specialist(references: dict[str, bytes]) -> None:
    known = FakeReferences({("MB-7", VIEW): [references["right"]]})
    jobs = [job_of(f"L-{n}") for n in range(5)]
    line = line_of(jobs, [RIGHT, OTHER, OTHER, RIGHT, OTHER], references=known, repeated_days=7)
    doubt, right = {Reason.VIEW_UNFAMILIAR.value}, {None}
    assert reasons(line) == [right, doubt, doubt, right, doubt]
    assert [verdict.p_defect for verdict in line.verdicts()] == [0.01] * 60, "what the network says stands beside it"
    assert alarms(line) == ["view_unfamiliar"] * 2, "once, and again after one was right"
    kept = [(row, view) for row, view, _ in line.ledger.sights]
    assert kept == [(2, VIEW), (3, VIEW), (5, VIEW)], "right ones teach nothing new"


def test_a_doubted_picture_was_not_judged_by_and_may_come_again(references: dict[str, bytes]) -> None:
    known = FakeReferences({("MB-7", VIEW): [references["right"]]})
    line = line_of([job_of("L-0")], [OTHER], references=known, repeated_days=7)
    entry = line.ledger.open_job("sha256:later", "L-9", 1, NOW)
    assert line.ledger.shown_before(entry, Shown("v", (b"L-0",)), NOW) is None
    believed = line_of([job_of("L-0")], [RIGHT], references=known, repeated_days=7)
    entry = believed.ledger.open_job("sha256:later", "L-9", 1, NOW)
    assert believed.ledger.shown_before(entry, Shown("v", (b"L-0",)), NOW) == "L-0"


def test_any_of_a_views_references_will_do(references: dict[str, bytes]) -> None:
    """Two revisions of a board take turns."""
    known = FakeReferences({("MB-7", VIEW): [references["right"], references["other"]]})
    line = line_of([job_of("L-0"), job_of("L-1")], [RIGHT, OTHER], references=known)
    assert reasons(line) == [{None}, {None}]
    assert alarms(line) == []


def test_while_nothing_is_known_every_view_is_learnt_from() -> None:
    line = line_of([job_of("L-0"), job_of("L-1", board_type="")], [RIGHT, RIGHT], permits=Always())
    assert reasons(line) == [{None}, {None}]
    kept = [(row, len(sight.boxes.joints)) for row, _, sight in line.ledger.sights]
    assert kept == [(1, 12)], "of a board with a type"
    full = line_of([job_of("L-0")], [RIGHT], references=FakeReferences(room=False))
    assert full.ledger.sights == []


def test_no_licence_holds_for_an_unknown_view_of_a_known_board_type(references: dict[str, bytes]) -> None:
    """Nobody could tell what it shows: renaming a view must not open the door."""
    known = FakeReferences({("MB-7", VIEW): [references["right"]]})
    jobs = [job_of("L-0"), job_of("L-1", view="new"), job_of("L-2", view="new", board_type="MB-8")]
    line = line_of(jobs, [RIGHT] * 3, references=known, permits=Always())
    assert reasons(line) == [{None}, {Reason.LEARNING.value}, {None}]
    assert line.sampled >= {"J0"}, "and its reviews are evidence"


def test_a_reference_that_cannot_be_read_releases_nothing(references: dict[str, bytes]) -> None:
    right = msgpack.decode(references["right"], type=Reference)
    damaged = [
        b"of another version",
        references["right"][:-200],
        msgpack.encode(replace(right, ranges=right.ranges[:1])),
        msgpack.encode(replace(right, weights=bytes(len(right.weights)))),
        msgpack.encode(replace(right, spread=float("nan"))),
    ]
    for raw in damaged:
        known = FakeReferences({("MB-7", VIEW): [raw]})
        line = line_of([job_of("L-0")], [RIGHT], references=known, permits=Always())
        assert reasons(line) == [{Reason.LEARNING.value}]
        assert len(line.ledger.sights) == 1


def test_the_card_alone_releases_what_looks_right_and_nothing_else(references: dict[str, bytes]) -> None:
    known = FakeReferences({("MB-7", VIEW): [references["right"]]})
    jobs = [job_of("L-0"), job_of("L-1", view="new"), job_of("L-2")]
    line = line_of(jobs, [RIGHT, RIGHT, OTHER], references=known)
    assert reasons(line) == [{None}, {Reason.VIEW_UNFAMILIAR.value}, {Reason.VIEW_UNFAMILIAR.value}]


def test_nothing_is_learnt_from_what_is_known_as_a_mistake(references: dict[str, bytes]) -> None:
    known = FakeReferences({("MB-7", VIEW): [references["right"]]})
    mirrored = np.ascontiguousarray(RIGHT[:, :, ::-1])
    line = line_of([job_of("L-0"), job_of("L-1")], [mirrored, OTHER], references=known)
    assert reasons(line) == [{Reason.VIEW_UNFAMILIAR.value}] * 2
    assert [row for row, _, _ in line.ledger.sights] == [2], "a new look may become a right one, a mirrored one never"


def test_another_view_is_asked_only_where_the_two_are_told_apart(references: dict[str, bytes]) -> None:
    """Boards of a panel look alike; a view must not be refused for looking like another."""
    first = references["right"]
    again = reference_of(sights(RIGHT, rng, LEAST_BOARDS), {VIEW: Known(msgpack.decode(first, type=Reference))})
    assert again.told_views == ()
    known = FakeReferences({("MB-7", VIEW): [first], ("MB-7", "twin"): [msgpack.encode(again)]})
    line = line_of([job_of(f"L-{n}") for n in range(20)], [RIGHT] * 20, references=known)
    assert reasons(line) == [{None}] * 20
