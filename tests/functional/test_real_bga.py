"""Real X-ray images through the whole path: trained on two blocks of balls, the other two judged by the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.building import build
from convert.lots.reading import load_lot
from convert.lots.truth import read_truth
from convert.metrics.defects import auroc
from convert.networks.scoring import load_model, score
from convert.training.defects import sides, train
from convert.training.plan import TrainingPlan
from edge.core.preprocess import PreprocessSpec
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.real_bga import BLOCKS, DATA, write_lot
from tests.support.training import write_recipe

pytestmark = [pytest.mark.slow, pytest.mark.broker]


def trained(work: Path) -> None:
    """A network that learnt from two blocks, to ``model.keras``."""
    plan = TrainingPlan(
        epochs=12,
        batch=16,
        learning_rate=5e-4,
        dense_units=128,
        validation_share=0.0,
        balance="repeat-defects",
        cosine=True,  # the last steps are small: the normalisation's averages, of some 120 steps, must fit the weights
        seed=3,
    )
    train("cnn3d", sides(load_lot(work / "train", PreprocessSpec()), plan), work / "model.keras", plan, report=print)


def judged(work: Path, bundle: Path, mosquitto: Mosquitto) -> dict[str, Any]:
    """joint -> verdict, as a daemon published them."""
    device, subscriber = DaemonProcess(work, bundle, mosquitto.port), Subscriber(mosquitto.port)
    device.start()
    for block in BLOCKS[2:]:
        device.submit(work / "evaluate" / block)
    subscriber.wait_for(lambda s: len(s.payloads("/board/")) == 2)
    assert device.stop() == 0
    verdicts = {verdict["joint"]: verdict for verdict in subscriber.payloads("/verdict/")}
    subscriber.close()
    return verdicts


@pytest.mark.skipif(
    not DATA.exists(), reason="the real BGA images are not beside this checkout (../shared/data/real-bga)"
)
def test_voided_balls_are_told_from_good_ones_on_unseen_blocks(tmp_path: Path, mosquitto: Mosquitto) -> None:
    spec = PreprocessSpec()
    lots = {"train": BLOCKS[:2], "learn": BLOCKS[:1], "validate": BLOCKS[1:2], "evaluate": BLOCKS[2:]}
    for name, blocks in lots.items():  # a build keeps its own three apart: learn is what it calibrates on
        write_lot(tmp_path / name, blocks)
    trained(tmp_path)
    # Some 90 held-out balls: one flip weighs more than a percent here.
    recipe = write_recipe(
        tmp_path / "recipe.toml",
        tmp_path / "model.keras",
        tmp_path,
        name="bga",
        joint_types='["BGA"]',
        familiar=64,
        budget="max_auroc_drop = 0.02\nmax_recall_drop = 0.05\nmax_flipped = 0.05",
    )
    bundle = build(recipe, tmp_path / "bundles", print).bundle
    verdicts = judged(tmp_path, bundle, mosquitto)
    assert len(verdicts) == 100
    reasons = [verdict["reason"] for verdict in verdicts.values()]
    assert set(reasons) <= {None, "unfamiliar"}
    print(f"\n{reasons.count('unfamiliar')} of {len(reasons)} balls of the other blocks are unfamiliar")
    assert reasons.count(None) >= 50, "most of another block's balls look familiar"

    held_out = load_lot(tmp_path / "evaluate", spec)
    assert {row.joint for row in held_out.rows} == {joint for _, joint in read_truth(tmp_path / "evaluate")}
    keras = score(load_model(tmp_path / "model.keras"), held_out.patches)
    ours = np.array([verdicts[row.joint]["p_defect"] for row in held_out.rows])
    voided = int(held_out.labels.sum())
    figures = auroc(keras, held_out.labels), auroc(ours, held_out.labels)
    print(
        f"\nreal-bga, unseen blocks {' and '.join(BLOCKS[2:])}: {voided} voided, {len(ours) - voided} good\n"
        f"AUROC voided against good: Keras float32 {figures[0]:.4f}, int8 through the daemon {figures[1]:.4f}; "
        f"largest |dp| {np.abs(keras - ours).max():.4f}"
    )
    assert min(figures) >= 0.85
    assert abs(figures[0] - figures[1]) <= 0.02
