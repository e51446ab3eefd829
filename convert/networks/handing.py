"""From a Keras model or a SavedModel to what lowering takes (``convert.lowering.graphs.handed``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from convert.lowering.graphs.frozen import Node, frozen
from convert.lowering.graphs.handed import Ending, Handed, Reading
from convert.lowering.graphs.read import made_into_probabilities, made_of
from convert.networks.saved import opened
from edge.core.card import NORMAL
from edge.core.errors import ConfigError

_MOST_SLICES = 6
_PROBES = 16
_NUMBERED = re.compile(r"output_\d+")
"""What Keras calls outputs of a model that has several; the first is what is scored."""
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
    if spec.shape.rank is None or spec.dtype != tf.float32:
        size = "any" if spec.shape.rank is None else str(tuple(spec.shape))
        raise ConfigError(f"{folder}: takes {spec.dtype.name} of {size} size; export it on float32 patches")
    at_once = spec.shape[0]
    if at_once not in {None, 1}:
        raise ConfigError(f"{folder}: takes {at_once} joints at once; export it with that size left open")
    outputs = sorted(signature.structured_outputs)
    if len(outputs) > 1 and not all(map(_NUMBERED.fullmatch, outputs)):
        raise ConfigError(f"{folder}: gives several outputs ({', '.join(outputs)}); export it with one")

    def judged(values: Any) -> Any:
        _ = saved  # its variables live as long as it does
        return signature(**{name: values})[outputs[0]]

    def one_by_one(values: Any) -> Any:
        if values.shape[0] == 1:
            return judged(values)
        return tf.map_fn(lambda one: judged(one[tf.newaxis])[0], values, fn_output_signature=tf.float32)

    return _handed(folder.name, tuple(spec.shape), one_by_one if at_once else judged, classes, pixels, ())


def of_volumes(model: Any) -> bool:
    """Whether a Keras model is of the papers' kind, over volumes or features, which lowering knows layer by layer."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple):
        return False
    kinds = {type(layer).__name__ for layer in model.layers}
    return len(shape) == 2 or (len(shape) == 5 and not kinds.isdisjoint(_OVER_VOLUMES))


def normal_first(model: Any) -> tuple[str, ...]:
    """Classes of a Keras model that nobody named: normal and as many defects as there are outputs."""
    values = first_output(getattr(model, "output_shape", (None, 2)))[-1]
    return (NORMAL, *(f"defect-{number}" for number in range(1, values))) if values > 2 else ()


def first_output(outputs: Any) -> Any:
    """What is scored, of a model that gives more: features come after it. Also of shapes. Raises ConfigError."""
    if isinstance(outputs, dict):
        raise ConfigError(f"the model gives {', '.join(map(str, outputs))} by name; build it with one output")
    several = isinstance(outputs, list | tuple) and not isinstance(outputs[0], int | None)
    return first_output(outputs[0]) if several else outputs


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
        shown = " x ".join(map(str, nodes[-1].shape[1:])) or "a bare number"
        raise ConfigError(f"{name}: gives {shown} a joint; end it in a row of values, one a class, or in one value")
    end, values = made_into_probabilities(nodes), nodes[-1].shape[1]
    if end is not None and end.kind == "Sigmoid" and values > 1:
        raise ConfigError(f"{name}: gives {values} values with a sigmoid each; end it in one sigmoid, or in a softmax")
    if end is None:
        _require_logits(name, patch, nodes, on_patches)
    reading: Reading = "logits" if end is None else "probabilities"
    return Handed(name, patch, on_patches, ending_of(reading, values, classes, name), tuple(nodes), layers)


def _require_logits(name: str, patch: tuple[int, int, int], nodes: Sequence[Node], call: Callable[[Any], Any]) -> None:
    """Raises ConfigError where outputs are probabilities, or may be, that no softmax or sigmoid ends in."""
    noise = np.random.default_rng(0).random((_PROBES, *patch), np.float32)
    outputs, made = np.asarray(call(tf.constant(noise))), made_of(nodes)
    within = bool(((outputs >= 0) & (outputs <= 1)).all())
    whole = outputs.shape[1] > 1 and np.allclose(outputs.sum(axis=1), 1, atol=1e-4)
    if made == {"shares"} or (within and (whole or "products" not in made)):
        raise ConfigError(
            f"{name}: gives probabilities, or values like them, but not by a softmax or sigmoid at its end; end it in "
            "one of them, or in logits"
        )


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
        if isinstance(getattr(layer, "layers", None), list | tuple):
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
    return Ending(reading, tuple(classes), single=values == 1)
