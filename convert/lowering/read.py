"""Read a Keras model into plain layers. What is not known here is refused by name: nothing is guessed.

``TimeDistributed`` over slices is a three-dimensional layer of depth one, and is read as that; so both networks of the
paper share every pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from convert.lowering.layers import (
    Activation,
    Conv,
    Dense,
    Dropout,
    Flatten,
    FlattenSlices,
    Layer,
    Lstm,
    MaxPool,
    Network,
    Norm,
    Partition,
    Relu,
    Softmax,
    Sugeno,
    Triple,
    Weights,
)
from edge.core.errors import ConfigError


def read_network(model: Any) -> Network:
    """A trained Keras model as plain layers: input (height, width, slices, 1) and a final Dense(2, softmax), or a
    neurofuzzy one: input (features,), fuzzy sets and rules at the end.

    Raises ConfigError naming the layer that is not known, branches, or holds a weight that is not finite.
    """
    shape = _input_shape(model)
    if not isinstance(shape, list) and len(shape) == 2 and shape[1]:
        return _read_rules(model, shape[1])
    if isinstance(shape, list) or len(shape) != 5 or None in shape[1:]:
        raise ConfigError(f"{model.name}: input shape {shape} is not (height, width, slices, 1); build the model so")
    if shape[4] != 1:
        raise ConfigError(f"{model.name}: input has {shape[4]} channels a slice; only 1 is supported")
    layers = _read_all(model)
    if not layers or not isinstance(layers[-1], Softmax):
        last = model.layers[-1].name
        raise ConfigError(f"layer {last!r}: the last layer must be Dense(2, softmax); retrain it so")
    for early in layers[:-1]:
        if isinstance(early, Softmax):
            raise ConfigError(f"layer {early.name!r}: a softmax before the end is not lowered; use relu or linear")
    return Network(model.name, (shape[1], shape[2], shape[3]), tuple(layers))


def _input_shape(model: Any) -> Any:
    """Raises ConfigError for a model whose layers nobody can follow from one input to one output."""
    try:
        shape = model.input_shape
    except (AttributeError, ValueError) as error:
        remedy = "save a Sequential or functional model that was built on its input"
        raise ConfigError(f"{model.name}: its layers cannot be followed from an input ({error}); {remedy}") from error
    output = getattr(model, "output", None)  # which a Sequential that was not called lacks
    if isinstance(output, dict):
        raise ConfigError(f"{model.name}: gives its output as {', '.join(output)}; build the model with one output")
    return shape


def _read_rules(model: Any, features: int) -> Network:
    """Features are depths of a volume of one pixel, as a joint's patch has them."""
    layers = [Flatten("levels"), *_read_all(model)]
    ends = [type(layer) for layer in layers[-3:]]
    if ends != [Dense, Partition, Sugeno]:
        last = model.layers[-1].name
        raise ConfigError(f"layer {last!r}: a model of features must end in Dense(1), FuzzyPartition and Sugeno")
    return Network(model.name, (1, 1, features), tuple(layers))


def _read_all(model: Any) -> list[Layer]:
    layers: list[Layer] = []
    for layer in _chain(model):
        _require_single_precision(layer)
        _require_finite(layer)
        layers += _read(layer)
    return layers


def _chain(model: Any) -> Iterator[Any]:
    """The layers in order. A model that branches is refused: its layers' order would not be its meaning."""
    before: Any = None
    for layer in model.layers:
        if type(layer).__name__ != "InputLayer":
            if before is not None and type(model).__name__ != "Sequential" and _feeding(layer) != [before.name]:
                raise ConfigError(f"layer {layer.name!r}: does not take {before.name!r}'s output alone; use a chain")
            yield layer
        before = layer


def _feeding(layer: Any) -> list[str]:
    """Names of the layers whose outputs this layer of a functional model takes."""
    return [parent.operation.name for node in layer._inbound_nodes for parent in node.parent_nodes]  # noqa: SLF001


def _require_single_precision(layer: Any) -> None:
    if layer.compute_dtype != "float32":
        raise ConfigError(f"layer {layer.name!r}: computes in {layer.compute_dtype}; save the model as float32")


def _require_finite(layer: Any) -> None:
    for weight in layer.weights:
        if not np.isfinite(np.asarray(weight)).all():
            raise ConfigError(f"layer {layer.name!r}: weight {weight.path!r} is not finite; train the model again")


def _read(layer: Any) -> list[Layer]:
    kind = type(layer).__name__
    if kind == "TimeDistributed":
        inner = type(layer.layer).__name__
        if inner in _SLICE_RULES:
            return _SLICE_RULES[inner](layer.name, layer.layer)
        raise ConfigError(_unknown(f"layer {layer.name!r} applies a {inner} to each slice", _SLICE_RULES))
    if kind not in _RULES:
        raise ConfigError(_unknown(f"layer {layer.name!r} is a {kind}", _RULES))
    return _RULES[kind](layer.name, layer)


def _unknown(what: str, rules: dict[str, Any]) -> str:
    return f"{what}, which no lowering rule knows; use {', '.join(sorted(rules))}"


def _conv3d(name: str, layer: Any) -> list[Layer]:
    return _conv(name, layer, np.asarray(layer.kernel, np.float32), tuple(layer.strides))


def _conv2d(name: str, layer: Any) -> list[Layer]:
    kernel = np.asarray(layer.kernel, np.float32)[:, :, np.newaxis]
    return _conv(name, layer, kernel, (*layer.strides, 1))


def _conv(name: str, layer: Any, kernel: Weights, strides: Any) -> list[Layer]:
    _require_plain(name, layer)
    if set(layer.dilation_rate) != {1} or layer.groups != 1:
        raise ConfigError(f"layer {name!r}: dilated or grouped convolutions are not lowered; retrain it without")
    return [Conv(name, kernel, _bias(layer, kernel.shape[-1]), _activation(name, layer), strides, _same(name, layer))]


