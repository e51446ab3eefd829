"""The upkeep loop outlives whatever its duties die of."""

from __future__ import annotations

import pytest

from edge.core.errors import AxiError
from edge.daemon.loops import Duty, UpkeepLoop
from edge.daemon.signals import Signals


@pytest.mark.parametrize("error", [OSError("disk"), AxiError("odd"), RecursionError("deep"), ValueError("strange")])
def test_a_duty_that_fails_keeps_no_other_from_its_turn(error: Exception) -> None:
    signals, done = Signals(), list[str]()
    signals.inspected.set()

    def fails() -> None:
        done.append("tried")
        raise error

    def stops() -> None:
        done.append("kept")
        if done.count("kept") == 2:
            signals.stop.set()

    UpkeepLoop((Duty("fails", fails), Duty("stops", stops)), signals, interval_s=0.0).run()
    assert done == ["tried", "kept", "tried", "kept"]
