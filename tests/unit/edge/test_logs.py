"""What libraries write past Python is kept from being seen, and nothing else is."""

from __future__ import annotations

import os

import pytest

from edge.logs import without_lines


def test_lines_that_begin_so_are_dropped_and_others_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with without_lines(b"INFO: ", b"I0000 "):
        os.write(2, b"INFO: created a delegate\nERROR: INFO: kept\nI0000 chatter\nkept, too\n")
    os.write(2, b"INFO: after it\n")
    assert capfd.readouterr().err == "ERROR: INFO: kept\nkept, too\nINFO: after it\n"


def fails_after_its_reason() -> None:
    with without_lines(b"INFO: "):
        os.write(2, b"the reason\n")
        raise RuntimeError


def test_what_was_said_before_a_failure_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        fails_after_its_reason()
    assert capfd.readouterr().err == "the reason\n"
