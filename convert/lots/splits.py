"""Lots kept apart, split and balanced."""

from __future__ import annotations

from typing import Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from convert.lots.lot import Apart, LabelledLot
from convert.lots.patches import Positions
from edge.core.errors import UsageError

Balance = Literal["fewer-normals", "repeat-defects"]


class Kept(Protocol):
    """A lot that can be split into sides that share nothing."""

    @property
    def name(self) -> str: ...

    @property
    def apart(self) -> Apart: ...

    @property
    def groups(self) -> NDArray[np.str_]: ...

    def subset(self, chosen: Positions, name: str) -> Self: ...


L = TypeVar("L", bound=Kept)


def split_apart(lot: L, share: float, seed: int) -> tuple[L, L]:
    """Training and validation sides with no board type in common (Zhang et al., section V); no serial, or no day, where
    that is what keeps the lot apart.

    ``share`` of the board types, at least one, go to validation. Raises UsageError for fewer than two.
    """
    groups = sorted(set(lot.groups))
    if len(groups) < 2:
        less = "" if lot.apart == "serial" else ", or keep its boards apart (--by serial), which says less of new types"
        raise UsageError(
            f"{lot.name}: one {lot.apart} only ({groups[0]}); name a lot of others with --validation{less}"
        )
    shuffled = np.random.default_rng(seed).permutation(groups)
    held_out = shuffled[: min(len(groups) - 1, max(1, round(share * len(groups))))]
    inside = np.isin(lot.groups, held_out)
    return (
        lot.subset(np.flatnonzero(~inside), f"{lot.name}/train"),
        lot.subset(np.flatnonzero(inside), f"{lot.name}/validation"),
    )


def says_less(lot: Kept) -> tuple[str, ...]:
    """A sentence where a lot is kept apart by less than board types."""
    if lot.apart == "board type":
        return ()
    return (
        f"lot {lot.name} is kept apart by {lot.apart} only: what is measured on it says nothing of new board types",
    )


def has_both_classes(lot: LabelledLot) -> bool:
    """Are there defects and normals?"""
    return len(set(lot.labels.tolist())) == 2


def require_both_classes(lot: LabelledLot) -> None:
    """Raises UsageError for a lot of defects or of normals only: nothing can be measured on it."""
    if not has_both_classes(lot):
        raise UsageError(f"{lot.name}: holds one class only; name a lot with defects and normals")


def require_unseen(lot: Kept, other: Kept) -> None:
    """Raises UsageError when two lots that must be kept apart share a board type, or what else keeps them apart."""
    if lot.apart != other.apart:
        raise UsageError(
            f"{lot.name} is kept apart by {lot.apart}, {other.name} by {other.apart}; name board types in both, or "
            "say --by serial"
        )
    common = sorted(set(lot.groups) & set(other.groups))
    if common:
        raise UsageError(
            f"{lot.name} and {other.name} share {lot.apart} {common[0]}; keep {MANY[lot.apart]} apart "
            "(axi-convert split does; of simulated lots, --first-type)"
        )


MANY: dict[Apart, str] = {"board type": "board types", "serial": "boards", "day": "days"}


def balanced(lot: LabelledLot, balance: Balance, seed: int) -> LabelledLot:
    """As many defects as normals: with fewer normals (Zhang et al., section V), or with defects repeated.

    A lot that has more defects than normals gives up defects instead. Repeating suits lots too small to throw anything
    away. Raises UsageError unless both classes are there.
    """
    defects, normals = np.flatnonzero(lot.labels == 1), np.flatnonzero(lot.labels == 0)
    if not len(defects) or not len(normals):
        raise UsageError(f"{lot.name}: {len(defects)} defects and {len(normals)} normals; both are needed to train")
    if balance == "repeat-defects":
        defects = np.resize(defects, max(len(normals), len(defects)))
    else:
        rng, fewer = np.random.default_rng(seed), min(len(normals), len(defects))
        normals = rng.choice(normals, fewer, replace=False)
        defects = defects if len(defects) == fewer else rng.choice(defects, fewer, replace=False)
    return lot.subset(np.sort(np.concatenate([defects, normals])), f"{lot.name}, balanced")
