"""Split, fine-tune, choose thresholds, build, gate, sign, report: one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from convert.adoption.curve import learning_curve, sizes_of
from convert.adoption.order import RECALLS, Order, budget_of, recipe_of
from convert.building import Build, build
from convert.conversion.task import Tell, by_threshold
from convert.evaluation.beside import Beside, beside, told
from convert.evaluation.learning import Learnt, lacking, meaning
from convert.lots.lot import LabelledLot
from convert.lots.marks import save_taught
from convert.lots.parting import SHARES, part
from convert.lots.reading import load_lot
from convert.lots.splits import says_less
from convert.metrics.defects import auroc_interval, threshold_for_recall
from convert.reports.adoption import by_type, write_adoption
from convert.reports.history import draw_history
from convert.reports.pages import Table
from convert.scorers.defects import Source, source
from convert.training.defects import Epoch, Sides, kept_in_words, sides, train
from convert.training.fine_tuning import from_reference
from convert.training.plan import fine_tuning
from edge.bundle.format import open_bundle
from edge.bundle.shipped import WORD
from edge.core.errors import AxiError, GateRefused, UsageError


@dataclass(frozen=True)
class Adopted:
    """``build``: None where the gate refused; ``report``: its page; ``words``: what the lot proves, and what it lacks;
    ``tables``: by board type.
    """

    build: Build | None
    report: Path
    words: tuple[str, ...]
    tables: tuple[Table, ...]


_SIDES = len(SHARES)
_NEXT = "next: take it to a device, where each board type earns its release by reviews (docs/guides/device.md)"


def adopt(order: Order, tell: Tell) -> Adopted:
    """Run every step. Raises GateRefused with the gate's word; then there is no bundle, and the report says why.

    Raises UsageError where the lot cannot be divided, or what would be written is there already. What comes to nothing
    before the gate has spoken leaves nothing behind.
    """
    for path in (order.parts, order.model, order.recipe, order.bundle):
        if path.exists():
            raise UsageError(f"{path}: exists already; give another --version, or remove what the last adoption wrote")
    before = {path for path in order.made if path.exists()}
    try:
        parted = _taught(order, tell)
        built, refused = _built(order, tell)
    except BaseException:
        order.remove(before)
        raise
    try:
        done = _reported(order, parted, built, refused, tell)
    except (AxiError, OSError) as error:
        if refused:
            raise refused from error
        raise
    except KeyboardInterrupt:
        if built:
            tell(f"{built.bundle} is whole; only what was still to be said of it is missing, in {order.report}")
        raise
    if done.build is None:
        assert refused is not None  # noqa: S101 - one of the two
        raise refused
    return done


class _Parted(NamedTuple):
    whole: LabelledLot
    training: LabelledLot
    validation: LabelledLot
    held_out: LabelledLot


def _taught(order: Order, tell: Tell) -> _Parted:
    """The lot in parts, a network that learnt from them, and the recipe."""
    whole = load_lot(order.lot, order.spec)
    if not whole.joint_types:
        raise UsageError(f"{order.lot}: names no joint type; give truth.csv a column joint_type, such as PTH or BGA")
    order.out.mkdir(parents=True, exist_ok=True)
    lot = _kept_apart(of_type(whole, order.joint_type), order)
    for sentence in (*lot.left_out, *says_less(lot)):
        tell(sentence)
    tell(f"splitting {len(lot.rows)} joints by {lot.apart}")
    part(order.lot, lot, order.parts, order.seed, dict(zip(SHARES, order.shares, strict=True)))
    training, validation, held_out = (
        replace(load_lot(order.parts / name, order.spec), apart=lot.apart) for name in SHARES
    )
    classes = _fine_tuned(order, training, validation, tell)
    order.recipe.write_text(recipe_of(order, classes, lot.joint_types, held_out))
    return _Parted(lot, training, validation, held_out)


def _reported(order: Order, lots: _Parted, built: Build | None, refused: GateRefused | None, tell: Tell) -> Adopted:
    """What came of it, also where the gate refused."""
    whole, training, validation, held_out = lots
    try:
        compared = _compared(order, built, validation, held_out, tell)
        beside_it, types = tuple(told(*compared)), (by_type(*compared),) if compared[0].types else ()
    except (AxiError, OSError) as error:  # of the network that ships: it says nothing against this one
        beside_it, types = (f"not compared with the network that comes with axi-edge: {error}",), ()
    first = (*says_less(whole), *_sizes(training, validation, held_out), *_found(built, held_out, beside_it))
    last = (*_lacking(built, held_out, len(whole.rows)), *((_NEXT,) if built else ()))
    report = write_adoption(order.report, (*first, *last), [], str(refused or ""), types)
    tell(f"adoption report: {report}")
    learnt = _learnt(order, training, held_out, tell)
    words = (*first, *meaning(learnt, int(held_out.labels.sum())), *last)
    if learnt:  # which takes the longest, and may be interrupted
        write_adoption(order.report, words, learnt, str(refused or ""), types)
    return Adopted(built, report, words, types)


def of_type(lot: LabelledLot, joint_type: str) -> LabelledLot:
    """Its joints of a type; all of them where none is named. Raises UsageError where there are none."""
    if not joint_type:
        return lot
    chosen = [place for place, row in enumerate(lot.defect_rows) if row.joint_type == joint_type]
    if not chosen:
        types = ", ".join(lot.joint_types)
        raise UsageError(f"{lot.name}: no joint of type {joint_type!r}; it holds {types}")
    return lot.subset(np.array(chosen), lot.name)


def _kept_apart(lot: LabelledLot, order: Order) -> LabelledLot:
    """By board type where there are enough of them, else by board."""
    if order.by is not None:
        return lot.kept_apart(order.by)
    if lot.apart == "board type" and len(set(lot.groups.tolist())) < _SIDES:
        return lot.kept_apart("serial")
    return lot


def _fine_tuned(order: Order, training: LabelledLot, validation: LabelledLot, tell: Tell) -> tuple[str, ...]:
    """The reference, taught the lot's joints; the classes that it tells apart."""
    plan = replace(fine_tuning(len(training.rows)), seed=order.seed)
    data: Sides = sides(training, plan, validation)
    tell(f"fine-tuning the reference on {len(training.rows)} joints, its end first; {plan.epochs} epochs at most")

    def on_epoch(epoch: Epoch) -> None:
        tell(f"epoch {epoch.epoch}: validation AUROC {epoch.validation_auroc:.4f}, {epoch.seconds:.0f} s")

    start = from_reference(data.training, data.classes, plan)
    history = train("slicenet", data, order.model, plan, report=on_epoch, start=start)
    draw_history(order.model.with_suffix(".png"), history)
    save_taught(order.model, data)
    tell(kept_in_words(history))
    return data.classes


