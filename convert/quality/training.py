"""Training of the neurofuzzy Quality Index: read through the device's own code, seeded, best epoch kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.networks.neurofuzzy import COORDINATE, neurofuzzy
from convert.optical.truth import QualityRow, read_quality_truth
from convert.simulator.plan import TRUTH
from edge.core.errors import UsageError
from edge.core.features import FeatureSpec, Floats, Levels, fitted, levels_of, measure
from edge.core.grades import GRADES
from edge.core.job import Job, Roi, View, parse_manifest
from edge.core.preprocess import Grey, PreprocessSpec, prepare

Tick = Callable[[int], None]
Grades = NDArray[np.int64]
"""Positions in GRADES."""

_BATCH = 64
_RATE = 3e-3
_WEIGHT_DECAY = 0.03
_JITTER = 0.02
"""Standard deviation of the noise added to inputs in training: a board type not seen before differs by more."""
_COORDINATE_WEIGHT = 0.2
"""Weight of the coordinate's own error: on a plateau of the Quality Index nothing else pulls it."""


@dataclass(frozen=True)
class QualityLot:
    """Joints of an optical lot: their features, unscaled (n, features), and their truth."""

    name: str
    digest: str
    features: Floats
    rows: tuple[QualityRow, ...]

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """Quality Index to learn; shape (n,)."""
        return np.array([row.target for row in self.rows], np.float32)

    @cached_property
    def grades(self) -> Grades:
        """The experts' majority; shape (n,)."""
        return np.array([GRADES.index(row.grade) for row in self.rows], np.int64)

    @cached_property
    def disputed(self) -> NDArray[np.bool_]:
        """Where experts disagree; shape (n,)."""
        return np.array([row.disputed == 1 for row in self.rows])

    @property
    def board_types(self) -> NDArray[np.str_]:
        return np.array([row.board_type for row in self.rows])

    def subset(self, chosen: NDArray[np.int64], name: str) -> QualityLot:
        return QualityLot(name, self.digest, self.features[chosen], tuple(self.rows[i] for i in chosen))


class QualityEpoch(NamedTuple):
    """One line of the history: mean squared errors of the Quality Index, those of training with the coordinate's."""

    epoch: int
    loss: float
    validation_loss: float
    seconds: float


Report = Callable[[QualityEpoch], None]


def load_quality_lot(lot: Path, spec: FeatureSpec, tick: Tick = lambda _: None) -> QualityLot:
    """Measure every joint of a lot that has truth; ``tick`` is told of each view's number of joints.

    Raises UsageError for a lot without truth or joints, JobRefused for a broken manifest.
    """
    truth = read_quality_truth(lot)
    digest = hashlib.sha256((lot / TRUTH).read_bytes())
    rows: list[QualityRow] = []
    features: list[Floats] = []
    for folder in sorted(path for path in lot.iterdir() if path.is_dir()):
        raw = _manifest(folder)
        digest.update(raw)
        job = parse_manifest(raw, source=str(folder / "manifest.json")).job
        for view in job.views:
            known = [joint for joint in job.joints_of(view) if (job.job_id, joint.id) in truth]
            grey = _grey(folder, job, view)
            features += [_measured(spec, grey, joint.roi) for joint in known]
            rows += [truth[job.job_id, joint.id] for joint in known]
            tick(len(known))
    if not rows:
        raise UsageError(f"{lot}: no joint of its job folders appears in {TRUTH}; name a whole lot")
    return QualityLot(lot.name, "sha256:" + digest.hexdigest(), np.stack(features), tuple(rows))


def _manifest(folder: Path) -> bytes:
    try:
        return (folder / "manifest.json").read_bytes()
    except OSError as error:
        raise UsageError(f"{folder}: no readable manifest.json ({error.strerror}); remove what is no job") from error


def _grey(folder: Path, job: Job, view: View) -> Grey:  # noqa: ARG001
    """A view's image, colour as luminance."""
    path = folder / view.slices[0].file
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise UsageError(f"{path}: not a readable image; repair the lot before learning from it")
    if image.ndim == 2:
        return image.astype(np.uint8, copy=False)
    blue, green, red = np.moveaxis(image.astype(np.int32), -1, 0)
    luminance: Grey = ((77 * red + 150 * green + 29 * blue + 128) >> 8).astype(np.uint8)
    return luminance


def _measured(spec: FeatureSpec, grey: Grey, roi: Roi) -> Floats:
    """The features of one joint, cut out as the device cuts it out."""
    cut = PreprocessSpec(size=spec.size, channels=1, margin=spec.margin)
    return measure(spec, prepare(cut, {0: grey}, roi)[..., 0])


