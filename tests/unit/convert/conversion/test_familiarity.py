from __future__ import annotations

import numpy as np
import pytest

from convert.conversion.familiarity import halves, kept_apart_by, pictures_of_no_joint, unknown
from convert.conversion.hidden_layer import told_apart
from convert.conversion.recipe import BudgetSection
from convert.lots.lot import LabelledLot
from convert.lots.patches import PatchFiles
from convert.lots.truth import TruthRow
from convert.lowering.features import with_features
from convert.lowering.program import Channels, Conv2d, MatMul, Program, Reduce, Stack, Step
from convert.lowering.running import outputs, run, trace
from convert.metrics.defects import rate
from convert.simulator.wrong.pictures import EXTENTS, drawn
from convert.simulator.wrong.stacks import STACKS, cut_off, spoilt, used, varied
from edge.core.familiarity import Familiarity
from edge.core.rules import ThermometerHead

HEAD = ThermometerHead(low=-1.0, high=1.0, full=1.0)
rng = np.random.default_rng(8)


def joint(slices: int) -> np.ndarray:
    """Another picture in each of its slices."""
    patch = np.zeros((64, 64, 6), np.uint8)
    for index in range(slices):
        patch[..., index] = np.linspace(20 + 30 * index, 90 + 30 * index, 64)[:, None] + np.linspace(0, 40, 64)
    return patch


def familiarity(held: np.ndarray, strange: np.ndarray, seed: int = 1) -> Familiarity:
    found = told_apart(held, strange, seed)
    return Familiarity(**found._asdict(), limit=0, measured_on="here", unfamiliar=rate(0, 1))


def test_groups_that_no_line_tells_apart_are_told_apart() -> None:
    held = rng.normal(100, 8, (400, 5))
    angles = rng.uniform(0, 2 * np.pi, 400)
    strange = rng.normal(100, 8, (400, 5))
    strange[:, 0] += 60 * np.cos(angles)
    strange[:, 1] += 60 * np.sin(angles)  # all around
    known = familiarity(held, strange)
    inside, outside = ([known.strangeness(row) for row in rows] for rows in (held, strange))
    assert not known.problem()
    assert np.quantile(inside, 0.98) < np.quantile(outside, 0.02)


def test_features_that_never_vary_on_joints_drown_no_others() -> None:
    """Dead ones, whose spread is nothing: more than half of them here."""
    held, strange = (np.concatenate([rng.normal(at, 5, (300, 4)), np.zeros((300, 12))], axis=1) for at in (100, 140))
    known = familiarity(held, strange)
    inside, outside = ([known.strangeness(row) for row in rows] for rows in (held, strange))
    assert np.quantile(inside, 0.95) < np.quantile(outside, 0.05)


def test_the_same_joints_teach_the_same() -> None:
    held, strange = rng.normal(50, 5, (60, 4)), rng.normal(80, 5, (60, 4))
    assert told_apart(held, strange, 3) == told_apart(held, strange, 3)


@pytest.mark.parametrize("slices", [1, 2, 4, 6])
@pytest.mark.parametrize("kind", STACKS)
def test_a_wrong_stack_shows_as_many_slices_and_is_another(kind: str, slices: int) -> None:
    patch = joint(slices)
    found = STACKS[kind](patch, rng)
    assert found.shape == patch.shape
    assert used(found) == used(patch)
    alike = slices == 1 and ("order" in kind or "places" in kind)
    assert np.array_equal(found, patch) == alike


def test_a_joint_that_was_not_exposed_and_one_of_one_slice_are_spoilt_too() -> None:
    for _ in range(200):
        assert not np.array_equal(spoilt(joint(1), rng), joint(1))
        spoilt(np.zeros((32, 32, 3), np.uint8), rng)


def test_budgets_that_cannot_be_measured_are_exceeded() -> None:
    lines = unknown(BudgetSection(max_unfamiliar=0.02, min_caught=0.9))
    assert [line.passed for line in lines] == [False, False]
    assert unknown(BudgetSection()) == ()


def test_what_is_drawn_at_random_fits_and_depends_on_chance_alone() -> None:
    for shape in ((128, 128, 6), (64, 64, 3), (32, 32, 1)):
        first, again = (drawn(np.random.default_rng(5), shape) for _ in range(2))
        assert first.shape == shape
        assert np.array_equal(first, again)
    patch = joint(4)
    for change in (spoilt, varied):
        first, again = (change(patch, np.random.default_rng(5)) for _ in range(2))
        assert np.array_equal(first, again)
        assert first.dtype == np.uint8


def test_what_is_cut_off_is_black_from_an_edge_on() -> None:
    white, cut = np.full((32, 32, 2), 255, np.uint8), 0
    for _ in range(400):
        found = cut_off(white, rng)
        cut += not found.all()
        assert found.any()
        assert found[16, 16].all(), "never more than half"
    assert 50 < cut < 150
    assert white.all(), "what was given stays as it is"


