"""How to train, as data."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Literal

from convert.lots.splits import Balance
from convert.training.augmentation import TURNS_ONLY, WRONG_BOXES_AND_LIGHT, Augmentation
from edge.core.errors import UsageError

Network = Literal["cnn3d", "cnn-lstm", "slicenet"]

_STOPPING = {"patience", "stop_after", "time_limit_s"}
"""Fields that say when to stop, not how an epoch runs."""


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    ``learning_rate`` and ``decay``: Adam's, the rate falling as 1 / (1 + decay * step); with ``cosine`` it falls to
    a fiftieth over the planned epochs instead, after a rise of ``warm_up`` steps, a tenth of all at most.
    ``weight_decay``: AdamW's (Loshchilov and Hutter 2019). ``label_smoothing``: the share of a label that is spread
    over all classes. ``augmentation``: how far joints are changed. ``taught``: how much of a joint's target is what a
    teacher says of it, where there is one (Hinton et al. 2015). ``large``: SliceNet as wide as its teacher.
    ``validation_share``: share of the board types held out when no validation lot is given; 0 trains on everything and
    keeps the last epoch. ``patience``: epochs without a better validation AUROC before stopping. ``stop_after``: end
    after this epoch of a longer schedule. ``time_limit_s``: stop after the epoch in which this runs out.
    ``rounded``: round activations as int8 will, so that the weights learn to bear it.
    ``dense_units``: the 3D CNN's; ``trunk``, ``features``, ``units``: the CNN + LSTM's.
    """

    epochs: int = 12
    batch: int = 32
    learning_rate: float = 3e-4
    decay: float = 1e-6
    cosine: bool = False
    warm_up: int = 100
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augmentation: Augmentation = TURNS_ONLY
    taught: float = 0.0
    large: bool = False
    seed: int = 0
    validation_share: float = 0.25
    patience: int = 4
    stop_after: int | None = None
    dense_units: int = 1024
    dropout: float = 0.5
    trunk: str = "compact"
    features: int = 256
    units: int = 2048
    time_limit_s: float | None = None
    balance: Balance = "fewer-normals"
    rounded: bool = False

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("--epochs", self.epochs, 1, math.inf),
            ("--batch", self.batch, 1, math.inf),
            ("--learning-rate", self.learning_rate, 0, 1),
            ("--seed", self.seed, 0, 2**31),
            ("--validation-share", self.validation_share, 0, 0.9),
            ("--dropout", self.dropout, 0, 0.95),
            ("--label-smoothing", self.label_smoothing, 0, 0.5),
            ("--weight-decay", self.weight_decay, 0, 1),
            ("--taught", self.taught, 0, 1),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} {value}: give a number from {least} to {most}")

    @property
    def digest(self) -> str:
        """Of all that decides how an epoch runs; a checkpoint made under another plan is not resumed."""
        fixed = {key: value for key, value in asdict(self).items() if key not in _STOPPING}
        return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()


PAPER = TrainingPlan(epochs=100, batch=32, learning_rate=1e-5, decay=1e-6, patience=10)
"""Zhang et al., section V; batch 32 is that of the authors' earlier public code."""
SMALL_MACHINE = TrainingPlan(epochs=6, batch=64, learning_rate=5e-4, cosine=True, patience=3)
"""Converges on some 20,000 joints on two cores; how the reference models are trained: ``reference.plans``."""
SLICENET = TrainingPlan(
    epochs=6,
    batch=256,
    learning_rate=2e-3,
    cosine=True,
    warm_up=200,
    weight_decay=1e-4,
    label_smoothing=0.02,
    augmentation=WRONG_BOXES_AND_LIGHT,
    taught=0.7,
    dropout=0.2,
)
"""For some 200,000 joints: an hour or two on two cores."""
_FINE_STEPS, _FINE_BATCH = 400, 32


def fine_tuning(joints: int) -> TrainingPlan:
    """To go on from the reference with a lot of ``joints``: a few minutes on two cores up to some thousand of them, and
    some epochs of more. The fewer joints, the more often each is seen, changed each time.
    """
    epochs = round(_FINE_STEPS * _FINE_BATCH / max(joints, 1))
    return TrainingPlan(
        epochs=min(40, max(6, epochs)),
        batch=_FINE_BATCH,
        learning_rate=5e-4,
        cosine=True,
        warm_up=50,
        weight_decay=1e-4,
        label_smoothing=0.02,
        augmentation=WRONG_BOXES_AND_LIGHT,
        dropout=0.2,
        patience=15,
        balance="repeat-defects",
    )


NEUROFUZZY = TrainingPlan(epochs=60, validation_share=0.15)
"""Of the network that grades. Of the rest of a plan only the seed means anything to it."""
RECIPES: dict[str, TrainingPlan] = {"paper": PAPER, "small-machine": SMALL_MACHINE, "slicenet": SLICENET}
