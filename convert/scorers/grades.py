"""Models that grade: a bundle on the runtime that ships, a Keras model, and what both are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from convert.conversion.parity import device_scores
from convert.conversion.runtimes import supported
from convert.conversion.task import Tell
from convert.evaluation.grades import Classified, Evaluated, Indexed, evaluate_grades
from convert.lots.features import GradedLot, inputs_of, load_graded_lot
from convert.lots.splits import require_unseen, split_apart
from convert.lowering.read import read_network
from convert.metrics.grades import Numbers, thresholds
from convert.networks.neurofuzzy import spec_of
from convert.networks.scoring import load_model, quality_index
from convert.shipped.paths import QUALITY_MODEL
from convert.training.grade_baselines import nearest_neighbours, plain_classifier
from convert.training.plan import NEUROFUZZY
from edge.bundle.format import open_bundle
from edge.core.errors import UsageError
from edge.core.features import MOST_OUTSIDE, FeatureSpec, fitted, levels_of, outside

_KNN, _MLP = "k nearest neighbours (baseline)", "plain MLP classifier (baseline)"


def grade(words: Sequence[str], training: Path, validation: Path | None, test: Path, tell: Tell) -> Evaluated:
    """Grade training and test lot with every model (bundles, .keras files; else the shipped one) and baselines.

    ``validation``: what the plain classifier's best epoch is chosen on; without, some of the training lot's board
    types. Raises UsageError when the lots share a board type or lack a grade, ConfigError or BundleRefused for a model.
    """
    for word in words:
        if not Path(word).exists():
            raise UsageError(f"{word}: no such bundle or .keras file; name one that is there")
    tell(f"measuring the joints of {training.name} and {test.name}")
    learnt, seen = (load_graded_lot(lot, FeatureSpec()) for lot in (training, test))
    require_unseen(learnt, seen)  # before anything is computed on them
    sides = split_apart(learnt, NEUROFUZZY.validation_share, NEUROFUZZY.seed)
    if validation is not None:
        sides = learnt, load_graded_lot(validation, FeatureSpec())
        for sentence in sides[1].left_out:
            tell(sentence)
        require_unseen(*sides)
    models = [_indexed(word, training, test, learnt, seen, tell) for word in words or [str(QUALITY_MODEL)]]
    return evaluate_grades(learnt, seen, models, tuple(_baselines(learnt, seen, sides, tell)))


def _indexed(word: str, training: Path, test: Path, learnt: GradedLot, seen: GradedLot, tell: Tell) -> Indexed:
    """A bundle's or a Keras model's indices; thresholds are the card's, or learnt from the training lot."""
    path = Path(word)
    tell(f"grading with {path.name}")
    if path.is_dir():
        bundle = open_bundle(path)
        spec, scale = bundle.card.preprocess, bundle.card.grades
        if not isinstance(spec, FeatureSpec) or scale is None:
            raise UsageError(f"{word}: finds defects and does not grade; name a bundle of task joint_quality")
        runtime, tflite = supported(())[0], bundle.model_path.read_bytes()

        def run(levels: Any) -> Numbers:
            return device_scores(runtime, tflite, levels[:, np.newaxis, np.newaxis, :], bundle.card.quantisation)

        first, second = (run(levels_of(spec, _features(spec, *pair))) for pair in ((learnt, training), (seen, test)))
        note = f"{bundle.card.quantisation.scheme} on {runtime.name}, thresholds of its card"
        return Indexed(bundle.path.name, note, first, second, scale.thresholds, _unfamiliar(spec, seen, test))
    model = load_model(path)
    spec = _spec_of(model, word)
    first, second = (
        quality_index(model, inputs_of(spec, _features(spec, *pair))).astype(np.float64)
        for pair in ((learnt, training), (seen, test))
    )
    between = tuple(thresholds(first, learnt.grades)[1].tolist())
    note = "Keras, thresholds from the training lot"
    return Indexed(path.stem, note, first, second, between, _unfamiliar(spec, seen, test), read_network(model))


def _spec_of(model: Any, word: str) -> FeatureSpec:
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


def _baselines(
    learnt: GradedLot, seen: GradedLot, sides: tuple[GradedLot, GradedLot], tell: Tell
) -> Iterator[Classified]:
    spec = fitted(FeatureSpec(), learnt.features)
    tell("grading with k nearest neighbours")
    note = "9 neighbours; among training joints each would find itself"
    yield Classified(_KNN, note, None, nearest_neighbours(spec, learnt, seen))
    tell("training the plain classifier")
    classify = plain_classifier(spec, *sides)
    note = f"the same hidden layers and a softmax, its best epoch on {sides[1].name}"
    yield Classified(_MLP, note, classify(learnt), classify(seen))
