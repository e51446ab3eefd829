"""What inspection releases where release must be earned."""

from __future__ import annotations

import pytest

from edge.core.release import NOTHING, Permit, draw
from edge.core.verdict import Call, Reason, Route
from edge.jobs.folder import ClaimedJob
from tests.support.builders import make_job, make_point
from tests.support.fakes import FakeScorer
from tests.support.line import DEFECT, Line, claimed

LICENSED = Permit(make_point("recall-0.99", 0.4), 0.3)


class Permits:
    """Of board type MB-7 alone."""

    def __init__(self, permit: Permit) -> None:
        self.mine, self.asked, self.boards = permit, set[tuple[str, str, str]](), list[tuple[str, bool]]()

    def permit(self, board_type: str, joint_type: str, digest: str) -> Permit:
        self.asked.add((board_type, joint_type, digest))
        return self.mine if board_type == "MB-7" else NOTHING

    def closed(self, board_type: str, *, strange: bool) -> None:
        self.boards.append((board_type, strange))


def _job(board_type: str = "MB-7") -> ClaimedJob:
    """Of 200 joints."""
    return claimed(make_job("L-1", joints=2, views=100, board_type=board_type))


def test_of_a_licensed_type_what_is_not_drawn_is_released_by_the_licences_own_point() -> None:
    permits = Permits(LICENSED)
    line = Line([_job()], permits=permits)
    line.run()
    drawn = {verdict.joint for verdict in line.verdicts() if draw(verdict.event_id) < LICENSED.audit_share}
    assert 0 < len(drawn) < 200
    assert line.sampled == drawn
    for verdict in line.verdicts():
        audit = verdict.joint in drawn
        assert (verdict.verdict, verdict.route, verdict.reason) == (
            (Call.UNJUDGED, Route.SPECIALIST, Reason.AUDIT) if audit else (Call.NORMAL, Route.RELEASE, None)
        )
        assert (verdict.operating_point, verdict.threshold) == ("recall-0.99", 0.4)
    assert permits.asked == {("MB-7", "PTH", "sha256:0")}
    assert permits.boards == [("MB-7", False)]


def test_of_any_other_type_nothing_is_released_and_every_joint_is_evidence() -> None:
    line = Line([_job("MB-8")], permits=Permits(LICENSED))
    line.run()
    assert {(verdict.route, verdict.reason) for verdict in line.verdicts()} == {(Route.SPECIALIST, Reason.LEARNING)}
    assert all(verdict.p_defect is not None for verdict in line.verdicts())
    assert len(line.sampled) == 200


def test_a_defect_stays_one_and_is_evidence_only_if_it_is_drawn() -> None:
    line = Line([_job()], permits=Permits(LICENSED), scorer=FakeScorer(DEFECT))
    line.run()
    assert {(verdict.verdict, verdict.reason) for verdict in line.verdicts()} == {(Call.DEFECT, None)}
    assert 0 < len(line.sampled) < 200


@pytest.mark.parametrize("permit", [NOTHING, LICENSED])
def test_jobs_that_may_have_been_judged_by_a_lost_journal_prove_nothing(permit: Permit) -> None:
    """Of those released then nobody has reviews; those that went to the specialist would pass for all."""
    line = Line([_job()], permits=Permits(permit), judged_before=1_000.0)
    line.run()
    assert len(line.verdicts()) == 200
    assert line.sampled == set()
