"""Networks whose outputs could be taken for something else: read as what they are, or refused; never guessed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from convert.lowering.graphs.handed import Handed
from convert.lowering.graphs.lower import lowering_steps, with_thermometers
from convert.lowering.lower import program_scores
from convert.lowering.running import run
from convert.networks.handing import of_keras, of_saved_model, of_volumes
from edge.core.errors import ConfigError
from edge.core.rules import ClassesHead

SHAPE = (32, 32, 6)
CLASSES = ("normal", "short", "missing", "voided")
PATCHES = np.random.default_rng(5).integers(0, 256, (6, *SHAPE)).astype(np.uint8)


def features(start: Any) -> Any:
    value = layers.Conv2D(5, 3, strides=2, activation="relu", name="conv")(start)
    return layers.GlobalAveragePooling2D(name="pooled")(value)


def ending_in(end: Callable[[Any], Any]) -> Any:
    keras.utils.set_random_seed(3)
    start = keras.Input(SHAPE)
    return keras.Model(start, end(features(start)))


def mapped_to(end: Callable[[Any], Any]) -> Any:
    keras.utils.set_random_seed(3)
    start = keras.Input(SHAPE)
    return keras.Model(start, end(layers.Conv2D(5, 3, strides=2, activation="relu", name="conv")(start)))


def dense(number: int, activation: str | None = None, name: str | None = None) -> Any:
    return layers.Dense(number, activation, kernel_initializer=keras.initializers.RandomNormal(0, 3), name=name)


def weighed(value: Any) -> Any:
    """Logits of places, averaged with weights that a softmax gives."""
    logits, weights = layers.Conv2D(1, 1)(value), layers.Conv2D(1, 1)(value)
    weights = layers.Softmax(axis=1)(layers.Flatten()(weights))
    return keras.ops.sum(layers.Flatten()(logits) * weights, axis=1, keepdims=True)


LIKE_PROBABILITIES: dict[str, Callable[[], Any]] = {
    "a mean of sigmoids": lambda: ending_in(
        lambda v: layers.Average()([dense(1, "sigmoid")(v), dense(1, "sigmoid")(v)])
    ),
    "a sigmoid, rescaled": lambda: ending_in(lambda v: layers.Rescaling(0.98, 0.01)(dense(1, "sigmoid")(v))),
    "one of a softmax": lambda: ending_in(lambda v: dense(2, "softmax")(v)[:, 1:]),
    "a hard sigmoid": lambda: ending_in(dense(1, "hard_sigmoid")),
    "hard sigmoids": lambda: ending_in(dense(2, "hard_sigmoid")),
    "one less a sigmoid": lambda: ending_in(lambda v: 1.0 - dense(1, "sigmoid")(v)),
    "two sigmoids": lambda: ending_in(lambda v: layers.Concatenate()([dense(1, "sigmoid")(v), dense(1, "sigmoid")(v)])),
    "a softmax, weighed": lambda: ending_in(lambda v: layers.Rescaling([1.0, 3.0])(dense(2, "softmax")(v))),
    "the most of a map": lambda: mapped_to(
        lambda v: layers.GlobalMaxPooling2D()(layers.Conv2D(2, 1, activation="softmax")(v))
    ),
    "any of many": lambda: mapped_to(
        lambda v: 1.0 - keras.ops.prod(1.0 - layers.Conv2D(1, 1, activation="sigmoid")(v), axis=(1, 2))
    ),
}


@pytest.mark.parametrize("name", LIKE_PROBABILITIES)
def test_what_may_be_probabilities_is_not_read_as_logits(name: str) -> None:
    with pytest.raises(ConfigError, match="not by a softmax or sigmoid at its end"):
        of_keras(LIKE_PROBABILITIES[name]())


def lowered_scores(handed: Handed) -> Any:
    """p_defect of the patches as the lowered program gives it, in float32."""
    *_, last = lowering_steps(handed, PATCHES[:2])
    return program_scores(with_thermometers(last.program, handed.ending), PATCHES)


def outputs(model: Any) -> Any:
    return np.asarray(model(PATCHES.astype(np.float32) / 255)).astype(np.float64)


def sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))


def grouped_and_dilated(start: Any) -> Any:
    value = layers.Conv2D(6, 3, groups=3, dilation_rate=2, name="grouped")(start)
    return dense(1)(layers.GlobalAveragePooling2D()(value))


LOGITS: dict[str, Callable[[], Any]] = {
    "by temperature": lambda: ending_in(lambda v: dense(1)(v) / 1.7),
    "averaged over places": lambda: mapped_to(lambda v: layers.GlobalAveragePooling2D()(layers.Conv2D(1, 1)(v))),
    "weighed over places": lambda: mapped_to(weighed),
    "of a part": lambda: ending_in(lambda v: dense(3)(v)[..., :1]),
    "grouped and dilated": lambda: keras.Model(start := keras.Input(SHAPE), grouped_and_dilated(start)),
}


@pytest.mark.parametrize("name", LOGITS)
def test_logits_are_read_as_logits_however_they_are_made(name: str) -> None:
    model = LOGITS[name]()
    np.testing.assert_allclose(lowered_scores(of_keras(model)), sigmoid(outputs(model)[:, 0]), atol=1e-5)


def test_one_sigmoid_may_be_that_of_normal() -> None:
    model = ending_in(dense(1, "sigmoid"))
    score = outputs(model)[:, 0]
    np.testing.assert_allclose(lowered_scores(of_keras(model)), score, atol=1e-5)
    np.testing.assert_allclose(lowered_scores(of_keras(model, ("short", "normal"))), 1 - score, atol=1e-5)


def test_classes_that_are_beyond_doubt_are_told_apart() -> None:
    """Logits far from each other and from normal's: the likeliest class is the network's."""
    start = keras.Input(SHAPE)
    flat = layers.GlobalAveragePooling2D()(start[..., :1])
    model = keras.Model(start, layers.Dense(4, "softmax", name="end")(flat))
    model.get_layer("end").set_weights([np.zeros((1, 4)), np.array([0.0, 16.0, 19.0, 13.0])])
    handed = of_keras(model, CLASSES)
    np.testing.assert_allclose(lowered_scores(handed), 1 - outputs(model)[:, 0], atol=1e-5)
    *_, last = lowering_steps(handed, PATCHES[:2])
    program = with_thermometers(last.program, handed.ending)
    assert isinstance(program.head, ClassesHead)
    bands = np.asarray(run(program, PATCHES[:1].astype(np.float32) / 255), np.float64)
    parts = np.asarray(readings_from_parts(program.head, bands))
    found = program.head.likeliest(parts.tolist())
    assert found is not None
    assert found.name == "missing"
    assert found.share == pytest.approx(outputs(model)[0, 2], abs=1e-3)
    assert program.head.likeliest([24.0, 24.0, 3.0]) is None, "two at the end of the range cannot be told apart"
    assert program.head.likeliest([24.0, 23.0, 3.0]) is not None


def readings_from_parts(head: ClassesHead, bands: Any) -> list[float]:
    """What each part shows of one joint."""
    each = bands.reshape(head.parts, -1)
    return [head.low + (head.high - head.low) * float(part.sum()) / (len(part) * head.full) for part in each]


def test_sure_normals_stay_sure_with_many_classes() -> None:
    start = keras.Input(SHAPE)
    flat = layers.GlobalAveragePooling2D()(start[..., :1])
    model = keras.Model(start, layers.Dense(4, "softmax", name="end")(flat))
    model.get_layer("end").set_weights([np.zeros((1, 4)), np.array([16.0, 0.0, 0.0, 0.0])])
    np.testing.assert_allclose(lowered_scores(of_keras(model, CLASSES)), 1 - outputs(model)[:, 0], atol=1e-6)


@keras.saving.register_keras_serializable("mislead")
class Saying(keras.Model):
    """Answers in a form of its own: ``form`` of a softmax and of features."""

    def __init__(self, form: Callable[[Any, Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv, self.pooled = layers.Conv2D(5, 3), layers.GlobalAveragePooling2D()
        self.end, self.form = dense(2), form
        self(np.zeros((1, *SHAPE), np.float32))

    def call(self, inputs: Any) -> Any:
        found = self.pooled(self.conv(inputs))
        return self.form(self.end(found), found)


@pytest.mark.parametrize(
    "form",
    [
        lambda logits, found: (tf.nn.softmax(logits), found),
        lambda logits, found: [[tf.nn.softmax(logits)], found],
        lambda logits, found: (logits, found),
    ],
    ids=["a tuple", "nested lists", "a tuple of logits"],
)
def test_of_several_outputs_the_first_is_read(form: Callable[[Any, Any], Any]) -> None:
    model = Saying(form)
    first = model(PATCHES.astype(np.float32) / 255)
    while isinstance(first, list | tuple):
        first = first[0]
    logits = model.end(model.pooled(model.conv(PATCHES.astype(np.float32) / 255)))
    expected = np.asarray(tf.nn.softmax(logits))[:, 1]
    np.testing.assert_allclose(lowered_scores(of_keras(model)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (lambda logits, found: {"p": tf.nn.softmax(logits), "seen": found}, "gives p, seen by name"),
        (lambda logits, _: logits + tf.random.normal((1, 2)), "draws at random as it judges"),
        (lambda logits, _: logits * tf.random.uniform((1, 2)), "draws at random as it judges"),
        (lambda logits, _: logits + 0.1 * logits[0], "takes some of the joints"),
        (lambda logits, _: tf.nn.softmax(logits)[:, 0, tf.newaxis, tf.newaxis], "gives 1 x 1 a joint"),
    ],
    ids=["by name", "noise", "a random gain", "of another joint", "a picture"],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(form: Callable[[Any, Any], Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        lowered_scores(of_keras(Saying(form)))


class Exported(tf.Module):
    """A SavedModel in the making."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        super().__init__()
        self.answer = answer

    def save(self, folder: Path, spec: Any) -> Path:
        function = tf.function(self.answer, input_signature=[spec])
        tf.saved_model.save(self, str(folder), signatures={"serving_default": function})
        return folder


