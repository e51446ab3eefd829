"""Networks as people hand them over, small, of every kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from convert.networks.slicenet import CLASSES, Stage, slicenet

INPUT = (128, 128, 6)
NORMAL_AND_DEFECT = ("normal", "defect")


def network(*parts: Any, shape: tuple[int, ...] = INPUT, end: Any = None) -> Any:
    value = start = keras.Input(shape)
    for part in parts:
        value = part(value)
    end = end or layers.Dense(2, activation="softmax", name="end")
    return keras.Model(start, end(value), name="handed")


def conv(filters: int, stride: int = 2, **options: Any) -> Any:
    return layers.Conv2D(filters, 3, strides=stride, padding=options.pop("padding", "same"), **options)


def residual() -> Any:
    start = keras.Input(INPUT)
    value = conv(8, 4)(start)
    inside = conv(8, 1, use_bias=False)(layers.ReLU()(layers.BatchNormalization()(value)))
    value = layers.ReLU()(layers.BatchNormalization()(layers.Add()([value, inside])))
    return keras.Model(start, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(value)))


def squeeze_and_excite() -> Any:
    start = keras.Input(INPUT)
    value = conv(8, 4, activation="hard_swish")(start)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(value)
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="relu")(gate))
    value = layers.Flatten()(layers.AveragePooling2D(8)(layers.Multiply()([value, gate])))
    return keras.Model(start, layers.Dense(1, activation="sigmoid")(value))


def two_branches() -> Any:
    start = keras.Input(INPUT)
    fine, coarse = conv(4, 4)(start), conv(4, 8, dilation_rate=1)(start)
    joined = layers.Concatenate()([fine, layers.UpSampling2D(2)(coarse)])
    joined = layers.Concatenate()([joined, layers.UpSampling2D(2, interpolation="bilinear")(coarse)])
    both = layers.Concatenate()([layers.GlobalMaxPooling2D()(joined), layers.GlobalAveragePooling2D()(joined)])
    return keras.Model(start, layers.Dense(2)(both))


def nested() -> Any:
    inner = keras.Sequential([keras.Input((32, 32, 4)), conv(6), layers.BatchNormalization()], name="inner")
    return network(conv(4, 4), inner, layers.ReLU(6.0), layers.Flatten(), layers.Dropout(0.3))


def volume_as_pictures() -> Any:
    return network(layers.Reshape(INPUT), conv(4, 4), layers.GlobalMaxPooling2D(), shape=(*INPUT, 1))


def two_outputs() -> Any:
    start = keras.Input(INPUT)
    pooled = layers.GlobalAveragePooling2D(name="features")(conv(8, 4, activation="relu")(start))
    return keras.Model(start, [layers.Dense(2, activation="softmax", name="p")(pooled), pooled])


@keras.saving.register_keras_serializable("tests.any_kind")
class Subclassed(keras.Model):
    """Its layers are called in code of its own, with residuals and shapes as it likes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first, self.second, self.end = conv(4, 4, name="first"), conv(4, 1, name="second"), layers.Dense(2)

    def call(self, value: Any) -> Any:
        value = keras.ops.relu(self.first(value))
        value = value + keras.ops.leaky_relu(self.second(value), 0.1)
        return keras.ops.softmax(self.end(keras.ops.mean(value, axis=(1, 2))))


def subclassed() -> Any:
    model = Subclassed(name="mine")
    model(np.zeros((1, *INPUT), np.float32))
    return model


def mobilenet_v2() -> Any:
    with warnings.catch_warnings(action="ignore"):  # of six channels, which it was not made for
        return keras.applications.MobileNetV2(INPUT, alpha=0.35, weights=None, classes=2)


def mobilenet_v3() -> Any:
    start = keras.Input(INPUT)
    with warnings.catch_warnings(action="ignore"):
        inner = keras.applications.MobileNetV3Small(
            INPUT, alpha=0.35, weights=None, include_top=False, minimalistic=False
        )
    return keras.Model(start, layers.Dense(2)(layers.GlobalAveragePooling2D()(inner(start))))


def resnet() -> Any:
    start = keras.Input(INPUT)
    value = layers.ZeroPadding2D(3)(start)
    value = layers.MaxPooling2D(3, 2)(layers.ReLU()(layers.BatchNormalization()(conv(8, 2, padding="valid")(value))))
    for filters in (8, 16):
        left = layers.BatchNormalization()(layers.Conv2D(filters, 1, strides=2)(value))
        right = layers.ReLU()(layers.BatchNormalization()(conv(filters, 2)(value)))
        value = layers.ReLU()(layers.Add()([left, layers.BatchNormalization()(conv(filters, 1)(right))]))
    return keras.Model(start, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(value)))


def ensemble() -> Any:
    start = keras.Input(INPUT)
    pooled = layers.GlobalAveragePooling2D()(conv(4, 4)(start))
    ends = [layers.Dense(2, activation="softmax")(pooled) for _ in range(2)]
    return keras.Model(start, layers.Average()(ends))


def half_precision() -> Any:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return network(conv(4, 4, name="half"), layers.GlobalMaxPooling2D())
    finally:
        keras.mixed_precision.set_global_policy("float32")


def broken() -> Any:
    model = network(conv(4, 4, name="cracked"), layers.GlobalMaxPooling2D())
    model.get_layer("cracked").kernel.assign(np.full((3, 3, 6, 4), np.nan))
    return model