def scaled(levels: Levels) -> NDArray[np.float32]:
    """Levels as the network takes them: float32 in [0, 1]."""
    return levels.astype(np.float32) / np.float32(255)


def inputs_of(spec: FeatureSpec, lot: QualityLot) -> NDArray[np.float32]:
    """A lot's features through the same 8 bits as on the device; shape (n, features)."""
    return scaled(levels_of(spec, lot.features))


def train_neurofuzzy(
    lot: QualityLot,
    validation: QualityLot,
    out: Path,
    seed: int = 0,
    epochs: int = 60,
    tick: Report = lambda _: None,
    spec: FeatureSpec | None = None,
) -> list[QualityEpoch]:
    """Train on the experts' mean and save the epoch with the least validation loss to ``out`` (.keras).

    ``spec`` is what the lots were loaded with; its ranges are fitted to ``lot`` here. The same seed gives the same
    weights on one kind of machine.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    spec = fitted(spec or FeatureSpec(), lot.features)
    model = neurofuzzy(spec, seed=seed)
    step = _step(model, epochs * -(-len(lot.rows) // _BATCH))
    inputs, held_out = inputs_of(spec, lot), inputs_of(spec, validation)
    history: list[QualityEpoch] = []
    best, started = model.get_weights(), time.monotonic()
    for number in range(1, epochs + 1):
        loss = _one_epoch(step, inputs, lot.targets, seed, number)
        validated = float(np.mean((quality_index(model, held_out) - validation.targets) ** 2))
        if not history or validated < min(epoch.validation_loss for epoch in history):
            best = model.get_weights()
        history.append(QualityEpoch(number, loss, validated, time.monotonic() - started))
        tick(history[-1])
    model.set_weights(best)
    model.save(out)
    return history


def quality_index(model: Any, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The model's Quality Index of each joint: (n, features) to (n,)."""
    parts = [np.asarray(model(inputs[start : start + 4096]))[:, 0] for start in range(0, len(inputs), 4096)]
    return np.concatenate(parts)


def _step(model: Any, steps: int) -> Any:
    """A compiled training step."""
    both = keras.Model(model.inputs, [model.output, model.get_layer(COORDINATE).output])
    rate = keras.optimizers.schedules.CosineDecay(_RATE, steps, alpha=0.01)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY)
    optimizer.build(model.trainable_variables)

    def step(inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            index, place = both(inputs, training=True)
            error, off = index[:, 0] - targets, place[:, 0] - targets
            loss = tf.reduce_mean(error * error) + _COORDINATE_WEIGHT * tf.reduce_mean(off * off)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return tf.function(step, reduce_retracing=True, autograph=False)


def _one_epoch(step: Any, inputs: NDArray[np.float32], targets: NDArray[np.float32], seed: int, number: int) -> float:
    """Each joint once, in an order and with a jitter that depend on seed and epoch only."""
    rng = np.random.default_rng([seed, number])
    order = rng.permutation(len(inputs))
    inputs = inputs + rng.normal(0, _JITTER, inputs.shape).astype(np.float32)
    chunks = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    return float(np.mean([float(step(inputs[chosen], targets[chosen])) for chosen in chunks]))


def thresholds(qi: NDArray[np.floating[Any]], grades: Grades) -> tuple[Floats, Floats]:
    """Class means (5,) of the Quality Index and the midpoints (4,) between neighbours (Acciani et al., 2009).

    From training joints only. Raises UsageError for a class without joints, and where the means do not rise.
    """
    missing = sorted(set(range(len(GRADES))) - set(grades.tolist()))
    if missing:
        raise UsageError(f"no joint of grade {GRADES[missing[0]]}; give a lot with joints of all five")
    means = np.array([qi[grades == grade].mean(dtype=np.float64) for grade in range(len(GRADES))])
    if not (np.diff(means) > 0).all():
        raise UsageError(f"mean quality indices {means.round(3).tolist()} do not rise with the grade; train longer")
    return means, (means[:-1] + means[1:]) / 2


def grade_of(qi: NDArray[np.floating[Any]], th: Floats) -> Grades:
    """Grades of quality indices, as positions in GRADES.

    As ``edge.core.grades.grade_of``: on a threshold the grade above, but on the lowest the grade below.
    """
    above = np.asarray(qi, np.float64)[:, None] >= th[None, :]
    above[:, 0] = qi > th[0]
    grades: Grades = above.sum(axis=1, dtype=np.int64)
    return grades
