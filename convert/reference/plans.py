"""The recipe of the reference models, as data: three lots that share no board type, and how each network is trained."""

from __future__ import annotations

from dataclasses import replace

from convert.simulator.plan import LotPlan
from convert.training.plan import SLICENET, Network, TrainingPlan

SEED = 2026

LOTS: dict[str, LotPlan] = {
    "training": LotPlan(
        boards=500, joints=22_000, seed=SEED, types=40, first_type=0, defect_share=0.46, prefix="TR", form="patches"
    ),
    "validation": LotPlan(boards=56, joints=2_400, seed=SEED, types=8, first_type=100, prefix="VA", form="patches"),
    "test": LotPlan(boards=96, joints=4_200, seed=SEED, types=12, first_type=200, prefix="TE", form="patches"),
}
"""The training lot is drawn with about as many defects as normals, instead of throwing five of six normals away after
simulating them (balancing takes the rest); validation and test keep the paper's 1 : 0.18."""

WIDE_LOTS: dict[str, LotPlan] = {
    "wide-training": LotPlan(
        boards=4_800,
        joints=220_000,
        seed=SEED,
        types=400,
        first_type=1000,
        defect_share=0.46,
        prefix="WT",
        form="patches",
    ),
    "wide-validation": LotPlan(
        boards=240, joints=9_600, seed=SEED, types=40, first_type=500, prefix="WV", form="patches"
    ),
    "wide-test": LotPlan(boards=360, joints=14_400, seed=SEED, types=30, first_type=600, prefix="WE", form="patches"),
}
"""Of SliceNet: types enough to learn what all have in common, to choose a threshold that others bear out, and to say
how far board types differ (some seventy defects in each of the test lot)."""

BUILD_LOTS: dict[str, LotPlan] = {
    "calibration": LotPlan(
        boards=64, joints=1_024, seed=SEED, types=16, first_type=300, defect_share=0.5, prefix="CA", form="patches"
    ),
    "held-out": LotPlan(boards=64, joints=2_400, seed=SEED, types=12, first_type=400, prefix="HO"),
}
"""What the shipped recipes convert and gate on (thresholds: the validation lot): board types that no model has seen."""

OPTICAL_LOTS: dict[str, LotPlan] = {
    "optical-training": LotPlan(boards=200, joints=16_000, seed=SEED, types=100, first_type=0, prefix="OT"),
    "optical-validation": LotPlan(boards=32, joints=2_560, seed=SEED, types=16, first_type=200, prefix="OV"),
    "optical-test": LotPlan(boards=60, joints=4_800, seed=SEED, types=30, first_type=300, prefix="OE"),
    "optical-held-out": LotPlan(boards=40, joints=3_200, seed=SEED, types=20, first_type=400, prefix="OH"),
}
"""Of the network that grades: to train on and learn thresholds from, to choose the epoch by, to measure figures on, and
to gate conversion on."""

TRAINING: dict[Network, TrainingPlan] = {
    "cnn3d": TrainingPlan(epochs=4, stop_after=3, batch=32, learning_rate=4e-4, cosine=True, seed=SEED),
    "cnn-lstm": TrainingPlan(epochs=2, batch=64, learning_rate=6e-4, cosine=True, seed=SEED),
}
FINE_TUNING: dict[Network, TrainingPlan] = {
    "cnn3d": TrainingPlan(epochs=1, batch=32, learning_rate=4e-5, cosine=True, seed=SEED + 1),
    "cnn-lstm": TrainingPlan(epochs=3, batch=32, learning_rate=1e-4, cosine=True, rounded=True, seed=SEED + 1),
}
"""After the large matrices were factorised. The CNN + LSTM learns to bear int8 rounding, which it feels more."""
OWN_TRAINING = replace(SLICENET, seed=SEED)
"""SliceNet's, on the wide lot."""
CURVE: dict[int, TrainingPlan] = {
    10: replace(OWN_TRAINING, epochs=30),
    40: replace(OWN_TRAINING, epochs=16),
    160: replace(OWN_TRAINING, epochs=8),
}
"""By how many of the wide lot's board types: SliceNet learnt from fewer, the more often the fewer there are."""
