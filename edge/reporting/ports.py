"""What the reporting loop needs: an outbox, and sessions with a broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple, Protocol

from edge.core.wire import Message


class Queued(NamedTuple):
    """An outbox row."""

    seq: int
    message: Message


class Outbox(Protocol):
    """The reporting side of the journal."""

    def pending(self, limit: int) -> list[Queued]:
        """The oldest unsent rows, in order; those that were put back come last."""

    def mark_sent(self, rows: Sequence[int], now: datetime) -> None:
        """Strike rows the broker has acknowledged."""

    def put_back(self, rows: Sequence[int]) -> None:
        """Let rows the broker will not take wait behind all others; they are never dropped."""


class Outcome(Enum):
    """What became of a published message."""

    ACKNOWLEDGED = auto()
    REFUSED = auto()
    """The broker said no: access rules, quota, size."""
    UNKNOWN = auto()


class Session(Protocol):
    """One connection to the broker; once lost, it stays lost."""

    def publish(self, messages: Sequence[Message]) -> list[Outcome]:
        """Publish at QoS 1 and wait for the broker's word on each message."""

    @property
    def alive(self) -> bool: ...

    @property
    def ended(self) -> str:
        """Why it is no longer alive; empty while it is."""

    def close(self) -> None:
        """Disconnect cleanly; the Will is not sent."""


class Command(NamedTuple):
    """Something asked of the device by MQTT. ``reply_to``: the topic for the answer; ``payload``: what more is said."""

    op: str
    reply_to: str
    correlation: bytes | None
    payload: bytes = b""


class CommandTopics(NamedTuple):
    """Where a session listens for commands: a topic filter, and who is handed each of them (on the network thread)."""

    topics: str
    received: Callable[[Command], None]


class Connect(Protocol):
    """Opens a session. Raises BrokerUnavailable."""

    def __call__(self, will: Message) -> Session: ...
