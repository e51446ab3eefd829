"""Where answers to commands may go, and how fast."""

from __future__ import annotations

import pytest

from edge.reporting.commands import AnswerPace, AnswerTopics
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
