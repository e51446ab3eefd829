"""How familiar a joint looks: learnt of the converted file's own features, and measured on what is no joint.

Learnt from calibration joints and those of half the validation lot's board types, as they are and a little varied,
against wrong pictures (``convert.simulator.wrong``). The limit is set on the other half's board types, of which nothing
was learnt. A Gaussian of features, and nearest neighbours, were measured first and did not do (docs/decisions/0026).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from convert.conversion.calibration import draw_stratified
from convert.conversion.gate import Check
from convert.conversion.hidden_layer import told_apart
from convert.conversion.recipe import BudgetSection
from convert.conversion.runtimes import run_on, thread_count
from convert.conversion.task import Lots
from convert.lots.lot import Apart, LabelledLot
from convert.lots.truth import TruthRow
from convert.metrics.defects import rate
from convert.simulator.wrong.pictures import EXTENTS, PICTURES, drawn, fitted
from convert.simulator.wrong.stacks import STACKS, cut_off, spoilt, varied
from edge.core.card import Quantisation
from edge.core.decide import score_of
from edge.core.errors import GateRefused
from edge.core.familiarity import Familiarity, Features
from edge.judging.runtime import RuntimeInfo

Patches = NDArray[np.uint8]
Random = np.random.Generator
_Wrong = tuple[str, str, Patches]
"""Group, kind, and pictures of it."""

_OUTSIDE = 0.01
"""Of the joints that the limit is set on at most so many are beyond it."""
_AT_ONCE = 2048
_PICTURES = 12
"""For each right joint; the more, the fewer others get by."""
_DRAWN_EACH, _STACKS_EACH = 30, 200
"""Pictures of each kind and size, and joints of each kind of wrong stack, that are measured."""
NO_JOINT, WRONG = "pictures of no joint", "wrong pictures of joints"


class Kind(NamedTuple):
    """What became of wrong pictures of one kind: how many there were, how many of them are unfamiliar, and how many
    would be released at the default operating point without being asked and are released still.
    """

    group: str
    name: str
    joints: int
    unfamiliar: int
    released_before: int
    released: int


@dataclass(frozen=True)
class Acquaintance:
    """``learnt_from`` and ``limited_by``: right joints that it learnt from, and that its limit was set on; ``apart``:
    what the two have not in common; empty: nothing.
    """

    familiarity: Familiarity
    kinds: tuple[Kind, ...]
    learnt_from: int
    limited_by: int
    apart: Apart | Literal[""]

    def checks(self, budget: BudgetSection) -> tuple[Check, ...]:
        """The gate's lines."""
        right, none = self.familiarity.unfamiliar, [kind for kind in self.kinds if kind.group == NO_JOINT]
        total, missed = sum(kind.joints for kind in none), sum(kind.joints - kind.unfamiliar for kind in none)
        least = None if budget.min_caught is None else 1 - budget.min_caught
        passed = sum(kind.released for kind in none)
        return (
            Check("right pictures unfamiliar", right.value, budget.max_unfamiliar, f"{right.hits} of {right.total}"),
            Check(
                "pictures of no joint that look familiar",
                missed / total,
                least,
                f"{missed} of {total}; {passed} of them are released",
            ),
        )


def unknown(budget: BudgetSection) -> tuple[Check, ...]:
    """The gate's lines where nothing could be learnt: what could not be measured is within no budget."""
    lines = (
        ("right pictures unfamiliar", budget.max_unfamiliar),
        ("pictures of no joint that look familiar", budget.min_caught),
    )
    note = "not measured: the network averages no picture, so it gives no features"
    return tuple(Check(what, math.nan, least, note) for what, least in lines if least is not None)


