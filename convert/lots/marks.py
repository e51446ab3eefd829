"""Which joints a model was taught, in so few marks that they travel with it.

A mark is a digest of a joint's pixels. Of many joints the smallest marks are kept, which is as good as drawn and the
same for everybody: of two lots that share joints, both keep those marks of them that are small enough (bottom-k
sketches; Cohen and Kaplan, Summarizing data using bottom-k sketches, 2007).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.lots.lot import LabelledLot
from edge.core.errors import ConfigError

MOST = 512
"""Marks that are kept: all joints of a small lot; 4 kB."""
_BYTES, _BATCH = 8, 256
_ENDING = ".taught.json"


class Marks(NamedTuple):
    """Of joints, ascending and each once. ``whole``: of all of them, not only the smallest."""

    values: NDArray[np.uint64]
    whole: bool

    @classmethod
    def of(cls, *lots: LabelledLot) -> Self:
        """Of every joint of these lots."""
        found = {_mark(patch) for lot in lots for batch in lot.batches(_BATCH) for patch in batch}
        return cls(np.array(sorted(found), np.uint64), whole=True)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What ``as_text`` wrote. Raises ValueError."""
        values = np.frombuffer(b64decode(text, validate=True), ">u8").astype(np.uint64)
        return cls(values, whole=len(values) < MOST)

    @property
    def as_text(self) -> str:
        """The smallest of them."""
        return b64encode(self.values[:MOST].astype(">u8").tobytes()).decode()

    def __or__(self, other: Marks) -> Marks:
        """Of both, as far as both know them."""
        values = np.union1d(self.values, other.values)
        ends = [marks.values[-1] for marks in (self, other) if not marks.whole and len(marks.values)]
        return Marks(values[values <= min(ends)] if ends else values, whole=not ends)

    def among(self, lot: LabelledLot) -> int:
        """How many joints of a lot are known to be of these."""
        marks = [_mark(patch) for batch in lot.batches(_BATCH) for patch in batch]
        return int(np.isin(np.array(marks, np.uint64), self.values).sum())


def _mark(patch: NDArray[np.uint8]) -> int:
    return int.from_bytes(blake2b(patch.tobytes(), digest_size=_BYTES).digest(), "big")


class _Taught(msgspec.Struct, frozen=True, kw_only=True):
    """A file beside a model: the lots that taught it, and marks of their joints."""

    schema: Literal["axi-taught/1"] = "axi-taught/1"
    lots: tuple[str, ...]
    marks: str


def save_taught(model: Path, lots: Iterable[LabelledLot | None], start: Path | None = None) -> None:
    """Say beside a model which joints taught it: those of these lots, and those of the model it began as."""
    there = [lot for lot in lots if lot is not None]
    taught = _Taught(lots=tuple(f"{lot.name} {lot.digest}" for lot in there), marks=marks_of(there, start))
    model.with_suffix(_ENDING).write_bytes(msgspec.json.format(msgspec.json.encode(taught), indent=1) + b"\n")


def marks_of(lots: Iterable[LabelledLot], start: Path | None) -> str:
    """Of the joints of these lots and those that taught the model ``start``, where somebody says; as text."""
    marks, before = Marks.of(*lots), load_taught(start) if start else None
    return (marks | before if before else marks).as_text


def load_taught(model: Path) -> Marks | None:
    """Which joints taught a model; None where nobody says. Raises ConfigError naming the file for a damaged one."""
    path = model.with_suffix(_ENDING)
    try:
        return Marks.from_text(msgspec.json.decode(path.read_bytes(), type=_Taught).marks)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable ({error}); train again, or remove it") from error
