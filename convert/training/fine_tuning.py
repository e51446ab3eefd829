"""Going on from a network that was trained on other joints: its end is fitted to the lot's classes, then all learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from convert.lots.lot import LabelledLot
from convert.networks.scoring import as_input, computing, load_model
from convert.networks.slicenet import FEATURES, PROBABILITIES
from convert.shipped.paths import SHIPPED
from convert.training.augmentation import augmented
from convert.training.plan import TrainingPlan
from edge.core.card import NORMAL
from edge.core.errors import UsageError

_LOOKS, _MOST_LOOKS = 4000, 16
"""The fewer joints a lot has, the more often each is shown, changed each time."""
_RIDGE = 1e-2
"""How much weights of the end cost, by their squares: a lot may have fewer joints than the end has weights."""
_DULL = 0.1
"""Features that show less than this share of what the liveliest shows are not made to show as much."""
_BATCH = 64
_Floats = NDArray[np.float64]


def begun(start: Any, data: LabelledLot, classes: Sequence[str], plan: TrainingPlan) -> Any:
    """A network with ``start``'s trunk, which stays as it is, and an end that was fitted to the lot.

    ``data``: as many joints of each kind as shall weigh; ``classes``: normal first. Raises UsageError for a model that
    has no pooled features as its second output.
    """
    names = {layer.name for layer in start.layers}
    if not {FEATURES, PROBABILITIES} <= names:
        raise UsageError("--start: is no SliceNet; name one that `axi-convert train slicenet` made, or reference")
    pooled = start.get_layer(FEATURES).output
    kept = keras.layers.Dropout(plan.dropout, seed=plan.seed, name="dropout")(pooled)
    end = keras.layers.Dense(len(classes), activation="softmax", name=PROBABILITIES)
    model = keras.Model(start.input, [end(kept), pooled], name=start.name)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False  # few joints would spoil what it knows of many
    looks = min(_MOST_LOOKS, max(1, _LOOKS // len(data.rows)))
    targets = np.tile(_targets(data, classes), looks)
    weights, biases = _fitted(_features(model, data, looks, plan), targets, len(classes))
    end.set_weights([weights.astype(np.float32), biases.astype(np.float32)])
    return model


def from_reference(data: LabelledLot, classes: Sequence[str], plan: TrainingPlan) -> Any:
    """The shipped SliceNet, begun on a lot."""
    return begun(load_model(SHIPPED["slicenet"]), data, classes, plan)


def _features(model: Any, data: LabelledLot, looks: int, plan: TrainingPlan) -> _Floats:
    """Of every joint, and of what it may look like another time: (looks * joints, features)."""
    compute, rng, found = computing(model), np.random.default_rng(plan.seed), list[_Floats]()
    for look in range(looks):
        for patches in data.batches(_BATCH):
            changed = augmented(patches, plan.augmentation, rng) if look else patches
            found.append(np.asarray(compute(as_input(model, changed), training=False)[1], np.float64))
    return np.concatenate(found)


def _targets(data: LabelledLot, classes: Sequence[str]) -> NDArray[np.int64]:
    numbers = {name: number for number, name in enumerate(classes)}
    return np.array([numbers[row.truth if row.label else NORMAL] for row in data.defect_rows], np.int64)


def _fitted(features: _Floats, targets: NDArray[np.int64], classes: int) -> tuple[_Floats, _Floats]:
    """Weights (features, classes) and biases of a softmax regression; features are scaled meanwhile."""
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.maximum(spread, _DULL * spread.max() + 1e-9)
    scaled = np.column_stack([(features - mean) / spread, np.ones(len(features))])
    wanted = np.eye(classes)[targets]

    def cost(flat: _Floats) -> tuple[float, _Floats]:
        weights = flat.reshape(scaled.shape[1], classes)
        values = scaled @ weights
        values -= values.max(axis=1, keepdims=True)
        logs = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
        free = weights.copy()
        free[-1] = 0  # biases cost nothing
        slope = scaled.T @ (np.exp(logs) - wanted) / len(wanted) + 2 * _RIDGE * free
        return float(-(wanted * logs).sum() / len(wanted) + _RIDGE * (free**2).sum()), slope.ravel()

    found = minimize(cost, np.zeros(scaled.shape[1] * classes), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    weights = found.x.reshape(scaled.shape[1], classes)
    inner = weights[:-1] / spread[:, np.newaxis]
    return inner, weights[-1] - mean @ inner
