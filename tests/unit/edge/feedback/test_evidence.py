"""Reviews as evidence: whose word counts, for what, and in which order."""

from __future__ import annotations

from itertools import count

from edge.core.licence import Act, Deed, State, Terms
from edge.core.review import Said
from edge.feedback.evidence import Evidence
from edge.feedback.ports import ActHeld, Key, Spoken
from tests.support.builders import make_point

KEY = Key("MB-7", "PTH", "sha256:a")
TERMS = Terms(0.05, 0.95)
POINTS = [make_point("recall-0.99", 0.1), make_point("recall-0.95", 0.3)]
_numbers = count(1)


def _said(event: str, said: Said, reviewer: str = "r1", **changes: object) -> Spoken:
    number = next(_numbers)
    spoken = Spoken(number, number, event, KEY, 0.9, said, reviewer, settled=False, sampled=True)
    return spoken._replace(**changes)  # type: ignore[arg-type]


def _record(reviewer: str = "r1") -> list[Spoken]:
    """A reviewer who was right about 60 defects and 150 good joints whose truth was settled before."""
    truth = [(f"known-{reviewer}-{n}", Said.DEFECT if n < 60 else Said.FALSE_CALL) for n in range(210)]
    settled = [_said(event, said, "lab", settled=True, sampled=False) for event, said in truth]
    return [*settled, *(_said(event, said, reviewer) for event, said in truth)]


def _defects(number: int, **changes: object) -> list[Spoken]:
    return [_said(f"defect-{next(_numbers)}", Said.DEFECT, **changes) for _ in range(number)]


def _state(spoken: list[Spoken], *acts: ActHeld) -> tuple[State, int]:
    evidence = Evidence(TERMS, {KEY.digest: POINTS})
    evidence.take(spoken)
    line = evidence.lines[KEY]
    standing = line.course(acts).standing()
    return standing.state, standing.reviewed


def test_joints_of_known_truth_measure_the_reviewer_and_are_no_evidence() -> None:
    assert _state(_record()) == (State.LEARNING, 0)
    assert _state([*_record(), *_defects(200)]) == (State.LICENSED, 200)


def test_what_a_reviewer_says_before_the_truth_is_settled_measures_nobody() -> None:
    """Or claimed escapes that were settled would all speak for whoever claimed them."""
    looks = [_said(f"e{n}", Said.DEFECT) for n in range(300)]
    settled = [_said(f"e{n}", Said.DEFECT, "lab", settled=True) for n in range(300)]
    evidence = Evidence(TERMS, {KEY.digest: POINTS})
    evidence.take([*looks, *settled])
    assert evidence.relied_on == {}


def test_a_claimed_escape_that_is_settled_as_a_false_call_no_longer_counts() -> None:
    claims = [_said(f"claim-{n}", Said.DEFECT, score=0.01) for n in range(10)]
    heard = [*_record(), *claims, *_defects(200)]
    assert _state(heard)[0] is State.LEARNING
    settled = [_said(f"claim-{n}", Said.FALSE_CALL, "lab", settled=True) for n in range(10)]
    assert _state([*heard, *settled]) == (State.LICENSED, 210)


def test_of_two_reviews_of_a_joint_the_graver_counts_whenever_it_comes() -> None:
    evidence = Evidence(TERMS, {KEY.digest: POINTS})
    evidence.take([*_record(), *_defects(200)])
    line = evidence.lines[KEY]
    assert line.course(()).state is State.LICENSED
    for number in range(20):
        evidence.take([_said(f"late-{number}", Said.FALSE_CALL, score=0.01)])
    assert line.course(()).state is State.LICENSED
    for number in range(20):
        evidence.take([_said(f"late-{number}", Said.DEFECT, "r2", score=0.01)])
    assert line.course(()).state is not State.LICENSED


def test_folding_as_reviews_come_gives_what_folding_all_at_once_does() -> None:
    heard = [*_record(), *_defects(80), *_defects(5, score=0.2), *_defects(120), *_defects(30, reviewer="stranger")]
    evidence = Evidence(TERMS, {KEY.digest: POINTS})
    for one in heard:
        evidence.take([one])
        line = evidence.lines[KEY]
        bit_by_bit = line.course(()).standing()
    at_once = Evidence(TERMS, {KEY.digest: POINTS})
    at_once.take(heard)
    assert bit_by_bit == at_once.lines[KEY].course(()).standing()


def test_an_act_comes_between_the_reviews_that_it_came_between() -> None:
    record, before, after = _record(), _defects(200), _defects(10)
    lifted = ActHeld("MB-7", None, None, Act(Deed.LIFT, "kim", ""), after=before[-1].placed)
    assert _state([*record, *before, *after], lifted) == (State.LEARNING, 10)


def test_joints_that_were_not_drawn_or_scored_and_other_bundles_are_no_evidence() -> None:
    other = Key("MB-7", "PTH", "sha256:b")
    heard = [
        *_record(),
        *_defects(100, sampled=False),
        *_defects(100, score=None),
        *_defects(100, key=other),
        *_defects(100, key=KEY._replace(board_type="")),
    ]
    evidence = Evidence(TERMS, {KEY.digest: POINTS})
    evidence.take(heard)
    assert set(evidence.lines) == {KEY}
    assert _state(heard) == (State.LEARNING, 0)


def test_of_joints_that_nobody_drew_only_defects_are_heard_of_and_what_is_settled_changes_that() -> None:
    evidence = Evidence(TERMS, {KEY.digest: POINTS})
    evidence.take(_record())
    claim = _said("near", Said.DEFECT, score=0.2, sampled=False)
    evidence.take([claim, _said("good", Said.FALSE_CALL, score=0.2, sampled=False)])
    joints = evidence.lines[KEY].joints
    heard = joints["near"].trial(POINTS, evidence.relied_on)
    assert heard is not None
    assert (heard.drawn, heard.released) == (False, (False, True))
    assert joints["good"].trial(POINTS, evidence.relied_on) is None
    evidence.take([_said("near", Said.FALSE_CALL, "lab", settled=True, score=0.2, sampled=False)])
    assert joints["near"].trial(POINTS, evidence.relied_on) is None
