"""Where answers to commands may go, and how fast."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edge.core.wire import Message
from edge.reporting.commands import AnswerPace, AnswerTopics, CommandAnswers
from edge.reporting.ports import Command

USUAL = "plant/axi1/cmd/ping/response"


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (USUAL, USUAL),
        (f"{USUAL}/mes-7", f"{USUAL}/mes-7"),
        ("mes/answers/7", "mes/answers/7"),
        ("mes/answers", "mes/answers"),
        ("mes/answersbeyond", USUAL),
        ("plant/axi2/verdict/SN1", USUAL),
        ("plant/axi2/cmd/reload", USUAL),
        ("plant/axi1/cmd/reload", USUAL),
        ("plant/axi1/cmd/ping/responses", USUAL),
        ("x" * 60_000, USUAL),
    ],
)
def test_an_answer_goes_where_answers_may_go(asked: str, answered: str) -> None:
    topics = AnswerTopics("plant/axi1/cmd", ("mes/answers",))
    assert topics.topic_for(Command("ping", asked, None)) == answered


def test_answers_have_a_pace() -> None:
    now = 0.0
    pace = AnswerPace(lambda: now, per_s=10, at_once=20)
    assert sum(pace.allows() for _ in range(100)) == 20
    now = 1.0
    assert sum(pace.allows() for _ in range(100)) == 10
    now = 100.0
    assert sum(pace.allows() for _ in range(100)) == 20


@pytest.mark.parametrize(("length", "answered"), [(0, True), (256, True), (257, False), (60_000, False)])
def test_a_command_of_long_correlation_data_is_not_answered(length: int, *, answered: bool) -> None:
    sent: list[Message] = []
    answers = CommandAnswers(
        now=lambda: datetime(2026, 11, 27, tzinfo=UTC),
        status=lambda: pytest.fail("not asked"),
        metrics=lambda: None,
        reload=lambda: None,
        activate=lambda _: "",
        alarms=list,
        publish=sent.append,
        allowed=AnswerTopics("plant/axi1/cmd"),
        pace=AnswerPace(lambda: 0.0),
    )
    answers.answer(Command("ping", USUAL, bytes(length)))
    assert [message.topic for message in sent] == [USUAL] * answered