def pooled(values: Any) -> Any:
    means = tf.reduce_mean(values, axis=(1, 2))
    return means[:, :1] * 9.0 - means[:, 1:2] * 5.0


def test_a_saved_model_of_one_joint_at_a_time_is_read_and_scored(tmp_path: Path) -> None:
    spec = tf.TensorSpec((1, *SHAPE), tf.float32)
    folder = Exported(lambda values: {"logit": tf.matmul(pooled(values), [[2.0]])}).save(tmp_path / "one", spec)
    handed = of_saved_model(folder)
    values = PATCHES.astype(np.float32) / 255
    expected = sigmoid(2.0 * np.asarray(pooled(values))[:, 0].astype(np.float64))
    np.testing.assert_allclose(np.asarray(handed.p_defect(values)), expected, atol=1e-5)
    np.testing.assert_allclose(lowered_scores(handed), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "answer", "said"),
    [
        ((None, *SHAPE), lambda v: {"attention": pooled(v), "p_defect": pooled(v)}, "several outputs"),
        ((4, *SHAPE), lambda v: {"logit": pooled(v)}, "takes 4 joints at once"),
        (None, lambda v: {"logit": pooled(tf.ensure_shape(v, (None, *SHAPE)))}, "of any size"),
    ],
    ids=["by name", "four at once", "any size"],
)
def test_saved_models_that_do_not_fit_are_refused(tmp_path: Path, spec: Any, answer: Any, said: str) -> None:
    folder = Exported(answer).save(tmp_path / "model", tf.TensorSpec(spec, tf.float32))
    with pytest.raises(ConfigError, match=said):
        of_saved_model(folder)


def test_a_saved_model_of_whole_numbers_is_refused(tmp_path: Path) -> None:
    spec = tf.TensorSpec((None, *SHAPE), tf.uint8)
    folder = Exported(lambda v: {"logit": pooled(tf.cast(v, tf.float32))}).save(tmp_path / "model", spec)
    with pytest.raises(ConfigError, match="takes uint8"):
        of_saved_model(folder)


def test_layers_over_time_on_slices_as_channels_are_refused_by_name() -> None:
    start = keras.Input(SHAPE)
    value = layers.TimeDistributed(layers.Flatten(), name="rows")(start)
    model = keras.Model(start, dense(2, "softmax", "end")(layers.LSTM(3, name="memory")(value)))
    assert not of_volumes(model)
    with pytest.raises(ConfigError, match=r"layer '(rows|memory)'"):
        lowered_scores(of_keras(model))
