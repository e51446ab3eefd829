"""Keras models read from their files, and their scores of many joints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.lots.lot import LabelledLot
from convert.lots.patches import scaled
from convert.lowering.graphs.frozen import first_words
from convert.lowering.graphs.handed import Handed
from convert.networks.folded import folded
from convert.networks.handing import first_output
from edge.core.errors import ConfigError

_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError, NotImplementedError, BadZipFile)
"""What Keras raises over files that are no models, or models of parts that are not here."""


def score(
    model: Any, lot: LabelledLot | NDArray[np.uint8], batch: int = 64, *, plain: bool = False
) -> NDArray[np.float64]:
    """p_defect, or quality index, of each joint under a Keras model, float64 (n,); a lot is read from disk in batches.

    ``plain`` computes with Keras' own layers, slower: the reference that rewrites are held to. Raises ConfigError for a
    model that cannot be computed.
    """
    batches = lot.batches(batch) if isinstance(lot, LabelledLot) else _chunks(lot, batch)
    try:
        return scores_in_batches(compiled(model, plain=plain), batches)
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError, tf.errors.OpError) as error:
        said = first_words(error)
        raise ConfigError(f"{model.name}: cannot be computed on patches here ({said}); build it anew") from error


def score_scaled(handed: Handed, lot: LabelledLot, factor: float, batch: int = 64) -> NDArray[np.float64]:
    """p_defect of each joint where grey values are ``factor`` times what the model says that it takes."""
    traced = _traced_handed(handed)
    return scores_in_batches(lambda patches: traced(scaled(patches) * np.float32(factor)), lot.batches(batch))


def load_model(path: Path) -> Any:
    """Read a ``.keras`` or H5 file. Raises ConfigError."""
    from convert.networks import lowrank, neurofuzzy  # noqa: F401 - they register their layers with Keras

    try:
        return keras.models.load_model(path, compile=False)
    except _UNREADABLE as error:
        remedy = "build it of Keras' own layers, or save it for inference: model.export(FOLDER)"
        raise ConfigError(f"{path}: not readable as a Keras model ({first_words(error)}); {remedy}") from error


def _chunks(patches: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(patches), size):
        yield patches[start : start + size]


def scores_in_batches(forward: Any, batches: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    return np.concatenate([_last_of(np.asarray(forward(part))) for part in batches]).astype(np.float64)


def _last_of(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """p_defect, whichever defect it is; or the one value there is."""
    return outputs[:, -1] if outputs.shape[1] <= 2 else 1 - outputs[:, 0]


def compiled(model: Any, *, plain: bool = False) -> Any:
    """uint8 patches of many joints to outputs (n, k), or to p_defect (n, 1) of what was handed over."""
    if isinstance(model, Handed):
        return _compiled_handed(model)
    of_features = len(model.input_shape) == 2
    compute = model if plain else computing(model)
    shape = (1, 1, model.input_shape[1]) if of_features else model.input_shape[1:4]
    batch_of_patches = tf.TensorSpec((None, *shape), tf.uint8)

    @tf.function(input_signature=[batch_of_patches], autograph=False)
    def forward(patches: Any) -> Any:
        return first_output(compute(as_input(model, patches), training=False))

    return _traced(forward)


def _traced(function: Any) -> Any:
    """Traced once and for all: else TensorFlow warns of functions that it takes for one, traced again and again."""
    concrete = function.get_concrete_function()
    return lambda values: concrete(tf.constant(values))


def _compiled_handed(handed: Handed) -> Any:
    traced = _traced_handed(handed)
    # Scaled by numpy as everywhere else: a graph multiplies by 1 / 255, and a deep network shows the difference.
    return lambda patches: traced(scaled(patches))


def _traced_handed(handed: Handed) -> Any:
    """Of values as the model takes them."""

    @tf.function(input_signature=[tf.TensorSpec((None, *handed.input_shape), tf.float32)], autograph=False)
    def forward(inputs: Any) -> Any:
        return handed.p_defect(inputs)[:, tf.newaxis]

    return _traced(forward)


def computing(model: Any, *, rounded: bool = False) -> Any:
    """A function (inputs, training) -> outputs; of a network over volumes the faster one."""
    return folded(model, rounded=rounded) if len(model.input_shape) == 5 else model


def as_input(model: Any, patches: Any) -> Any:
    """uint8 (n, size, size, channels) as the model takes them, in [0, 1]: pictures, volumes of one channel, or rows."""
    values = tf.cast(patches, tf.float32) / 255.0
    if len(model.input_shape) == 5:
        return values[..., tf.newaxis]
    return tf.reshape(values, (-1, model.input_shape[1])) if len(model.input_shape) == 2 else values


def quality_index(model: Any, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The model's Quality Index of each joint: (n, features) to (n,)."""
    parts = [np.asarray(model(inputs[start : start + 4096]))[:, 0] for start in range(0, len(inputs), 4096)]
    return np.concatenate(parts)