@keras.saving.register_keras_serializable("tests.any_kind")
class Selfish(layers.Layer):
    """Every place looks at every other."""

    def call(self, value: Any) -> Any:
        return keras.ops.matmul(
            keras.ops.softmax(keras.ops.matmul(value, keras.ops.transpose(value, (0, 2, 1)))), value
        )


KINDS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "our own, of five classes": (lambda: slicenet(stages=(Stage(8), Stage(8, 1), Stage(12))), CLASSES),
    "residual, normalised before it is activated": (residual, ()),
    "squeeze and excite, hard swish, one sigmoid": (squeeze_and_excite, ()),
    "two branches, upsampled, logits": (two_branches, ()),
    "nested": (nested, ()),
    "a volume taken as a picture": (volume_as_pictures, ()),
    "features beside the score": (two_outputs, ()),
    "subclassed": (subclassed, ()),
    "MobileNetV2": (mobilenet_v2, ()),
    "MobileNetV3 small, its preprocessing inside": (mobilenet_v3, ()),
    "ResNet": (resnet, ()),
    "grouped and dilated": (
        lambda: network(
            conv(12, 4, groups=3), conv(8, 1, dilation_rate=2, activation="relu6"), layers.GlobalMaxPooling2D()
        ),
        (),
    ),
    "depthwise and separable, leaky": (
        lambda: network(
            conv(4, 4),
            layers.DepthwiseConv2D(3, depth_multiplier=2, dilation_rate=2, padding="same"),
            layers.LeakyReLU(0.1),
            layers.SeparableConv2D(8, 3, activation="swish"),
            layers.GlobalAveragePooling2D(),
        ),
        (),
    ),
    "normalised at its input": (
        lambda: network(
            layers.Normalization(mean=[0.4] * 6, variance=[0.04] * 6), conv(6, 4), layers.GlobalMaxPooling2D()
        ),
        (),
    ),
    "rescaled, cropped, padded, PReLU": (
        lambda: network(
            layers.Rescaling(2.0, -1.0),
            layers.Cropping2D(8),
            conv(4, 4, padding="valid"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.ZeroPadding2D(1),
            layers.Flatten(),
        ),
        (),
    ),
    "slices first and back, defect first": (
        lambda: network(
            layers.Permute((3, 1, 2)),
            layers.Permute((2, 3, 1)),
            conv(4, 4, activation="tanh"),
            layers.GlobalMaxPooling2D(),
        ),
        ("defect", "normal"),
    ),
}
ROUNDED_OTHERWISE = {
    "MobileNetV3 small, its preprocessing inside": "untrained, some of its channels are scaled upwards, which exact "
    "kernels of both runtimes round each in its own way"
}
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "ELU": (lambda: network(conv(4, 4, activation="elu", name="bend"), layers.GlobalMaxPooling2D()), "layer 'bend'"),
    "softplus": (
        lambda: network(conv(4, 4, name="soft", activation="softplus"), layers.GlobalMaxPooling2D()),
        "layer 'soft' computes Softplus",
    ),
    "exact GELU": (
        lambda: network(conv(4, 4), layers.Activation("gelu", name="bell"), layers.GlobalMaxPooling2D()),
        "layer 'bell' computes",
    ),
    "attention": (
        lambda: network(
            conv(4, 16),
            layers.Reshape((64, 4)),
            Selfish(name="look"),
            layers.GlobalAveragePooling1D(),
        ),
        "layer 'look",
    ),
    "layer normalisation": (
        lambda: network(conv(4, 4), layers.LayerNormalization(name="level"), layers.GlobalMaxPooling2D()),
        "layer 'level'",
    ),
    "three classes without names": (
        lambda: network(conv(4, 4), layers.GlobalMaxPooling2D(), end=layers.Dense(3, activation="softmax")),
        "name their classes in [source] classes",
    ),
    "a map of scores": (
        lambda: network(conv(4, 4), end=layers.Conv2D(2, 1, activation="softmax")),
        "end it in a row of values, one a class",
    ),
    "a sigmoid a class": (
        lambda: network(conv(4, 4), layers.GlobalMaxPooling2D(), end=layers.Dense(2, activation="sigmoid")),
        "end it in one sigmoid, or in a softmax",
    ),
    "an ensemble's mean": (ensemble, "not by a softmax or sigmoid at its end"),
    "a memory of slices": (
        lambda: network(
            layers.AveragePooling2D(32),
            layers.Permute((3, 1, 2)),
            layers.Reshape((6, 16)),
            layers.GRU(4, name="recall"),
        ),
        "layer 'recall'",
    ),
    "mish": (
        lambda: network(conv(4, 4, activation="mish", name="bow"), layers.GlobalMaxPooling2D()),
        "layer 'bow' computes Softplus",
    ),
    "seven slices": (
        lambda: network(conv(4, 4), layers.GlobalMaxPooling2D(), shape=(128, 128, 7)),
        "takes 7 slices; a joint has 1 to 6",
    ),
    "any size": (
        lambda: network(conv(4, 4), layers.GlobalMaxPooling2D(), shape=(None, None, 6)),
        "leaves a size open",
    ),
    "wide patches": (
        lambda: network(conv(4, 4), layers.GlobalMaxPooling2D(), shape=(64, 128, 6)),
        "joints are cut out as squares",
    ),
    "half precision": (half_precision, "layer 'half'"),
    "a weight that is no number": (broken, "layer 'cracked': a weight is not finite"),
}
