"""From a Keras model or a SavedModel to what lowering takes (``convert.lowering.graphs.handed``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from convert.lowering.graphs.frozen import frozen
from convert.lowering.graphs.handed import Ending, Handed, Reading
from convert.lowering.graphs.read import made_into_probabilities
from convert.networks.saved import opened
from edge.core.card import NORMAL
from edge.core.errors import ConfigError

_MOST_SLICES = 6
_PROBES = 4
_OVER_VOLUMES = {"Conv3D", "MaxPooling3D", "TimeDistributed", "LSTM", "LowRankLSTM"}


def of_keras(model: Any, classes: Sequence[str] = (), pixels: str = "0..1") -> Handed:
    """A Keras model of one input; of several outputs the first is read. Raises ConfigError naming what does not fit."""
    shape = _keras_shape(model)

    def call(inputs: Any) -> Any:
        return first_output(model(inputs, training=False))

    return _handed(model.name, shape, call, classes, pixels, tuple(_layer_names(model)))


def of_saved_model(folder: Path, classes: Sequence[str] = (), pixels: str = "0..1") -> Handed:
    """A SavedModel, whatever it was made of. Raises ConfigError naming what does not fit."""
    saved, signature = opened(folder)
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise ConfigError(f"{folder}: takes {len(inputs)} inputs ({', '.join(inputs)}); export it with one")
    ((name, spec),) = inputs.items()
    outputs = sorted(signature.structured_outputs)

    def call(values: Any) -> Any:
        _ = saved  # its variables live as long as it does
        return signature(**{name: values})[outputs[0]]

    return _handed(folder.name, tuple(spec.shape), call, classes, pixels, ())


def of_volumes(model: Any) -> bool:
    """Whether a Keras model is of the papers' kind, over volumes or features, which lowering knows layer by layer."""
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) == 2:
        return True
    return any(type(layer).__name__ in _OVER_VOLUMES for layer in getattr(model, "layers", ()))


def normal_first(model: Any) -> tuple[str, ...]:
    """Classes of a Keras model that nobody named: normal and as many defects as there are outputs."""
    values = first_output(getattr(model, "output_shape", (None, 2)))[-1]
    return (NORMAL, *(f"defect-{number}" for number in range(1, values))) if values > 2 else ()


def first_output(outputs: Any) -> Any:
    """What is scored, of a model that gives more: features come after it. Also of shapes."""
    several = isinstance(outputs, list) or (isinstance(outputs, tuple) and isinstance(outputs[0], tuple))
    return outputs[0] if several else outputs


def _keras_shape(model: Any) -> Any:
    """Raises ConfigError for a model whose layers nobody can follow from one input to one output."""
    try:
        shape = model.input_shape if hasattr(model, "input_shape") else _shape_as_called(model)
    except (AttributeError, ValueError, LookupError, TypeError) as error:
        remedy = "save a Sequential or functional model that was built on its input"
        raise ConfigError(f"{model.name}: its layers cannot be followed from an input ({error}); {remedy}") from error
    output = getattr(model, "output", None)  # which a Sequential that was not called lacks
    if isinstance(output, dict):
        raise ConfigError(f"{model.name}: gives its output as {', '.join(output)}; build the model with one output")
    if isinstance(shape, list | dict):
        raise ConfigError(f"{model.name}: takes {len(shape)} inputs; build it with one")
    return shape


def _shape_as_called(model: Any) -> tuple[int | None, ...]:
    """Of a model whose layers are called in code of its own: what it was built on."""
    _, *shape = model.get_build_config()["input_shape"]
    return (None, *shape)


def _handed(
    name: str,
    shape: tuple[int | None, ...],
    call: Callable[[Any], Any],
    classes: Sequence[str],
    pixels: str,
    layers: tuple[str, ...],
) -> Handed:
    patch = _patch_shape(name, shape)
    volume = len(shape) == 5

    def on_patches(inputs: Any) -> Any:
        values = inputs * 255.0 if pixels == "0..255" else inputs
        return call(tf.expand_dims(values, -1) if volume else values)

    nodes = frozen(on_patches, patch, name)
    if len(nodes[-1].shape) != 2:
        raise ConfigError(f"{name}: gives {nodes[-1].shape[1:]} a joint; end it in a few values, one a class")
    end, values = made_into_probabilities(nodes), nodes[-1].shape[1]
    if end is not None and end.kind == "Sigmoid" and values > 1:
        raise ConfigError(f"{name}: gives {values} values with a sigmoid each; end it in one sigmoid, or in a softmax")
    if end is None:
        _require_logits(name, on_patches, patch)
    reading: Reading = "logits" if end is None else "probabilities"
    return Handed(name, patch, on_patches, ending_of(reading, values, classes, name), tuple(nodes), layers)


def _require_logits(name: str, call: Callable[[Any], Any], patch: tuple[int, int, int]) -> None:
    """Raises ConfigError where outputs add up to one, as only probabilities do."""
    noise = np.random.default_rng(0).random((_PROBES, *patch), np.float32)
    outputs = np.asarray(call(tf.constant(noise)))
    if outputs.shape[1] > 1 and np.allclose(outputs.sum(axis=1), 1, atol=1e-4) and outputs.min() >= 0:
        raise ConfigError(f"{name}: gives probabilities, but not by a softmax at its end; end it in one, or in logits")


def _patch_shape(name: str, shape: tuple[int | None, ...]) -> tuple[int, int, int]:
    """Raises ConfigError for anything but a square patch of one to six slices."""
    remedy = "build the model on (height, width, slices) or (height, width, slices, 1)"
    if len(shape) not in {4, 5} or (len(shape) == 5 and shape[4] != 1):
        raise ConfigError(f"{name}: input shape {shape} is not that of a joint; {remedy}")
    height, width, slices = shape[1:4]
    if height is None or width is None or slices is None:
        raise ConfigError(f"{name}: input shape {shape} leaves a size open; {remedy}, all of them given")
    if height != width:
        raise ConfigError(f"{name}: takes patches of {height} x {width}; joints are cut out as squares")
    if not 1 <= slices <= _MOST_SLICES:
        raise ConfigError(f"{name}: takes {slices} slices; a joint has 1 to {_MOST_SLICES}")
    return height, width, slices


def _layer_names(model: Any) -> Iterator[str]:
    for layer in model.layers:
        yield layer.name
        if hasattr(layer, "layers"):
            yield from _layer_names(layer)


def ending_of(reading: Reading, values: int, classes: Sequence[str], name: str) -> Ending:
    """How ``values`` outputs are read, their ``classes`` as the recipe names them, or none. Raises ConfigError."""
    if not classes:
        if values > 2:
            raise ConfigError(
                f"{name}: gives {values} values; name their classes in [source] classes, in the output's order, one of "
                f"them {NORMAL!r}"
            )
        classes = (NORMAL, "defect")
    expected = max(values, 2)
    if len(classes) != expected or len(set(classes)) != expected or list(classes).count(NORMAL) != 1:
        raise ConfigError(
            f"[source] classes: {', '.join(classes)}: {name} gives {values} value{'s' * (values > 1)}; name {expected} "
            f"different classes, one of them {NORMAL!r}"
        )
    if values == 1 and classes[0] != NORMAL:
        raise ConfigError(f"[source] classes: the one value is the defect's; put {NORMAL!r} first")
    return Ending(reading, tuple(classes), single=values == 1)
