"""Every reader of exports brings back what a simulated lot holds: joints, boxes, classes, pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.importing.mapping import read_mapping
from convert.importing.run import import_lot
from convert.lots.reading import load_lot
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.core.preprocess import PreprocessSpec
from tests.support.histories import EXPORTERS, held, known


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("history")
    list(simulate_lot(root / "lot", LotPlan(boards=3, joints=60, seed=4, types=1, defect_share=0.5), workers=1))
    return root / "lot"


@pytest.mark.parametrize("kind", EXPORTERS)
def test_what_was_exported_comes_back(kind: str, lot: Path, tmp_path: Path) -> None:
    source, mapping, out = tmp_path / "export", tmp_path / "mapping.toml", tmp_path / "lot"
    source.mkdir()
    mapping.write_text(EXPORTERS[kind](known(lot), source), "utf-8")
    done = import_lot(source, read_mapping(mapping), out)
    assert [str(problem) for problem in done.problems] == []
    boxes = kind != "folders"
    assert held(out, boxes=boxes) == held(lot, boxes=boxes)
    assert len(done.joints) == len(known(lot))


@pytest.mark.parametrize("kind", EXPORTERS)
def test_what_is_checked_only_is_not_written(kind: str, lot: Path, tmp_path: Path) -> None:
    source, mapping = tmp_path / "export", tmp_path / "mapping.toml"
    source.mkdir()
    mapping.write_text(EXPORTERS[kind](known(lot), source), "utf-8")
    before = sorted(tmp_path.rglob("*"))
    done = import_lot(source, read_mapping(mapping), None)
    assert not done.problems
    assert done.joints
    assert sorted(tmp_path.rglob("*")) == before


def test_networks_see_the_same_joints(lot: Path, tmp_path: Path) -> None:
    source = tmp_path / "export"
    source.mkdir()
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(EXPORTERS["coco"](known(lot), source))
    import_lot(source, read_mapping(mapping), tmp_path / "lot")
    ours, theirs = (load_lot(path, PreprocessSpec()) for path in (lot, tmp_path / "lot"))
    assert {patch.tobytes() for patch in ours.patches} == {patch.tobytes() for patch in theirs.patches}
    assert sorted(row.truth for row in ours.rows) == sorted(row.truth for row in theirs.rows)
