"""Lots on disk: job folders and shards hold the same kind of joints, and say when they are not whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from convert.lots.reading import load_lot
from convert.simulator.difficulty import DIFFICULTIES
from convert.simulator.plan import LotPlan
from convert.simulator.xray.board import as_read, machine_of
from convert.simulator.xray.board_type import board_type
from convert.simulator.xray.joint import Truth, draw_solder
from convert.simulator.xray.lot import simulate_lot
from edge.core.errors import UsageError
from edge.core.preprocess import PreprocessSpec

PLAN = LotPlan(boards=3, joints=30, seed=4, types=3, defect_share=0.5, form="patches")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lot") / "shards"
    assert sum(simulate_lot(folder, PLAN, workers=1)) == 30
    return folder


def test_shards_repeat_byte_for_byte_however_many_work_on_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convert.simulator.xray.lot._SHARD_JOINTS", 10)  # a shard a board, several in flight
    for name, workers in (("one", 1), ("two", 2)):
        assert sum(simulate_lot(tmp_path / name, PLAN, workers)) == 30
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 5
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes() for path in files)
    lot = load_lot(tmp_path / "one", PreprocessSpec())
    positions = np.array([29, 0, 14, 10])
    np.testing.assert_array_equal(lot.take(positions), lot.patches[positions])


def test_a_lot_of_patches_opens_whole_or_not_at_all(shards: Path, tmp_path: Path) -> None:
    lot = load_lot(shards, PreprocessSpec())
    assert lot.patches.shape == (30, 128, 128, 6)
    assert set(lot.labels.tolist()) == {0, 1}
    assert all(not lot.patches[i, ..., row.slices :].any() for i, row in enumerate(lot.rows))
    with pytest.raises(UsageError, match="were asked for; name a lot of job folders"):
        load_lot(shards, PreprocessSpec(size=64))
    damaged = Path(shutil.copytree(shards, tmp_path / "damaged"))
    shard = next((damaged / "shards").iterdir())
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UsageError, match=r"is not the shard that lot\.json names"):
        load_lot(damaged, PreprocessSpec())
    shard.unlink()
    with pytest.raises(UsageError, match="not readable"):
        load_lot(damaged, PreprocessSpec())
    (damaged / "lot.json").write_text("{}")
    with pytest.raises(UsageError, match="simulate the lot anew"):
        load_lot(damaged, PreprocessSpec())
    (damaged / "lot.json").unlink()
    with pytest.raises(UsageError, match="interrupted"):
        load_lot(damaged, PreprocessSpec())


def test_a_label_that_is_no_label_is_named(shards: Path, tmp_path: Path) -> None:
    lot = Path(shutil.copytree(shards, tmp_path / "lot"))
    rows = (lot / "truth.csv").read_text().splitlines()
    rows[3] = rows[3].replace(",1,", ",2,", 1).replace(",0,", ",2,", 1)
    (lot / "truth.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(UsageError, match="line 4: label: '2' is neither 0"):
        load_lot(lot, PreprocessSpec())


def test_board_types_differ_in_geometry_machine_and_defects() -> None:
    kinds = [board_type(1, number) for number in range(24)]
    for field in (
        "thickness_mm",
        "drill_mm",
        "pitch_mm",
        "planes",
        "tilt_deg",
        "azimuths",
        "counts",
        "polarity",
        "gain",
    ):
        assert len({getattr(kind, field) for kind in kinds}) > 1, field
    mixes = np.array([kind.defect_mix for kind in kinds])
    assert mixes.sum(axis=1) == pytest.approx(1.0)
    assert mixes.std(axis=0).min() > 0.02


def test_specialists_disagree_near_the_limit_only() -> None:
    """On a hard lot some joints are labelled against their physical fill, all of them within 5 % of the limit."""
    rng, kind = np.random.default_rng(0), board_type(1, 2)
    against = 0
    for truth in (Truth.NORMAL, Truth.INSUFFICIENT):
        for _ in range(400):
            solder = draw_solder(kind, truth, rng)
            if (solder.fill < kind.fill_limit) != (truth is Truth.INSUFFICIENT):
                against += 1
                assert abs(solder.fill - kind.fill_limit) <= 0.05
    assert against > 4
    easy = DIFFICULTIES["easy"]
    for _ in range(200):
        solder = draw_solder(kind, Truth.NORMAL, rng, (), easy)
        assert solder.fill >= kind.fill_limit
    with pytest.raises(UsageError, match="--difficulty"):
        LotPlan(boards=1, joints=1, seed=0, types=1, difficulty="brutal")


def test_a_png_slice_is_read_as_it_was_written_and_jpeg_nearly() -> None:
    image = np.random.default_rng(0).integers(100, 140, (64, 64)).astype(np.uint8)
    kinds = {bool(kind.jpeg_quality): kind for kind in (board_type(1, number) for number in range(12))}
    read = {lossy: as_read([image], kind, PreprocessSpec(polarity=kind.polarity))[0] for lossy, kind in kinds.items()}
    np.testing.assert_array_equal(read[False], image)
    again = read[True].astype(int)
    assert 0 < np.abs(again - image).max() < 40
    assert machine_of(kinds[True]).encoded(image)[:2] == b"\xff\xd8"
