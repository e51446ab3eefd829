"""Lots divided: nothing is on two sides, and each side has its share of both classes."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convert.commands.apart import apart
from convert.lots.division import divided
from convert.lots.parting import part
from convert.lots.reading import load_lot
from convert.lots.splits import says_less, split_apart
from convert.lots.truth import read_truth, truth_writer
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.core.errors import UsageError
from edge.core.preprocess import PreprocessSpec

SHARES = (0.6, 0.2, 0.2)
SHARES_OF = ("training", "validation", "held-out")
joints = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1), st.integers(0, 40)), min_size=6, max_size=80)


@given(joints, st.integers(0, 99))
def test_no_tie_is_on_two_sides_and_each_side_has_both_classes(found: list[tuple[int, int, int]], seed: int) -> None:
    ties = [(("group", group), ("picture", picture)) for group, _, picture in found]
    labels = np.array([label for _, label, _ in found])
    try:
        sides = divided(ties, labels, SHARES, seed)
    except UsageError:
        assume(False)
        return
    by_tie: dict[object, set[int]] = {}
    for own, side in zip(ties, sides.tolist(), strict=True):
        for tie in own:
            by_tie.setdefault(tie, set()).add(side)
    assert all(len(held) == 1 for held in by_tie.values())
    assert {(side, label) for side, label in zip(sides.tolist(), labels.tolist(), strict=True)} == {
        (side, label) for side in range(3) for label in (0, 1)
    }


@given(st.integers(12, 40), st.integers(0, 99))
def test_sides_get_their_shares_of_both_classes(boards: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ties = [(board,) for board in range(boards) for _ in range(20)]
    labels = (rng.random(len(ties)) < 0.15).astype(np.int64)
    sides = divided(ties, labels, SHARES, seed)
    for side, share in enumerate(SHARES):
        assert abs(np.mean(sides == side) - share) < 0.1
        assert abs(np.mean(sides[labels == 1] == side) - share) < 0.2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=7), st.integers(0, 9))
def test_where_a_division_is_possible_one_is_found(parts: list[tuple[int, int]], seed: int) -> None:
    ties, labels = [], []
    for number, (normals, defects) in enumerate(parts):
        ties += [(number,)] * (normals + defects)
        labels += [0] * normals + [1] * defects
    possible = any(
        all(
            any(where == side and parts[number][label] for number, where in enumerate(sides))
            for side in range(3)
            for label in (0, 1)
        )
        for sides in product(range(3), repeat=len(parts))
    )
    assume(possible)
    divided(ties, np.array(labels), (1.0, 1.0, 1.0), seed)


def test_many_joints_are_divided_in_no_time() -> None:
    ties = [(("group", number % 20), ("look", number)) for number in range(50_000)]
    assert len(divided(ties, np.arange(50_000) % 2, SHARES, 0)) == 50_000


def test_too_few_boards_are_refused() -> None:
    with pytest.raises(UsageError, match="bring more board types or boards"):
        divided([("a",), ("b",)] * 4, np.array([0, 1] * 4), SHARES, 0)
    with pytest.raises(UsageError, match="no defect, or no normal"):
        divided([("a",), ("b",), ("c",)], np.array([0, 1, 1]), SHARES, 0)


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("division")
    list(simulate_lot(root / "lot", LotPlan(boards=8, joints=96, seed=4, types=2, defect_share=0.5), workers=1))
    return root / "lot"


def without_types(lot: Path, out: Path) -> Path:
    """The same lot, of which nobody says the board types, or anything that a simulator knows."""
    out.mkdir()
    for folder in lot.iterdir():
        if folder.is_dir():
            (out / folder.name).symlink_to(folder)
    rows = [f"{row.job_id},{row.joint},{row.label},{row.truth}" for row in read_truth(lot).values()]
    (out / "truth.csv").write_text("\n".join(["job_id,joint,label,truth", *rows]) + "\n")
    return out


def test_a_lot_without_board_types_is_kept_apart_by_board_and_that_is_said(lot: Path, tmp_path: Path) -> None:
    named = load_lot(lot, PreprocessSpec())
    assert says_less(named) == ()
    unnamed = load_lot(without_types(lot, tmp_path / "unnamed"), PreprocessSpec())
    (said,) = says_less(unnamed)
    assert "by serial only" in said
    learn, judge = split_apart(unnamed, 0.25, 0)
    assert not {row.serial for row in learn.defect_rows} & {row.serial for row in judge.defect_rows}
    assert {row.serial for row in unnamed.defect_rows} == {row.serial for row in named.defect_rows}
    with pytest.raises(UsageError, match="names its board type"):
        apart(unnamed, "board-type")


def test_days_keep_apart_too(lot: Path) -> None:
    opened = apart(load_lot(lot, PreprocessSpec()), "day")
    assert all(len(day) == len("2026-01-05") for day in opened.groups)


@pytest.mark.parametrize("by", ["serial", None])
def test_parts_of_a_lot_hold_all_of_it_once(by: str | None, lot: Path, tmp_path: Path) -> None:
    opened = apart(load_lot(lot, PreprocessSpec()), by)
    if by is None:  # two board types make no three sides
        with pytest.raises(UsageError, match="groups of joints"):
            part(lot, opened, tmp_path / "parts", 0)
        assert not list(tmp_path.iterdir())
        return
    part(lot, opened, tmp_path / "parts", 0)
    parts = [load_lot(tmp_path / "parts" / name, PreprocessSpec()) for name in ("training", "validation", "held-out")]
    held = [(row.job_id, row.joint, row.truth) for one in parts for row in one.rows]
    assert sorted(held) == sorted((row.job_id, row.joint, row.truth) for row in opened.rows)
    for one, name in zip(parts, ("training", "validation", "held-out"), strict=True):
        folders = [path for path in (tmp_path / "parts" / name).iterdir() if path.is_dir()]
        assert len(folders) == len({row.job_id for row in one.rows}), "only its own jobs"
    serials = [{row.serial for row in one.defect_rows} for one in parts]
    assert sum(map(len, serials)) == len(set().union(*serials))


def test_a_job_of_two_board_types_ties_them(lot: Path, tmp_path: Path) -> None:
    shutil.copytree(lot, tmp_path / "lot")
    rows = list(read_truth(lot).values())
    jobs = sorted({row.job_id for row in rows})
    types = {job: "ABCDEFGH"[number] for number, job in enumerate(jobs)}
    first = next(row.joint for row in rows if row.job_id == jobs[0])
    with truth_writer(tmp_path / "lot") as write:
        write(
            row._replace(board_type="B" if (row.job_id, row.joint) == (jobs[0], first) else types[row.job_id])
            for row in rows
        )
    part(tmp_path / "lot", load_lot(tmp_path / "lot", PreprocessSpec()), tmp_path / "parts", 0)
    side_of = {row.job_id: name for name in SHARES_OF for row in read_truth(tmp_path / "parts" / name).values()}
    assert side_of[jobs[0]] == side_of[jobs[1]]


def test_jobs_that_share_a_picture_stay_together(lot: Path, tmp_path: Path) -> None:
    shutil.copytree(lot, tmp_path / "lot")
    folders = sorted(path for path in (tmp_path / "lot").iterdir() if any(path.glob("*.png")))
    first, second = (min(folder.glob("*.png")) for folder in folders[:2])
    shutil.copy(first, second)
    part(tmp_path / "lot", apart(load_lot(tmp_path / "lot", PreprocessSpec()), "serial"), tmp_path / "parts", 0)
    where = {path.name: path.parent.name for path in (tmp_path / "parts").glob("*/*") if path.is_dir()}
    assert where[folders[0].name] == where[folders[1].name]


@pytest.mark.parametrize("shares", [(0.6, 0.2, 0.0), (float("nan"),) * 3, (float("inf"), 1.0, 1.0)])
def test_shares_are_numbers_above_nothing(shares: tuple[float, ...], lot: Path, tmp_path: Path) -> None:
    opened = apart(load_lot(lot, PreprocessSpec()), "serial")
    with pytest.raises(UsageError, match="give numbers above 0"):
        part(lot, opened, tmp_path / "parts", 0, dict(zip(("a", "b", "c"), shares, strict=True)))
    with pytest.raises(UsageError, match="lies within the lot"):
        part(lot, opened, lot / "parts", 0)