def _built(order: Order, tell: Tell) -> tuple[Build | None, GateRefused | None]:
    try:
        return build(order.recipe, order.out, tell), None
    except GateRefused as refused:
        return None, refused


def _compared(
    order: Order, built: Build | None, validation: LabelledLot, held_out: LabelledLot, tell: Tell
) -> tuple[Beside, Beside]:
    """The bundle, or where there is none the network, on held-out joints beside the one that ships; thresholds, but the
    bundle's own, are chosen on the same validation joints.
    """
    tell("comparing with the network that comes with axi-edge, untouched")
    ours = source(str(built.bundle if built else order.model))
    threshold = built.decided.points[0].threshold if built else None
    return _beside(ours, validation, held_out, threshold), _beside(source(WORD), validation, held_out)


def _beside(model: Source, validation: LabelledLot, held_out: LabelledLot, threshold: float | None = None) -> Beside:
    chosen_on = model.score(validation)
    if threshold is None:
        threshold = threshold_for_recall(chosen_on, validation.labels, RECALLS[0])
    chosen = auroc_interval(chosen_on, validation.labels)
    return beside(model.name, model.score(held_out), held_out, threshold, chosen)


def _learnt(order: Order, training: LabelledLot, held_out: LabelledLot, tell: Tell) -> list[Learnt]:
    if not order.curve_seeds:
        return []
    runs = 2 * order.curve_seeds * len(sizes_of(len(training.rows)))
    tell(f"drawing how much data is enough: {runs} short trainings")
    found = list[Learnt]()
    for one in learning_curve(training, held_out, order.curve_seeds):
        found.append(one)
        tell(f"{len(found)} of {runs}: {one.joints} joints, from {one.start}: AUROC {one.auroc:.4f}")
    return found


def _sizes(*lots: LabelledLot) -> Iterator[str]:
    for name, lot in zip(SHARES, lots, strict=True):
        yield f"{name}: {len(lot.rows)} joints, {int(lot.labels.sum())} of them defects"


def _found(built: Build | None, held_out: LabelledLot, compared: Iterable[str]) -> Iterator[str]:
    """What the int8 bundle came to on the held-out lot, within which budgets, and what it is beside others."""
    budgets = ", ".join(f"{key} = {value}" for key, value in budget_of(held_out).items())
    yield f"budgets, fitted to the number of held-out joints: {budgets}"
    if built is not None:
        point = built.decided.points[0]
        called = point.false_positive_rate
        yield (
            f"held-out joints by the bundle, {point.name}, threshold {point.threshold:.4f}: recall "
            f"{point.recall.value:.4f} ({point.recall.hits} of {point.recall.total}), false positive rate "
            f"{called.value:.4f} ({called.hits} of {called.total})"
        )
    yield from compared
    if built is not None:
        yield from _unfamiliar(built)
        yield from _alike(built)
        yield from built.warnings


def _unfamiliar(built: Build) -> Iterator[str]:
    """What a device does, and the figures leave out."""
    familiarity = open_bundle(built.bundle).card.familiarity
    strange = familiarity.unfamiliar if familiarity else None
    if strange and strange.hits:
        yield (
            f"{strange.hits} of {strange.total} held-out joints look unfamiliar to it: a device sends them to the "
            "specialist whatever their score, which figures here leave out"
        )


def _alike(built: Build) -> Iterator[str]:
    """Operating points that so few validation defects cannot tell apart."""
    for threshold, names in by_threshold(built.decided.points).items():
        if len(names) > 1:
            yield (
                f"{', '.join(sorted(names))} have one threshold, {threshold:.4f}: the validation lot has too few "
                "defects to tell them apart"
            )


def _lacking(built: Build | None, held_out: LabelledLot, joints: int) -> Sequence[str]:
    if built is None:
        return ()
    recall = built.decided.points[0].recall
    said = lacking(int(held_out.labels.sum()), recall.total - recall.hits)
    return (f"{said} (held out are {len(held_out.rows)} of the {joints} joints)",)
