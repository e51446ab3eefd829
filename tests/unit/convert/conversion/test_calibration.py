"""Calibration joints: drawn evenly, real, kept apart, and enough of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from convert.conversion.calibration import disagreement, draw_stratified, require_apart, require_images
from convert.lots.lot import LabelledLot
from convert.lots.patches import PatchFiles
from convert.lots.truth import TruthRow
from convert.lowering.passes.head import HEAD
from convert.lowering.program import Conv2d, Program, Reshape
from edge.core.errors import ConfigError, GateRefused


def lot(name: str, patches: np.ndarray, truths: list[str] | None = None) -> LabelledLot:
    truths = truths or ["normal"] * len(patches)
    rows = tuple(
        TruthRow(name, f"J1.{i}", f"MB-{i % 3}", truth, int(truth != "normal"), 0.9, 0.0, 4, 1)
        for i, truth in enumerate(truths)
    )
    files = PatchFiles([lambda: patches], [len(patches)])
    return LabelledLot(name, f"sha256:{name}", files, np.arange(len(patches)), rows)


def images(n: int, seed: int) -> np.ndarray:
    """Smooth, as X-ray images are: a blob of random place and size in each slice."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16]
    blobs = [
        [200 - 150 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / c) for a, b, c in rng.uniform(5, 11, (2, 3))]
        for _ in range(n)
    ]
    return np.moveaxis(np.array(blobs), 1, -1).astype(np.uint8)


def test_every_stratum_is_drawn_before_any_is_drawn_twice() -> None:
    whole = lot("a", images(60, 0), ["normal"] * 48 + ["short"] * 6 + ["voided"] * 6)
    chosen = draw_stratified(whole, 9, seed=1)
    assert Counter(whole.rows[i].truth for i in chosen) == {"normal": 3, "short": 3, "voided": 3}
    assert len(draw_stratified(whole, 1000, seed=1)) == 60


def test_real_joints_pass_and_noise_or_blank_ones_do_not() -> None:
    require_images(images(12, 0), "real")
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 2)).astype(np.uint8)
    with pytest.raises(GateRefused, match="as in noise"):
        require_images(noise, "noise")
    for grey in (0, 77):
        with pytest.raises(GateRefused, match="not blank"):
            require_images(np.full((12, 16, 16, 2), grey, np.uint8), "blank")


def test_one_shared_joint_is_found_wherever_it_hides() -> None:
    first, second, third = images(20, 1), images(20, 2), images(20, 3)
    lots = {"calibration": lot("a", first), "validation": lot("b", second), "evaluation": lot("c", third)}
    require_apart(lots)
    third[13] = first[4]
    with pytest.raises(ConfigError, match=r"\[evaluation\] lot: c shares a joint with \[calibration\]"):
        require_apart(lots)


def test_halves_agree_on_like_joints_and_not_on_unlike_ones() -> None:
    kernel = np.ones((3, 3, 2, 1), np.float32) / 18
    conv = Conv2d("conv", (-1,), kernel, np.zeros(1, np.float32), "relu", (1, 1), False)
    program = Program((16, 16, 2), (conv, Reshape("flat", (0,))), (), HEAD)
    patches = images(40, 4)
    apart = disagreement(program, patches)
    assert set(apart) == {"conv"}, "what only moves values is left out"
    assert apart["conv"] < 0.2
    patches[1::2] //= 4
    assert disagreement(program, patches)["conv"] > 0.5