def _max_pooling3d(name: str, layer: Any) -> list[Layer]:
    return _pool(name, layer, tuple(layer.pool_size), tuple(layer.strides))


def _max_pooling2d(name: str, layer: Any) -> list[Layer]:
    return _pool(name, layer, (*layer.pool_size, 1), (*layer.strides, 1))


def _pool(name: str, layer: Any, size: Triple, strides: Triple) -> list[Layer]:
    _require_plain(name, layer)
    return [MaxPool(name, size, strides, _same(name, layer))]


def _batch_normalization(name: str, layer: Any) -> list[Layer]:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    if axis not in {-1, layer.input_spec.ndim - 1}:
        raise ConfigError(f"layer {name!r}: normalises axis {axis}; only the channels, the last axis, are lowered")
    mean = np.asarray(layer.moving_mean, np.float64)
    gamma = np.asarray(layer.gamma, np.float64) if layer.scale else np.ones_like(mean)
    beta = np.asarray(layer.beta, np.float64) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
    return [Norm(name, scale, beta - mean * scale)]


def _dense(name: str, layer: Any) -> list[Layer]:
    kernel = np.asarray(layer.kernel, np.float32)
    bias = _bias(layer, kernel.shape[1])
    if layer.activation.__name__ == "softmax" and layer.units == 2:
        return [Softmax(name, kernel, bias)]
    return [Dense(name, kernel, bias, _activation(name, layer))]


def _flat_dense(name: str, layer: Any) -> list[Layer]:
    if len(layer.input.shape) != 2:
        raise ConfigError(f"layer {name!r}: a Dense on {layer.input.shape} is not lowered; put a Flatten before it")
    return _dense(name, layer)


def _activation_layer(name: str, layer: Any) -> list[Layer]:
    return [Relu(name)] if _activation(name, layer) == "relu" else []


def _relu_layer(name: str, layer: Any) -> list[Layer]:
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise ConfigError(f"layer {name!r}: only a plain ReLU is lowered; retrain it so")
    return [Relu(name)]


def _permute(name: str, layer: Any) -> list[Layer]:
    if tuple(layer.dims) != (3, 1, 2, 4):
        raise ConfigError(f"layer {name!r}: only Permute((3, 1, 2, 4)), slices to a sequence, is lowered")
    return []


def _lstm(name: str, layer: Any) -> list[Layer]:
    usual = (layer.activation.__name__, layer.recurrent_activation.__name__) == ("tanh", "sigmoid")
    if not usual or layer.return_sequences or layer.go_backwards or not layer.use_bias:
        raise ConfigError(f"layer {name!r}: only an LSTM with tanh, sigmoid, bias and its last state is lowered")
    kernel, recurrent, bias = (np.asarray(weights, np.float32) for weights in layer.get_weights())
    return [Lstm(name, (kernel,), (recurrent,), bias)]


def _low_rank_lstm(name: str, layer: Any) -> list[Layer]:
    parts = [layer.kernel_in, layer.kernel_out, layer.recurrent_in, layer.recurrent_out, layer.bias]
    inward, outward, back, forth, bias = (np.asarray(part, np.float32) for part in parts)
    return [Lstm(name, (inward, outward), (back, forth), bias)]


def _fuzzy_partition(name: str, layer: Any) -> list[Layer]:
    places = np.asarray(layer.places(), np.float32)
    return [Partition(name, places[0::2], places[1::2])]


def _sugeno(name: str, layer: Any) -> list[Layer]:
    return [Sugeno(name, np.asarray(layer.consequents(), np.float32))]


def _require_plain(name: str, layer: Any) -> None:
    if layer.data_format != "channels_last":
        raise ConfigError(f"layer {name!r}: only channels_last is lowered; retrain it so")


def _same(name: str, layer: Any) -> bool:
    if layer.padding not in {"valid", "same"}:
        raise ConfigError(f"layer {name!r}: padding {layer.padding!r} is not lowered; use valid or same")
    return bool(layer.padding == "same")


def _activation(name: str, layer: Any) -> Activation:
    activation: Activation = layer.activation.__name__
    if activation not in {"relu", "linear"}:
        raise ConfigError(f"layer {name!r}: activation {activation!r} is not lowered; use relu or linear")
    return activation


def _bias(layer: Any, length: int) -> Weights:
    return np.asarray(layer.bias, np.float32) if layer.use_bias else np.zeros(length, np.float32)


_RULES: dict[str, Callable[[str, Any], list[Layer]]] = {
    "Activation": _activation_layer,
    "BatchNormalization": _batch_normalization,
    "Conv3D": _conv3d,
    "Dense": _flat_dense,
    "Dropout": lambda name, _: [Dropout(name)],
    "FeatureInput": lambda *_: [],
    "Flatten": lambda name, _: [Flatten(name)],
    "FuzzyPartition": _fuzzy_partition,
    "LSTM": _lstm,
    "LowRankLSTM": _low_rank_lstm,
    "MaxPooling3D": _max_pooling3d,
    "Permute": _permute,
    "ReLU": _relu_layer,
    "Sugeno": _sugeno,
    "SpatialDropout3D": lambda name, _: [Dropout(name)],
}
_SLICE_RULES: dict[str, Callable[[str, Any], list[Layer]]] = {
    "BatchNormalization": _batch_normalization,
    "Conv2D": _conv2d,
    "Dense": _dense,
    "Dropout": lambda name, _: [Dropout(name)],
    "Flatten": lambda name, _: [FlattenSlices(name)],
    "MaxPooling2D": _max_pooling2d,
}
