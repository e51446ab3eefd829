"""Lots of ready patches: shards on disk, and ``lot.json`` that says what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edge.core.errors import UsageError
from edge.core.preprocess import PreprocessSpec

LOT = "lot.json"
SHARDS = "shards"


class Shard(msgspec.Struct, frozen=True):
    """One file of patches; ``joints`` of the truth, in order."""

    file: str
    joints: int
    sha256: str


class LotFile(msgspec.Struct, frozen=True, kw_only=True):
    """What ``lot.json`` says of a lot of patches. ``origin``: where it came from, in the words of whoever made it."""

    schema: str = "axi-lot/1"
    preprocess: PreprocessSpec
    origin: dict[str, Any] = msgspec.field(default_factory=dict, name="plan")
    shards: tuple[Shard, ...]


def read_lot_file(lot: Path) -> LotFile:
    """What a lot of patches says of itself. Raises UsageError."""
    try:
        return msgspec.json.decode((lot / LOT).read_bytes(), type=LotFile)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"{lot / LOT}: not readable ({error}); simulate the lot anew") from error