@dataclass(frozen=True)
class Model:
    """The converted file, where it runs, how its answers are read, and the threshold that it decides by."""

    runtime: RuntimeInfo
    content: bytes
    quantisation: Quantisation
    threshold: float

    def answers(self, parts: Iterable[Patches]) -> tuple[NDArray[Any], Features]:
        """Outputs and features (n, ...) of many patches, some at a time."""
        runs = [run_on(self.runtime, "fast", self.content, some, thread_count()) for some in _handy(parts)]
        features = [run.features for run in runs if run.features is not None]
        return np.concatenate([run.outputs for run in runs]), np.concatenate(features)

    def features(self, parts: Iterable[Patches]) -> NDArray[np.float64]:
        """Of many patches: (n, features)."""
        found: NDArray[np.float64] = self.answers(parts)[1].astype(np.float64)
        return found


def _handy(parts: Iterable[Patches]) -> Iterator[Patches]:
    """The same patches in parts of a size that a process is worth starting for, and that memory holds."""
    waiting: list[Patches] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) >= _AT_ONCE:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def acquaint(
    model: Model, lots: Lots, seen: Features, joints: int, beside: Iterable[Patches], seed: int
) -> Acquaintance | None:
    """Learn and measure; None of a file that gives no features, or without a validation lot. Raises GateRefused.

    ``seen``: features of the evaluation lot; ``joints``: how many right ones to learn from at most; ``beside``: patches
    cut out beside the evaluation lot's joints.
    """
    if model.quantisation.features is None or lots.validation is None:
        return None
    rng = np.random.default_rng(seed)
    learning, limiting = halves(lots.validation)
    right = _right(lots.calibration, learning, joints, seed)
    whole = told_apart(model.features(_held(right, rng)), model.features(_strange(right, rng)), seed)
    familiarity = Familiarity(
        **whole._asdict(), limit=0, measured_on=lots.evaluation.name, unfamiliar=rate(0, len(seen))
    )
    limit = _limit([familiarity.strangeness(row) for row in model.features(limiting.batches(_AT_ONCE))])
    beyond = sum(not familiarity.strangeness(row) <= limit for row in seen)
    familiarity = replace(familiarity, limit=limit, unfamiliar=rate(beyond, len(seen)))
    kinds = tuple(_kinds(model, familiarity, _wrong(lots.evaluation, joints, beside, rng, seed)))
    apart = kept_apart_by((lots.calibration, learning), limiting)
    return Acquaintance(familiarity, kinds, len(right), len(limiting.rows), apart)


def _limit(strangeness: list[float]) -> int:
    """So that at most ``_OUTSIDE`` of them are beyond. Raises GateRefused."""
    ordered = sorted(strangeness)
    limit = ordered[len(ordered) - 1 - int(_OUTSIDE * len(ordered))]
    if not np.isfinite(limit):
        raise GateRefused("no bundle written: the model's features are not all numbers; train or convert it anew")
    return int(np.ceil(limit))


def kept_apart_by(learning: Sequence[LabelledLot], limiting: LabelledLot) -> Apart | Literal[""]:
    """What the lot that sets the limit shares with none of those that were learnt from: board types, else boards."""
    for apart, of in _GROUPS.items():
        there = {of(row) for row in limiting.defect_rows}
        if "" not in there and there.isdisjoint(of(row) for lot in learning for row in lot.defect_rows):
            return apart
    return ""


_GROUPS: dict[Apart, Callable[[TruthRow], str]] = {
    "board type": lambda row: row.board_type,
    "serial": lambda row: row.serial,
}


def halves(lot: LabelledLot) -> tuple[LabelledLot, LabelledLot]:
    """Joints of every other board type to learn from, and of the others; of a single type of every other board, and of
    a single board all of them are both.
    """
    single = len(set(lot.groups.tolist())) == 1
    groups = lot.kept_apart("serial").groups if single else lot.groups
    types = sorted(set(groups.tolist()))
    chosen = np.isin(groups, types[::2])
    if len(types) == 1:
        return lot, lot
    return lot.subset(np.flatnonzero(chosen), lot.name), lot.subset(np.flatnonzero(~chosen), lot.name)


