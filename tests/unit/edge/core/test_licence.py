"""What is released on which evidence, and how surely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.evidence import Count
from edge.core.licence import Act, By, Course, Deed, Findings, State, Terms, Trial, course_of, released_by
from edge.core.release import Permit, draw, ruled
from edge.core.review import Said
from edge.core.reviewers import Reliance
from edge.core.verdict import Call, Decision, DefectClass, Reason, Route, unjudged
from tests.support.builders import make_point

TERMS = Terms(0.05, 0.95)
POINTS = [make_point("recall-0.99", 0.1), make_point("recall-0.95", 0.3), make_point("recall-0.90", 0.5)]
RELIED = Reliance(0.1, 0.05)
CAUGHT = Trial(released_by(POINTS, 0.9), Said.DEFECT, RELIED)
PASSED_BY_ALL = CAUGHT._replace(released=released_by(POINTS, 0.05))
PASSED_BY_TWO = CAUGHT._replace(released=released_by(POINTS, 0.2))


def _after(*events: Trial | Act) -> State:
    return course_of(TERMS, POINTS, events).standing().state


def test_nothing_is_released_before_evidence() -> None:
    standing = course_of(TERMS, POINTS, []).standing()
    assert (standing.state, standing.rule, standing.escape_bound) == (State.LEARNING, None, 1.0)


def test_clean_defects_earn_the_most_permissive_point_that_they_prove() -> None:
    standing = course_of(TERMS, POINTS, [CAUGHT] * 200).standing()
    assert (standing.state, standing.by, standing.rule) == (State.LICENSED, By.EVIDENCE, POINTS[2])
    assert standing.escape_bound < TERMS.target_escape
    some_pass = course_of(TERMS, POINTS, [CAUGHT, *[CAUGHT, PASSED_BY_TWO] * 3, *[CAUGHT] * 150]).standing()
    assert some_pass.rule == POINTS[0]


@pytest.mark.parametrize("truth", [Said.FALSE_CALL, Said.UNSURE])
def test_only_defects_prove_anything(truth: Said) -> None:
    assert _after(*[CAUGHT._replace(truth=truth)] * 1_000) is State.LEARNING


def test_nobody_is_believed_whose_record_is_unknown() -> None:
    assert _after(*[CAUGHT._replace(reliance=None)] * 1_000) is State.LEARNING


def test_claims_of_those_without_a_record_still_count_against_a_licence() -> None:
    claimed = PASSED_BY_ALL._replace(reliance=None)
    assert _after(*[claimed] * 20, *[CAUGHT] * 200) is State.LEARNING


def test_what_reviewers_may_miss_makes_the_way_longer() -> None:
    def needed(misses: float) -> int:
        course = Course(TERMS, POINTS)
        for number in range(1, 1_000):
            course.add(CAUGHT._replace(reliance=Reliance(misses, 0.0)))
            if course.state is State.LICENSED:
                return number
        return 1_000

    few, more, many = needed(0.0), needed(0.1), needed(0.2)
    assert few < more < many
    assert many < 200


def test_good_joints_that_may_pass_for_caught_defects_are_taken_off() -> None:
    findings = Findings(escapes=1, caught=100, good=90)
    assert findings.counted(Reliance(0.0, 0.1)) == Count(1, 91)
    assert findings.counted(Reliance(0.0, 0.0)) == Count(1, 101)


@pytest.mark.parametrize("misses", [0.0, 0.1, 0.2])
def test_the_observed_limit_stands_for_the_target(misses: float) -> None:
    """Of 10,000 defects 500 would escape; reviewers see all but ``misses`` of these."""
    seen = 500 * (1 - misses)
    assert TERMS.observed(misses) == pytest.approx(seen / (seen + 9_500))


def test_a_share_that_rises_suspends_and_evidence_begins_anew() -> None:
    course = Course(TERMS, POINTS)
    for _ in range(200):
        course.add(CAUGHT)
    passed = 0
    while course.state is State.LICENSED:
        course.add(PASSED_BY_ALL)
        passed += 1
    standing = course.standing()
    assert passed <= 5
    assert (standing.rule, standing.findings) == (None, Findings())
    assert "too many" in standing.reason
    for _ in range(200):
        course.add(CAUGHT)
    assert course.state is State.LICENSED


def test_all_attempts_together_are_given_what_there_is() -> None:
    """And none so little that nothing could be proved any more: after years there have been many."""
    spent = sum(TERMS.alpha(attempt) for attempt in range(10_000)) + TERMS.alpha_of_reviewers
    assert 0.999 * (1 - TERMS.confidence) < spent < 1 - TERMS.confidence
    assert TERMS.alpha(0) == pytest.approx(0.02)
    assert TERMS.alpha(20) > TERMS.alpha(0) / 250


def test_by_hand_a_licence_is_suspended_until_that_is_lifted() -> None:
    suspended = Act(Deed.SUSPEND, "kim", "tombstones on line 3")
    standing = course_of(TERMS, POINTS, [*[CAUGHT] * 200, suspended, *[CAUGHT] * 500]).standing()
    assert (standing.state, standing.by, standing.rule) == (State.SUSPENDED, By.HAND, None)
    assert standing.reason == "kim: tombstones on line 3"
    lifted = Act(Deed.LIFT, "kim", "")
    assert _after(*[CAUGHT] * 200, suspended, lifted) is State.LEARNING
    assert _after(*[CAUGHT] * 200, suspended, lifted, *[CAUGHT] * 200) is State.LICENSED
    assert _after(suspended, Act(Deed.RESTART, "axi-edge", "old journal"), *[CAUGHT] * 200) is State.SUSPENDED


def test_a_grant_releases_until_evidence_turns_against_it() -> None:
    granted = Act(Deed.GRANT, "kim", "twin of MB-7", "recall-0.95")
    standing = course_of(TERMS, POINTS, [granted]).standing()
    assert (standing.state, standing.by, standing.rule) == (State.LICENSED, By.HAND, POINTS[1])
    assert _after(granted, *[PASSED_BY_TWO] * 10) is State.SUSPENDED
    assert _after(granted._replace(point="recall-0.80")) is State.LEARNING


def test_what_was_proved_by_a_lost_journal_is_proved_anew() -> None:
    assert _after(*[CAUGHT] * 200, Act(Deed.RESTART, "axi-edge", "the journal is an older one")) is State.SUSPENDED


def test_a_licence_that_must_not_be_given_seldom_is() -> None:
    """Lines whose true escape rate is the target, their evidence looked at after every joint for 400 defects."""
    rng, wrong, lines = np.random.default_rng(5), 0, 150
    for _ in range(lines):
        course = Course(TERMS, POINTS[:1])
        for escaped in rng.random(400) < TERMS.target_escape:
            course.add(Trial((bool(escaped),), Said.DEFECT, Reliance(0.0, 0.0)))
            if course.state is State.LICENSED:
                wrong += 1
                break
    assert wrong <= 9  # of 150, 0.02 of them 3 on average; more than 9 once in 1,000


SCORED = Decision(Call.DEFECT, None, 0.4, 0.3, "recall-0.95", defect_class=DefectClass("void", 0.8))


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_a_joint_is_released_only_by_the_licensed_point_and_if_not_drawn(
    score: float, drawn: float, audit_share: float
) -> None:
    decision, sampled = ruled(SCORED._replace(p_defect=score), Permit(POINTS[0], audit_share), drawn)
    assert (decision.route is Route.RELEASE) == (score < 0.1 and drawn >= audit_share)
    assert sampled == (drawn < audit_share)
    assert (decision.p_defect, decision.threshold, decision.operating_point) == (score, 0.1, "recall-0.99")
    assert (decision.reason is Reason.AUDIT) == (sampled and score < 0.1)


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_where_nothing_is_earned_everything_goes_to_the_specialist_and_is_evidence(score: float, drawn: float) -> None:
    decision, sampled = ruled(SCORED._replace(p_defect=score), Permit(None, 0.05), drawn)
    assert (decision.call, decision.reason, decision.p_defect) == (Call.UNJUDGED, Reason.LEARNING, score)
    assert sampled


@pytest.mark.parametrize("rule", [None, POINTS[0]])
def test_what_could_not_be_judged_stays_so_and_is_no_evidence(rule: None) -> None:
    unfamiliar = SCORED._replace(p_defect=0.01).doubted(Reason.UNFAMILIAR)
    for decision in (unjudged(Reason.SLICE_BLANK), unfamiliar):
        assert ruled(decision, Permit(rule, 1.0), 0.0) == (decision, False)


def test_the_kind_of_defect_stays_with_a_defect() -> None:
    assert ruled(SCORED, Permit(POINTS[1], 0.0), 0.5).decision.defect_class == SCORED.defect_class


def test_the_coin_hangs_on_the_event_alone_and_is_fair() -> None:
    assert draw("80000000-1111-5222-8333-444444444444") == 0.5
    assert draw("ffffffff-1111-5222-8333-444444444444") < 1


NEARLY = CAUGHT._replace(released=released_by(POINTS, 0.4), drawn=False)
SEEN = CAUGHT._replace(drawn=False)


def _learnt(near: float = 0.1, seed: int = 1, *before: Trial) -> Course:
    """Licensed, but not at the last point, which would release such a share of the defects that the others catch."""
    rng, nearly = np.random.default_rng(seed), NEARLY._replace(drawn=True)
    course = course_of(TERMS, POINTS, [*before, nearly])
    while course.state is not State.LICENSED:
        course.add(nearly if rng.random() < near else CAUGHT)
    assert course.rule != POINTS[2]
    return course


def _until_suspended(course: Course, near: float, seed: int, most: int) -> int:
    """Defects that nobody drew, three of a board, such a share of them nearly released: how many are seen before it is
    suspended?
    """
    rng = np.random.default_rng(seed)
    for number in range(most):
        course.add((NEARLY if rng.random() < near else SEEN)._replace(board=f"MB-{number // 3}"))
        if course.state is not State.LICENSED:
            return number
    return most


def test_defects_that_are_nearly_released_more_often_suspend_though_none_was_drawn() -> None:
    seen = [_until_suspended(_learnt(seed=seed), 0.4, seed, 1_000) for seed in range(30)]
    assert sum(number == 1_000 for number in seen) <= 1
    assert np.median(seen) < 100


@pytest.mark.parametrize("near", [0.03, 0.1, 0.3])
def test_as_often_as_was_learnt_they_seldom_do(near: float) -> None:
    """What was learnt is itself by chance a little too much or too little."""
    suspended = [_until_suspended(_learnt(near, seed), near, 1_000 + seed, 3_000) < 3_000 for seed in range(30)]
    assert sum(suspended) <= 4


def test_the_one_that_suspends_proves_nothing_for_the_next_attempt() -> None:
    course, drawn = _learnt(), NEARLY._replace(drawn=True)
    while course.state is State.LICENSED:
        course.add(drawn)
    standing = course.standing()
    assert (standing.state, standing.reviewed, standing.findings) == (State.SUSPENDED, 0, Findings())


def test_what_nobody_drew_teaches_nothing() -> None:
    """Else a reviewer of a few chosen joints could make any share of near ones usual."""
    course = _learnt(0.1, 1, *[NEARLY._replace(board=f"L-{n}") for n in range(300)])
    assert _until_suspended(course, 0.5, 1, 1_000) < 400


def test_what_nobody_drew_proves_nothing() -> None:
    course = course_of(TERMS, POINTS, [SEEN] * 1_000)
    assert (course.state, course.standing().reviewed) == (State.LEARNING, 0)


def test_the_near_defects_of_one_board_suspend_nothing() -> None:
    course = _learnt()
    for _ in range(50):
        course.add(NEARLY._replace(board="MB-1"))
    assert course.state is State.LICENSED


def test_nothing_is_near_to_the_most_permissive_point_nor_to_a_grant() -> None:
    permissive = course_of(TERMS, POINTS, [CAUGHT] * 200)
    granted = course_of(TERMS, POINTS, [Act(Deed.GRANT, "kim", "twin of MB-7", "recall-0.95")])
    for course in (permissive, granted):
        assert _until_suspended(course, 1.0, 1, 300) == 300


def test_only_those_with_a_record_are_heard_on_what_is_near() -> None:
    course = _learnt()
    for _ in range(200):
        course.add(NEARLY._replace(reliance=None))
    assert course.state is State.LICENSED
