"""Answers what is asked of the device by MQTT: ping, status, reload."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from edge.core.clocks import Now
from edge.core.payloads import AnswerPayload, MetricsPayload, StatusPayload
from edge.core.wire import Message, encode, timestamp
from edge.reporting.ports import Command

_ANSWERS_EXPIRE_S = 300


class CommandAnswers(NamedTuple):
    """``reload`` asks for a reload and returns at once; ``publish`` sends the answer."""

    now: Now
    status: Callable[[], StatusPayload]
    metrics: Callable[[], MetricsPayload | None]
    reload: Callable[[], None]
    publish: Callable[[Message], None]

    def answer(self, command: Command) -> None:
        """Answer at once; whatever takes time is only begun here."""
        answer = self._answer(command.op)
        self.publish(
            Message(command.reply_to, encode(answer), expiry_s=_ANSWERS_EXPIRE_S, correlation=command.correlation)
        )

    def _answer(self, op: str) -> AnswerPayload:
        time = timestamp(self.now())
        match op:
            case "ping":
                return AnswerPayload(op=op, ok=True, text="here", time=time)
            case "status":
                return AnswerPayload(
                    op=op, ok=True, text="as of now", time=time, status=self.status(), metrics=self.metrics()
                )
            case "reload":
                self.reload()
                return AnswerPayload(op=op, ok=True, text="begun; the retained status or an alarm tells", time=time)
            case _:
                text = f"{op!r} is unknown; ask for ping, status or reload"
                return AnswerPayload(op=op, ok=False, text=text, time=time)
