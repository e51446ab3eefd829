"""A process that judges like the real one, and does to itself what a slice's file name says: hang, crash, eio, slow.

``once``: only the first time, told by a file beside the slice.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from edge.core.errors import BundleRefused
from edge.core.payloads import ModelRef
from edge.judging.decider import Decider
from edge.judging.judge import Judge
from edge.judging.messages import Choice, Load, Ready, Served
from edge.judging.process import serve_with
from tests.support.builders import make_card
from tests.support.fakes import FakeReader, FakeScorer

SLOW_S = 0.4
REFERENCE = ModelRef(name="m", version="1.0.0", digest="sha256:0")


def command() -> list[str]:
    return [sys.executable, "-m", "tests.support.bad_worker"]


def read(folder: Path, part: Any, image: Any) -> Any:
    name = part.file
    marker = folder / f"{name}.met"
    if "once" in name and marker.exists():
        name = ""
    if "once" in name:
        marker.touch()
    if "hang" in name:
        time.sleep(3600)
    if "slow" in name:
        time.sleep(SLOW_S)
    if "crash" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "eio" in name:
        raise OSError(errno.EIO, os.strerror(errno.EIO), name)
    return FakeReader()(folder, part, image)


def model_at(choice: Choice) -> ModelRef:
    """What the file at the bundle's path says, if there is one."""
    path = Path(os.fsdecode(choice.bundle))
    return replace(REFERENCE, digest=path.read_text()) if path.exists() else REFERENCE


def load(asked: Load) -> tuple[Ready, Judge]:
    (choice,) = asked.choices
    if choice.bundle == b"refused":
        raise BundleRefused("card.json: no good")
    if choice.bundle == b"mute":
        time.sleep(3600)
    card = make_card()
    decider = Decider(card, card.rule(), [FakeScorer(np.zeros((1, 4), np.uint8))], time.monotonic)
    served = Served(
        model=model_at(choice),
        joint_types=card.joint_types,
        signed=False,
        golden_joints=0,
        operating_point="p",
        thresholds=(0.5,),
    )
    ready = Ready(bundles=(served,), runtime="none", score_ms=1.0)
    return ready, Judge(dict.fromkeys(card.joint_types, decider), read, time.monotonic)


if __name__ == "__main__":
    serve_with(Connection(int(sys.argv[1])), load)
