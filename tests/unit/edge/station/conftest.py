"""A store with three boards of ten joints that wait, and what is to be sent from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.station.outbox import Outbox
from edge.station.store import JointStore
from tests.support.queues import joint, outbox_at, store_at


@pytest.fixture
def store(tmp_path: Path) -> JointStore:
    found = store_at(tmp_path)
    found.hear([joint(n) for n in range(30)], [], 0.0)
    return found


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return outbox_at(tmp_path)
