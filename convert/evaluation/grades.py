"""``axi-convert evaluate`` on an optical lot: what each model's grades are worth, the seed's figures beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from convert.conversion.parity import scores_of
from convert.conversion.runtimes import outputs_on, supported, thread_count
from convert.conversion.task import Tell
from convert.lots.features import GradedLot, inputs_of, load_graded_lot
from convert.lots.splits import require_unseen, split_by_board_type
from convert.lowering.layers import Network
from convert.lowering.read import read_network
from convert.metrics.grades import Numbers, Recognition, grades_of, recognition, thresholds
from convert.shipped.paths import QUALITY_MODEL
from edge.bundle.format import open_bundle
from edge.core.errors import UsageError
from edge.core.features import MOST_OUTSIDE, FeatureSpec, fitted, levels_of, outside

THEIRS = {"training": 96.87, "test": 95.83}
"""Recognition Rates printed by Acciani et al. (2009), in per cent."""

_KNN, _MLP = "k nearest neighbours (baseline)", "plain MLP classifier (baseline)"


class Graded(msgspec.Struct, frozen=True):
    """What one model's grades are worth on both lots; None where that would say nothing.

    ``unfamiliar``: joints of the test lot that the device would not judge, since too many of their features lie beyond
    what training joints showed; they are graded here all the same.
    """

    name: str
    note: str
    training: Recognition | None
    test: Recognition
    thresholds: tuple[float, ...] = ()
    unfamiliar: int | None = None


class GradeEvaluation(msgspec.Struct, frozen=True):
    """What ``axi-convert evaluate`` found on an optical lot. ``lots``: a sentence each."""

    schema: str
    lots: tuple[str, ...]
    models: tuple[Graded, ...]
    theirs: dict[str, float]


@dataclass(frozen=True)
class _Model:
    """One model's quality indices. ``network``: as it was read, of a Keras model; ``between``: its thresholds."""

    name: str
    note: str
    training: Numbers
    test: Numbers
    between: tuple[float, ...]
    unfamiliar: int
    network: Network | None = None


@dataclass(frozen=True)
class Evaluated:
    """The figures, and what drawings are made of."""

    figures: GradeEvaluation
    models: tuple[_Model, ...]
    test: GradedLot


def evaluate_grades(words: Sequence[str], training: Path, validation: Path | None, test: Path, tell: Tell) -> Evaluated:
    """Grade training and test lot with every model (bundles, .keras files; else the shipped one) and baselines.

    ``validation``: what the plain classifier's best epoch is chosen on; without, some of the training lot's board
    types. Raises UsageError when the lots share a board type or lack a grade, ConfigError or BundleRefused for a model.
    """
    tell(f"measuring the joints of {training.name} and {test.name}")
    learnt, seen = (load_graded_lot(lot, FeatureSpec()) for lot in (training, test))
    require_unseen(learnt, seen)
    models = [_scored(word, training, test, learnt, seen, tell) for word in words or [str(QUALITY_MODEL)]]
    graded = [_graded(model, learnt, seen) for model in models]
    sides = split_by_board_type(learnt, 0.15, 0)
    if validation is not None:
        sides = learnt, load_graded_lot(validation, FeatureSpec())
        require_unseen(*sides)
    graded += list(_baselines(learnt, seen, sides, tell))
    sentences = (
        f"Learnt on {learnt.name}: {_about(learnt)}.",
        f"Measured on {seen.name}: {_about(seen)}.",
    )
    figures = GradeEvaluation("axi-quality-evaluation/1", sentences, tuple(graded), THEIRS)
    return Evaluated(figures, tuple(models), seen)


def _about(lot: GradedLot) -> str:
    types = len(set(lot.board_types))
    disputed = int(lot.disputed.sum())
    return f"{len(lot.rows)} joints of {types} board types, {disputed} of them in the band where experts disagree"


def _scored(word: str, training: Path, test: Path, learnt: GradedLot, seen: GradedLot, tell: Tell) -> _Model:
    """A bundle's or a Keras model's indices; thresholds are the card's, or learnt from the training lot."""
    path = Path(word)
    if not path.exists():
        raise UsageError(f"{word}: no such bundle or .keras file; name one that is there")
    tell(f"grading with {path.name}")
    if path.is_dir():
        bundle = open_bundle(path)
        spec, scale = bundle.card.preprocess, bundle.card.grades
        if not isinstance(spec, FeatureSpec) or scale is None:
            raise UsageError(f"{word}: finds defects and does not grade; name a bundle of task joint_quality")
        runtime, tflite = supported(())[0], bundle.model_path.read_bytes()

        def run(levels: Any) -> Numbers:
            raw = outputs_on(runtime, "fast", tflite, levels[:, np.newaxis, np.newaxis, :], thread_count())
            return scores_of(raw, bundle.card.quantisation)

        first, second = (run(levels_of(spec, _features(spec, *pair))) for pair in ((learnt, training), (seen, test)))
        note = f"{bundle.card.quantisation.scheme} on {runtime.name}, thresholds of its card"
        return _Model(bundle.path.name, note, first, second, scale.thresholds, _unfamiliar(spec, seen, test))
    from convert.networks.scoring import load_model, quality_index

    model = load_model(path)
    spec = _spec_of(model, word)
    first, second = (
        quality_index(model, inputs_of(spec, _features(spec, *pair))).astype(np.float64)
        for pair in ((learnt, training), (seen, test))
    )
    between = tuple(thresholds(first, learnt.grades)[1].tolist())
    note = "Keras, thresholds from the training lot"
    return _Model(path.stem, note, first, second, between, _unfamiliar(spec, seen, test), read_network(model))


def _spec_of(model: Any, word: str) -> FeatureSpec:
    from convert.networks.neurofuzzy import spec_of

    try:
        return spec_of(model)
    except ValueError as error:
        raise UsageError(f"{word}: is no neurofuzzy network ({error}); name one") from error


def _features(spec: FeatureSpec, lot: GradedLot, folder: Path) -> Numbers:
    """Unscaled features as this spec measures them; those at hand where it measures alike."""
    if msgspec.structs.replace(spec, ranges=()) == FeatureSpec():
        return lot.features
    return load_graded_lot(folder, spec).features


def _unfamiliar(spec: FeatureSpec, lot: GradedLot, folder: Path) -> int:
    return sum(outside(spec, values) > MOST_OUTSIDE for values in _features(spec, lot, folder))


def _graded(one: _Model, learnt: GradedLot, seen: GradedLot) -> Graded:
    training, test = (
        recognition(grades_of(qi, one.between), lot.rows) for qi, lot in ((one.training, learnt), (one.test, seen))
    )
    return Graded(one.name, one.note, training, test, one.between, one.unfamiliar)


def _baselines(learnt: GradedLot, seen: GradedLot, sides: tuple[GradedLot, GradedLot], tell: Tell) -> Iterator[Graded]:
    from convert.training.grade_baselines import nearest_neighbours, plain_classifier

    spec = fitted(FeatureSpec(), learnt.features)
    tell("grading with k nearest neighbours")
    neighbours = recognition(nearest_neighbours(spec, learnt, seen), seen.rows)
    yield Graded(_KNN, "9 neighbours; among training joints each would find itself", None, neighbours)
    tell("training the plain classifier")
    classify = plain_classifier(spec, *sides)
    first, second = (recognition(classify(lot), lot.rows) for lot in (learnt, seen))
    note = f"the same hidden layers and a softmax, its best epoch on {sides[1].name}"
    yield Graded(_MLP, note, first, second)
