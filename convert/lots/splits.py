"""Lots kept apart, split and balanced."""

from __future__ import annotations

from typing import Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from convert.lots.lot import LabelledLot
from convert.lots.patches import Positions
from edge.core.errors import UsageError

Balance = Literal["fewer-normals", "repeat-defects"]


class ByBoardType(Protocol):
    """A lot that can be split."""

    @property
    def name(self) -> str: ...

    @property
    def board_types(self) -> NDArray[np.str_]: ...

    def subset(self, chosen: Positions, name: str) -> Self: ...


L = TypeVar("L", bound=ByBoardType)


def split_by_board_type(lot: L, share: float, seed: int) -> tuple[L, L]:
    """Training and validation sides with no board type in common (Zhang et al., section V).

    ``share`` of the board types, at least one, go to validation. Raises UsageError for fewer than two types.
    """
    types = sorted(set(lot.board_types))
    if len(types) < 2:
        raise UsageError(
            f"{lot.name}: one board type only ({types[0]}); name a lot of other board types with --validation"
        )
    shuffled = np.random.default_rng(seed).permutation(types)
    held_out = shuffled[: min(len(types) - 1, max(1, round(share * len(types))))]
    inside = np.isin(lot.board_types, held_out)
    return (
        lot.subset(np.flatnonzero(~inside), f"{lot.name}/train"),
        lot.subset(np.flatnonzero(inside), f"{lot.name}/validation"),
    )


def has_both_classes(lot: LabelledLot) -> bool:
    """Are there defects and normals?"""
    return len(set(lot.labels.tolist())) == 2


def require_both_classes(lot: LabelledLot) -> None:
    """Raises UsageError for a lot of defects or of normals only: nothing can be measured on it."""
    if not has_both_classes(lot):
        raise UsageError(f"{lot.name}: holds one class only; name a lot with defects and normals")


def require_unseen(lot: ByBoardType, other: ByBoardType) -> None:
    """Raises UsageError when two lots that must be kept apart share a board type."""
    common = sorted(set(lot.board_types) & set(other.board_types))
    if common:
        raise UsageError(
            f"{lot.name} and {other.name} share board type {common[0]}; keep board types apart "
            "(simulate one of them with another --first-type)"
        )


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
