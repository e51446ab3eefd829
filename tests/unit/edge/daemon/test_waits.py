"""What keeps the loops waiting is said once, and its end once."""

from __future__ import annotations

import errno
import json
from datetime import UTC, datetime

import pytest

from edge.core.errors import (
    AxiError,
    BundleRefused,
    ConfigError,
    JournalBlocked,
    JournalError,
    JournalLocked,
    SpoolGone,
)
from edge.core.payloads import ModelRef
from edge.core.wire import Encoder, Message, Topics
from edge.daemon.waits import Waits
from edge.upkeep.alarms import Alarms

ENCODER = Encoder("axi1", Topics("base"), "0", ModelRef(name="m", version="1.0.0", digest="sha256:0"))


@pytest.fixture
def published() -> list[Message]:
    return []


@pytest.fixture
def waits(published: list[Message]) -> Waits:
    return Waits(Alarms(ENCODER, lambda: datetime(2026, 11, 27, tzinfo=UTC), published.append))


def codes(published: list[Message]) -> list[str]:
    return [json.loads(message.payload)["code"] for message in published]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "full"), "disk_blocked"),
        (OSError(errno.EROFS, "read-only"), "disk_blocked"),
        (JournalBlocked("full"), "disk_blocked"),
        (JournalLocked("locked"), "journal_locked"),
        (BundleRefused("changed"), "bundle_refused"),
        (ConfigError("no runtime"), "bundle_refused"),
        (SpoolGone("no such folder"), "spool_gone"),
    ],
)
def test_a_trouble_that_no_restart_mends_is_said_as_it_begins_and_as_it_ends(
    waits: Waits, published: list[Message], error: Exception, code: str
) -> None:
    for _ in range(3):
        assert waits.note("inspection", error)
    for _ in range(3):
        assert not waits.note("inspection", None)
    assert codes(published) == [code, f"{code}_over"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), JournalError("odd"), AxiError("odd")])
def test_any_other_trouble_starves_the_watchdog(waits: Waits, published: list[Message], error: Exception) -> None:
    assert not waits.note("inspection", error)
    assert published == []


def test_what_keeps_two_loops_waiting_is_said_once_and_is_over_when_neither_waits(
    waits: Waits, published: list[Message]
) -> None:
    waits.note("inspection", JournalLocked("locked"))
    waits.note("reporting", JournalLocked("locked"))
    waits.note("inspection", None)
    assert codes(published) == ["journal_locked"]
    waits.note("reporting", None)
    assert codes(published) == ["journal_locked", "journal_locked_over"]


def test_one_trouble_after_another_ends_the_first(waits: Waits, published: list[Message]) -> None:
    waits.note("inspection", JournalLocked("locked"))
    waits.note("inspection", BundleRefused("changed"))
    waits.note("inspection", AxiError("odd"))
    assert set(codes(published)[1:3]) == {"journal_locked_over", "bundle_refused"}
    assert codes(published)[3:] == ["bundle_refused_over"]
