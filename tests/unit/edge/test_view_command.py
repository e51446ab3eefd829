"""``axi-edge view``: what people are told of views, and how they have one learnt anew."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from edge.adapters.journal.sights import JournalSights
from edge.adapters.journal.store import Journal
from edge.cli import main
from edge.core.learning import LEAST_BOARDS
from edge.core.payloads import BoardRef
from edge.feedback.sight_book import Place
from edge.inspection.ports import Shown
from tests.support.builders import make_verdict
from tests.support.daemon import device_toml
from tests.support.views import drawing, reference_of, sights

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "axi-edge.toml"
    path.write_text(device_toml(tmp_path, tmp_path / "no-bundle", 1, "5"))
    return path


@pytest.fixture
def filled(config: Path, tmp_path: Path) -> Path:
    """Of board type MB-7, view top-1 is known, and top-2 is being learnt."""
    rng, path = np.random.default_rng(1), tmp_path / "journal.db"
    journal, book = Journal(path), JournalSights(path)
    book.learn(Place("MB-7", "top-1"), reference_of(sights(drawing(1)[[0, 1, 1]], rng, LEAST_BOARDS)), (), NOW)
    (sight,) = sights(drawing(2), rng, 1)
    said = make_verdict("J1")
    verdict = said._replace(payload=replace(said.payload, board=BoardRef(serial="S", type="MB-7")))
    journal.record(journal.open_job("sha256:a", "L1", 1, NOW), [verdict], Shown("top-2", (), sight))
    journal.close()
    book.close()
    return config


def test_views_are_listed_with_what_cannot_be_told(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", "list", "--config", str(filled)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "MB-7 top-1: known since 2026-11-26T08:00:00.000Z, of 20 boards; "
        "not told from right ones: slices 1 and 2 swapped"
    )
    assert second == (
        "MB-7 top-2: being learnt, of 1 boards seen 0 are reviewed "
        "(20 that look alike and agree with the network are needed)"
    )
    assert main(["view", "list", "MB-8", "--config", str(filled)]) == 1
    assert "no view of board type MB-8 is known yet" in capsys.readouterr().out


def test_a_view_is_forgotten_and_learnt_anew(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", "forget", "MB-7", "--view", "top-1", "--config", str(filled)]) == 0
    assert "view top-1 of board type MB-7 is forgotten" in capsys.readouterr().out
    assert main(["view", "forget", "MB-7", "--view", "top-1", "--config", str(filled)]) == 1
    assert "nothing was known" in capsys.readouterr().out
    assert main(["view", "list", "--config", str(filled)]) == 0
    assert "top-1" not in capsys.readouterr().out


def test_without_a_journal_the_daemon_is_to_be_started_first(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", "list", "--config", str(config)]) == 3
    assert "no journal; start the daemon" in capsys.readouterr().err
