"""How the daemon starts the process that judges."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import DeviceSettings, ModelSettings, MqttSettings, Settings
from edge.core.errors import JudgeLost
from edge.daemon.shared import judges_of
from edge.logs import set_up_logging


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_it_logs_at_the_daemons_level(level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in its place writes down how it was called; whole, since another of it may be killed meanwhile."""
    program, called = tmp_path / "python", tmp_path / "called"
    program.write_text(f'#!/bin/sh\necho "$@" > {called}.$$ && mv {called}.$$ {called}\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    set_up_logging(level)
    settings = Settings(
        device=DeviceSettings(name="axi1"), model=ModelSettings(bundle="b"), mqtt=MqttSettings(base_topic="base")
    )
    with pytest.raises(JudgeLost):
        judges_of(settings).start(lambda: None)
    module, given = called.read_text().split()[1:3]
    assert (module, given) == ("edge.judging.process", level)
