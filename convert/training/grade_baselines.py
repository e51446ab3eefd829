"""What the neurofuzzy index is compared with, on the same features: nearest neighbours, and a plain classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from convert.lots.features import GradedLot, inputs_of
from convert.lots.graded_truth import Grades
from edge.core.features import FeatureSpec
from edge.core.grades import GRADES

_CHUNK = 512


def nearest_neighbours(spec: FeatureSpec, lot: GradedLot, test: GradedLot, neighbours: int = 9) -> Grades:
    """The grade that most of the nearest training joints have (Euclidean, on levels); a tie goes to the lower grade."""
    known, asked = inputs_of(spec, lot.features), inputs_of(spec, test.features)
    lengths = (known * known).sum(axis=1)
    found = []
    for start in range(0, len(asked), _CHUNK):
        chunk = asked[start : start + _CHUNK]
        # The asked joint's own length is the same for all its neighbours.
        distances = lengths[None, :] - 2 * chunk @ known.T
        nearest = np.argpartition(distances, neighbours - 1, axis=1)[:, :neighbours]
        found.append(_most_votes(lot.grades[nearest]))
    return np.concatenate(found)


def _most_votes(grades: NDArray[np.int64]) -> Grades:
    counts = np.stack([(grades == grade).sum(axis=1) for grade in range(len(GRADES))], axis=1)
    return np.asarray(np.argmax(counts, axis=1), np.int64)


def plain_classifier(
    spec: FeatureSpec, lot: GradedLot, validation: GradedLot, seed: int = 0, epochs: int = 60
) -> Callable[[GradedLot], Grades]:
    """Trains a network of the same two hidden layers that ends in a softmax; it grades a lot.

    Its best epoch on validation is kept.
    """
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((lot.features.shape[1],)),
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(len(GRADES), activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    best: Any = keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True)
    held_out = (inputs_of(spec, validation.features), validation.grades)
    model.fit(
        inputs_of(spec, lot.features),
        lot.grades,
        batch_size=64,
        epochs=epochs,
        validation_data=held_out,
        callbacks=[best],
        verbose=0,
    )

    def grades(of: GradedLot) -> Grades:
        return np.asarray(np.argmax(np.asarray(model(inputs_of(spec, of.features))), axis=1), np.int64)

    return grades
