"""Real X-ray images through the whole path: imported, adopted, and the held-out blocks judged by the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.adoption.curve import sizes_of
from convert.cli import main
from convert.lots.reading import load_lot
from convert.metrics.defects import auroc
from convert.networks.scoring import load_model, score
from edge.core.preprocess import PreprocessSpec
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.real_bga import DATA, MAPPING

pytestmark = [pytest.mark.slow, pytest.mark.broker]


def judged(work: Path, bundle: Path, lot: Path, mosquitto: Mosquitto) -> dict[str, Any]:
    """joint -> verdict, as a daemon published them."""
    device, subscriber = DaemonProcess(work, bundle, mosquitto.port), Subscriber(mosquitto.port)
    device.start()
    blocks = [folder for folder in lot.iterdir() if folder.is_dir()]
    for block in blocks:
        device.submit(block)
    subscriber.wait_for(lambda s: len(s.payloads("/board/")) == len(blocks))
    assert device.stop() == 0
    verdicts = {verdict["joint"]: verdict for verdict in subscriber.payloads("/verdict/")}
    subscriber.close()
    return verdicts


@pytest.mark.skipif(
    not DATA.exists(), reason="the real BGA images are not beside this checkout (../shared/data/real-bga)"
)
def test_voided_balls_are_told_from_good_ones_on_blocks_that_were_held_out(
    tmp_path: Path, mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping, lot, out = tmp_path / "bga.toml", tmp_path / "bga", tmp_path / "adopted"
    mapping.write_text(MAPPING)
    assert main(["import", str(DATA), "--mapping", str(mapping), "--out", str(lot)]) == 0
    shares = ["--shares", "0.25", "0.25", "0.5"]
    assert main(["adopt", str(lot), "--out", str(out), *shares, "--curve-seeds", "1", "--seed", "3"]) == 0
    said = capsys.readouterr()
    assert "says nothing of new board types" in " ".join(said.err.split())
    assert "defects more" in said.err
    report = out / "bga-1.0.0.report"
    assert (report / "learning-curve.png").read_bytes().startswith(b"\x89PNG")
    page = (report / "adoption.md").read_text()
    for size in sizes_of(len(load_lot(out / "bga-1.0.0.lots" / "training", PreprocessSpec()).rows)):
        assert f"| from the reference | {size} |" in page
        assert f"| from scratch | {size} |" in page

    held_out = load_lot(out / "bga-1.0.0.lots" / "held-out", PreprocessSpec())
    verdicts = judged(tmp_path, Path(said.out.splitlines()[-1]), out / "bga-1.0.0.lots" / "held-out", mosquitto)
    assert set(verdicts) == {row.joint for row in held_out.rows}
    assert {verdict["reason"] for verdict in verdicts.values()} <= {None, "unfamiliar"}
    unfamiliar = sum(verdict["reason"] == "unfamiliar" for verdict in verdicts.values())
    keras = score(load_model(out / "bga-1.0.0.keras"), held_out.patches)
    ours = np.array([verdicts[row.joint]["p_defect"] for row in held_out.rows])
    figures = auroc(keras, held_out.labels), auroc(ours, held_out.labels)
    with capsys.disabled():
        print(
            f"\nreal-bga, blocks that were held out: {int(held_out.labels.sum())} voided of {len(ours)}, {unfamiliar} "
            f"unfamiliar\nAUROC voided against good: Keras float32 {figures[0]:.4f}, int8 through the daemon "
            f"{figures[1]:.4f}; largest |dp| {np.abs(keras - ours).max():.4f}"
        )
    assert min(figures) >= 0.98
    assert abs(figures[0] - figures[1]) <= 0.02
