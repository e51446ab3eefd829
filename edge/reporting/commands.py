"""Answers what is asked of the device by MQTT: ping, status, reload, activate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from edge.core.clocks import Monotonic, Now
from edge.core.payloads import AnswerPayload, MetricsPayload, Raised, StatusPayload
from edge.core.wire import Message, encode, timestamp
from edge.reporting.ports import Command

log = logging.getLogger(__name__)

_ANSWERS_EXPIRE_S = 300
_LONGEST_CORRELATION = 256
"""Bytes. An answer carries it back, and must not be larger than a broker takes."""


class AnswerTopics(NamedTuple):
    """Where answers may go. Whoever may send a command could otherwise have us write anywhere: another device's
    verdicts, or its commands.

    ``base``: of the commands; ``under``: topics below which answers are allowed besides.
    """

    base: str
    under: tuple[str, ...] = ()

    def topic_for(self, command: Command) -> str:
        """The response topic that the command names, where that is allowed; else the usual one."""
        usual = f"{self.base}/{command.op}/response"
        if any(f"{command.reply_to}/".startswith(f"{allowed}/") for allowed in (usual, *self.under)):
            return command.reply_to
        if command.reply_to != usual:
            log.warning("response topic not allowed; see [mqtt] answer_under", extra={"topic": command.reply_to[:256]})
        return usual


class AnswerPace:
    """At most so many answers a second, on average over some of them. For one thread."""

    def __init__(self, clock: Monotonic, per_s: float = 10.0, at_once: int = 20) -> None:
        self._clock, self._per_s, self._at_once = clock, per_s, at_once
        self._left, self._since = float(at_once), clock()

    def allows(self) -> bool:
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._since) * self._per_s)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class CommandAnswers(NamedTuple):
    """``reload`` asks for a reload and returns at once; ``activate`` has a bundle activated, and says at once what
    keeps it from that; ``publish`` sends the answer.
    """

    now: Now
    status: Callable[[], StatusPayload]
    metrics: Callable[[], MetricsPayload | None]
    reload: Callable[[], None]
    activate: Callable[[bytes], str]
    alarms: Callable[[], Sequence[Raised]]
    publish: Callable[[Message], None]
    allowed: AnswerTopics
    pace: AnswerPace

    def answer(self, command: Command) -> None:
        """Answer at once; whatever takes time is only begun here. What comes too fast is let be."""
        if not self.pace.allows():
            return
        if len(command.correlation or b"") > _LONGEST_CORRELATION:
            log.warning("command not answered: its correlation data is too long", extra={"op": command.op[:32]})
            return
        answer = self._answer(command)
        topic = self.allowed.topic_for(command)
        self.publish(Message(topic, encode(answer), expiry_s=_ANSWERS_EXPIRE_S, correlation=command.correlation))

    def _answer(self, command: Command) -> AnswerPayload:
        op, time = command.op, timestamp(self.now())
        match op:
            case "ping":
                return AnswerPayload(op=op, ok=True, text="here", time=time)
            case "status":
                return AnswerPayload(
                    op=op,
                    ok=True,
                    text="as of now",
                    time=time,
                    status=self.status(),
                    metrics=self.metrics(),
                    alarms=tuple(self.alarms()),
                )
            case "reload":
                self.reload()
                return AnswerPayload(op=op, ok=True, text="begun; the retained status or an alarm tells", time=time)
            case "activate":
                problem = self.activate(command.payload)
                text = problem or "begun; the retained status or an alarm tells"
                return AnswerPayload(op=op, ok=not problem, text=text, time=time)
            case _:
                text = f"{op!r} is unknown; ask for ping, status, reload or activate"
                return AnswerPayload(op=op, ok=False, text=text, time=time)