def test_pictures_of_no_joint_are_of_every_size() -> None:
    found = pictures_of_no_joint((64, 64, 3), rng, each=2)
    assert {len(patches) for patches in found.values()} == {2 * len(EXTENTS)}
    assert all(patches.shape[1:] == (64, 64, 3) for patches in found.values())


def conv(name: str, given: int, inner: int, filters: int, stride: int) -> Conv2d:
    kernel = rng.normal(size=(3, 3, inner, filters)).astype(np.float32)
    return Conv2d(name, (given,), kernel, np.zeros(filters, np.float32), "relu", (stride, stride), same=True)


def ending(given: int, places: int) -> tuple[Reduce, MatMul]:
    mean = Reduce("mean", (given,), "mean", (1, 2), keep=False)
    return mean, MatMul("thermometer", (places - 1,), 0, np.zeros(32, np.float32), "relu6")


def test_features_are_the_last_means_of_every_size_and_change_no_reading() -> None:
    matrices = (rng.normal(size=(32, 7)).astype(np.float32),)
    ops = (
        conv("a", -1, 2, 3, 2),
        conv("b", 0, 3, 5, 2),
        conv("c", 1, 5, 5, 1),
        conv("d", 2, 5, 7, 2),
        *ending(3, 5),
    )
    program = Program((32, 32, 2), ops, matrices, HEAD)
    patches = rng.integers(0, 256, (6, 32, 32, 2)).astype(np.uint8)
    inputs = patches.astype(np.float32) / 255
    after = with_features(program, patches)
    readings, features = (np.asarray(values) for values in outputs(after, inputs))
    assert np.array_equal(readings, np.asarray(run(program, inputs)))
    means = [np.asarray(trace(program, inputs)[place]).mean(axis=(1, 2)) for place in (0, 2, 3)]
    assert features.shape == (6, 3 + 5 + 7)
    for part, mean in zip(np.split(features, [3, 8], axis=1), means, strict=True):
        reach = mean.max(axis=0)
        assert np.allclose(part, 3 * mean / np.maximum(reach, 0.05 * reach.max()), atol=1e-4)


def test_of_slices_that_go_one_by_one_the_mean_counts() -> None:
    first = conv("a", 0, 1, 4, 2)
    ops = (
        Channels("s0", (-1,), 0, 1),
        Channels("s1", (-1,), 1, 2),
        Stack("both", (0, 1)),
        Conv2d("a", (2,), first.kernel, first.bias, "relu", (2, 2), same=True),
        Reduce("mean", (3,), "mean", (1, 2), keep=False),
        Step("last", (4,), 1, 2),
        MatMul("thermometer", (5,), 0, np.zeros(32, np.float32), "relu6"),
    )
    program = Program((16, 16, 2), ops, (rng.normal(size=(32, 4)).astype(np.float32),), HEAD)
    patches = rng.integers(0, 256, (5, 16, 16, 2)).astype(np.uint8)
    inputs = patches.astype(np.float32) / 255
    _, features = (np.asarray(values) for values in outputs(with_features(program, patches), inputs))
    rows = np.asarray(trace(program, inputs)[3]).mean(axis=(1, 2))
    reach = rows.max(axis=0)
    wanted = 3 * (rows[:5] + rows[5:]) / 2 / np.maximum(reach, 0.05 * reach.max())
    assert np.allclose(features[:, -4:], wanted, atol=1e-4)


def lot_of(boards: dict[str, str]) -> LabelledLot:
    """Two joints of each board; by serial, the boards' types."""
    rows = tuple(
        TruthRow(serial, f"J1.{pin}", board_type, "normal", 0, serial=serial, slices=1)
        for serial, board_type in boards.items()
        for pin in range(2)
    )
    patches = np.zeros((len(rows), 2, 2, 6), np.uint8)
    lot = LabelledLot("lot", "", PatchFiles([lambda: patches], [len(rows)]), np.arange(len(rows)), rows)
    return lot if lot.names_types else lot.kept_apart("serial")


@pytest.mark.parametrize(
    ("boards", "apart"),
    [
        ({"S1": "MB-1", "S2": "MB-1", "S3": "MB-2", "S4": "MB-3"}, "board type"),
        ({"S1": "MB-1", "S2": "MB-1", "S3": "MB-1"}, "serial"),
        ({"S1": "", "S2": "", "S3": ""}, "serial"),
        ({"S1": "MB-1"}, ""),
    ],
)
def test_what_sets_the_limit_shares_as_little_as_the_lot_lets_it(boards: dict[str, str], apart: str) -> None:
    lot = lot_of(boards)
    learning, limiting = halves(lot)
    assert kept_apart_by((learning,), limiting) == apart
    assert {*learning.rows, *limiting.rows} == {*lot.rows}
    if apart:
        assert len(learning.rows) + len(limiting.rows) == len(lot.rows)
        assert not {row.serial for row in learning.defect_rows} & {row.serial for row in limiting.defect_rows}


def test_boards_that_it_calibrated_on_are_not_called_new() -> None:
    lot = lot_of({"S1": "MB-1", "S2": "MB-2"})
    learning, limiting = halves(lot)
    assert kept_apart_by((lot, learning), limiting) == ""