def _right(calibration: LabelledLot, validation: LabelledLot, joints: int, seed: int) -> Patches:
    """As many of each lot, as far as they go."""
    first = draw_stratified(calibration, joints // 2, seed)
    second = draw_stratified(validation, joints - len(first), seed)
    found: Patches = np.concatenate([calibration.take(first), validation.take(second)])
    exposed: Patches = found[found.any(axis=(1, 2, 3))]  # what was not teaches nothing
    return exposed


def _changed(patches: Patches, change: Callable[[NDArray[np.uint8], Random], Patches], rng: Random) -> Patches:
    return np.stack([change(patch, rng) for patch in patches])


def _held(right: Patches, rng: Random) -> Iterator[Patches]:
    """Right joints, and each of them a little varied."""
    for start in range(0, len(right), _AT_ONCE):
        yield right[start : start + _AT_ONCE]
        yield _changed(right[start : start + _AT_ONCE], lambda patch, rng: cut_off(varied(patch, rng), rng), rng)


def _strange(right: Patches, rng: Random) -> Iterator[Patches]:
    """``_PICTURES`` pictures of no joint for each right joint, and a wrong picture of that."""
    for start in range(0, len(right), _AT_ONCE):
        part = right[start : start + _AT_ONCE]
        for _ in range(_PICTURES):
            yield np.stack([cut_off(drawn(rng, patch.shape), rng) for patch in part])
        yield _changed(part, lambda patch, rng: cut_off(spoilt(patch, rng), rng), rng)


def _kinds(model: Model, familiarity: Familiarity, wrong: Iterable[_Wrong]) -> Iterator[Kind]:
    met: list[tuple[str, str, int]] = []

    def parts() -> Iterator[Patches]:
        for group, name, patches in wrong:
            met.append((group, name, len(patches)))
            yield patches

    outputs, features = model.answers(parts())
    unfamiliar = np.array([not familiarity.knows(row) for row in features])
    normal = np.array([score_of(row, model.quantisation) for row in outputs]) < model.threshold
    start = 0
    for group, name, count in met:
        these = slice(start, start + count)
        before, after = int(normal[these].sum()), int((normal & ~unfamiliar)[these].sum())
        yield Kind(group, name, count, int(unfamiliar[these].sum()), before, after)
        start += count


def _wrong(evaluation: LabelledLot, joints: int, beside: Iterable[Patches], rng: Random, seed: int) -> Iterator[_Wrong]:
    """What is measured, in proportion to the ``joints`` that were learnt from."""
    right = evaluation.take(draw_stratified(evaluation, min(_STACKS_EACH, -(-joints // 4)), seed))
    for name, patches in pictures_of_no_joint(right.shape[1:], rng, min(_DRAWN_EACH, -(-joints // 32))).items():
        yield NO_JOINT, name, patches
    for name, change in STACKS.items():
        changed = _changed(right, change, rng)
        differing = (changed != right).any(axis=(1, 2, 3))  # one slice has no order
        if differing.any():
            yield WRONG, name, changed[differing]
    for patches in beside:
        yield WRONG, "box beside the joint", patches[: len(right)]


def pictures_of_no_joint(shape: tuple[int, ...], rng: Random, each: int = _DRAWN_EACH) -> Mapping[str, Patches]:
    """By kind, ``each`` of every size: the same picture in four slices, or in fewer where there are fewer; one in four
    at the edge of its frame.
    """
    size, _, channels = shape
    found: dict[str, list[Patches]] = {}
    for (name, draw), extent, _ in product(PICTURES.items(), EXTENTS, range(each)):
        patch = np.zeros((size, size, channels), np.uint8)
        patch[..., : min(4, channels)] = fitted(draw(rng, extent), size)[..., np.newaxis]
        found.setdefault(name, []).append(cut_off(patch, rng))
    return {name: np.stack(patches) for name, patches in found.items()}
