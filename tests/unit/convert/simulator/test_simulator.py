from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.lots.truth import TruthRow, read_truth
from convert.simulator.boards import BoardView
from convert.simulator.difficulty import DIFFICULTIES
from convert.simulator.plan import LotPlan
from convert.simulator.xray.board import board_views
from convert.simulator.xray.board_type import BoardType, board_type
from convert.simulator.xray.joint import Solder, Truth, Void, draw_solder
from convert.simulator.xray.lot import simulate_lot
from convert.simulator.xray.optics import Detector, blur, expose, slice_at, transmissions
from convert.simulator.xray.view import simulate_view
from convert.simulator.xray.volume import PlacedJoint, Slab, board_integral, build_volume
from edge.core.errors import UsageError
from edge.core.job import parse_manifest

KIND = replace(
    board_type(0, 0),
    thickness_mm=1.6,
    drill_mm=1.1,
    plating_mm=0.03,
    pin_mm=0.4,
    square_pin=False,
    pin_below_mm=0.0,
    pin_above_mm=0.0,
    planes=(),
    solder="SAC305",
    energy_kev=80,
    pixel_mm=0.025,
)


def transmission_at(kind: BoardType, solder: Solder, x_mm: float) -> float:
    """Vertical transmission of a lone joint, ``x_mm`` from its axis; no trace and no component in the way."""
    centre, shape = 100, (201, 201)
    placed = [PlacedJoint(centre, centre, solder)]
    slabs = build_volume(kind, placed, shape, np.random.default_rng(0), clutter=0.0, step_mm=0.02)
    optics = {"tilt_deg": 0.0, "azimuths": 1, "pixel_mm": kind.pixel_mm}
    (image,) = transmissions(slabs, shape, background=board_integral(kind), **optics)
    return float(image[centre, centre + round(x_mm / kind.pixel_mm)])


@pytest.mark.parametrize("fill", [1.0, 0.75, 0.5, 0.0])
def test_transmission_through_the_barrel_follows_beer_and_lambert(fill: float) -> None:
    """Between pin and wall: exp(-2.22/mm x fill x 1.6 mm)."""
    solder = Solder(fill=fill, lean=0, lean_angle=0, wetting=0, voids=(), bridge=None)
    assert transmission_at(KIND, solder, 0.35) == pytest.approx(np.exp(-2.22 * fill * 1.6), rel=0.02)


def test_transmission_of_pin_board_and_planes() -> None:
    empty = Solder(fill=0, lean=0, lean_angle=0, wetting=0, voids=(), bridge=None)
    assert transmission_at(KIND, empty, 0.0) == pytest.approx(np.exp(-0.68 * 1.6), rel=0.02)
    assert transmission_at(KIND, empty, 2.0) == pytest.approx(np.exp(-0.036 * 1.6), rel=0.02)
    planes = replace(KIND, planes=(0.3, 0.6))
    assert transmission_at(planes, empty, 2.0) == pytest.approx(np.exp(-0.036 * 1.6 - 0.68 * 0.07), rel=0.01)
    assert transmission_at(planes, empty, 0.35) == pytest.approx(1.0, rel=0.01), "no plane inside a hole"


def test_an_eccentric_pin_stands_where_it_is_said_to() -> None:
    off = Solder(fill=0, lean=0, lean_angle=0, wetting=0, voids=(), bridge=None, pin_at=(0.25, 0.0))
    assert transmission_at(KIND, off, 0.25) == pytest.approx(np.exp(-0.68 * 1.6), rel=0.02)
    assert transmission_at(KIND, off, -0.1) == pytest.approx(1.0, rel=0.01)


def test_a_point_off_the_plane_smears_into_a_ring_of_the_right_radius() -> None:
    """0.8 mm above the plane at 30 degrees: radius 0.8 x tan(30) = 0.46 mm."""
    layer = np.full((1, 1), 50.0, np.float32)
    optics = {"tilt_deg": 30.0, "pixel_mm": 0.01}
    projections = transmissions([Slab(layer, 80, 80, 0.75, 0.1)], (161, 161), azimuths=64, **optics)
    sharp = slice_at(projections, 0.8, **optics)
    ring = slice_at(projections, 0.0, **optics)
    assert sharp[80, 80] < 0.01
    inside = slice(50, 111)  # a shifted slice is whole only where every projection reaches
    assert (1 - sharp[inside, inside]).sum() == pytest.approx((1 - ring).sum(), rel=1e-3)
    rows, columns = np.nonzero(ring < 0.995)
    radii = np.hypot(rows - 80, columns - 80) * 0.01
    assert np.mean(radii) == pytest.approx(0.8 * np.tan(np.radians(30)), abs=0.01)
    assert np.ptp(radii) < 0.03


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 2.5), st.tuples(st.integers(24, 60), st.integers(24, 60)))
def test_the_blur_moves_energy_and_makes_none(seed: int, sigma: float, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(seed).random(shape, np.float32)
    assert blur(image, sigma).sum() == pytest.approx(image.sum(), rel=1e-5)


def test_intensities_are_averaged_not_logarithms() -> None:
    projections = [np.full((4, 4), 1.0, np.float32), np.full((4, 4), 0.01, np.float32)]
    assert slice_at(projections, 0.0, tilt_deg=30, pixel_mm=0.02)[0, 0] == pytest.approx(0.505)


def test_exposure_keeps_the_mean_and_its_noise_follows_the_counts() -> None:
    rng = np.random.default_rng(1)
    flat = np.full((256, 256), 0.5, np.float32)
    image = expose(flat, rng, Detector(counts=900, blur_px=0.8, scatter=0.1)).astype(float)
    assert image.mean() == pytest.approx(0.5 * 235 + 6, rel=0.01)
    assert image.std() == pytest.approx(235 * np.sqrt(0.5 / 900), rel=0.05)


@pytest.mark.parametrize(
    ("truth", "changes"),
    [
        (Truth.NORMAL, {}),
        (Truth.MISSING, {"fill": 0.0}),
        (Truth.INSUFFICIENT, {"fill": 0.74}),
        (Truth.SHORT, {"bridge": (2.54, 0.0)}),
        (Truth.SHORT, {"bridged": True}),
        (Truth.VOIDED, {"voids": (Void(0.0, 0.8, 1.4, 0.75),)}),
        (Truth.VOIDED, {"fill": 0.8, "voids": (Void(0.0, 0.6, 0.8, 0.3),)}),
    ],
)
def test_the_label_follows_from_the_physics(truth: Truth, changes: dict[str, object]) -> None:
    sound = Solder(fill=0.95, lean=0.05, lean_angle=0, wetting=1, voids=(), bridge=None)
    assert replace(sound, **changes).truth(KIND) is truth


def test_a_drawn_joint_is_of_the_wanted_class_on_every_board_type() -> None:
    rng = np.random.default_rng(5)
    for number in range(40):
        kind = board_type(9, number)
        for truth in Truth:
            assert draw_solder(kind, truth, rng, [(kind.pitch_mm, 0.0)]).truth(kind) is truth


def test_a_bridge_shorts_both_its_ends() -> None:
    kind, bridges = replace(board_type(1, 3), defect_mix=(0.1, 0.2, 0.6, 0.1)), 0
    for seed in range(6):
        joints = simulate_view(kind, 8, 0.9, np.random.default_rng(seed), DIFFICULTIES["easy"], (512, 512)).joints
        centres = [np.array([o.roi.xmin + o.roi.xmax, o.roi.ymin + o.roi.ymax]) / 2 for o in joints]
        for joint, centre in zip(joints, centres, strict=True):
            if joint.solder.bridge is not None:
                far = centre + np.array(joint.solder.bridge) / kind.pixel_mm
                nearest = int(np.argmin([np.hypot(*(other - far)) for other in centres]))
                assert joint.truth is joints[nearest].truth is Truth.SHORT
                bridges += 1
    assert bridges >= 5


def test_less_solder_is_brighter_in_the_barrel() -> None:
    kind = replace(board_type(1, 3), rows=2, polarity="solder_dark")
    shades: dict[Truth, list[float]] = {truth: [] for truth in Truth}
    for seed in range(3):
        view = simulate_view(kind, 10, 0.6, np.random.default_rng(seed), frame=(768, 768))
        image = np.mean(view.slices, axis=0)
        for joint in view.joints:
            if joint.roi_right:
                box = joint.roi
                shades[joint.truth].append(image[box.ymin : box.ymax, box.xmin : box.xmax].mean())
    assert np.mean(shades[Truth.MISSING]) > np.mean(shades[Truth.NORMAL]) + 20


def _views(*, alike: bool) -> list[list[BoardView[TruthRow]]]:
    """Those of two boards of a type with much around its connector."""
    number = next(n for n in range(100) if board_type(3, n).components > 5 and board_type(3, n).traces > 5)
    plan = LotPlan(boards=2, joints=8, seed=3, types=1, first_type=number, alike=alike)
    return [list(board_views(plan, board)) for board in range(2)]


def test_boards_that_are_alike_come_from_one_drawing() -> None:
    def likeness(boards: list[list[BoardView[TruthRow]]]) -> float:
        """Of what lies below the connector; without what changes slowly over the picture, which is the detector's."""
        below = [cv2.GaussianBlur(view.images[0][450:].astype(np.float32), (0, 0), 3) for (view,) in boards]
        fine = [picture - cv2.GaussianBlur(picture, (0, 0), 30) for picture in below]
        return float(np.corrcoef(*(picture.ravel() for picture in fine))[0, 1])

    alike, anew = _views(alike=True), _views(alike=False)
    assert alike[0][0].view == alike[1][0].view
    assert anew[0][0].view.id != anew[1][0].view.id
    assert not np.array_equal(alike[0][0].images[0], alike[1][0].images[0]), "other solder, other noise"
    assert likeness(alike) > 0.5
    assert likeness(anew) < 0.2


def test_a_lot_holds_exactly_the_joints_asked_for_and_repeats_byte_for_byte(tmp_path: Path) -> None:
    plan = LotPlan(boards=3, joints=14, seed=4, types=2, defect_share=0.5)
    for name in ("one", "two"):
        assert sum(simulate_lot(tmp_path / name, plan, workers=1)) == 14
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes() for path in files)
    truth = read_truth(tmp_path / "one")
    named = set()
    for manifest in (tmp_path / "one").glob("*/manifest.json"):
        parsed = parse_manifest(manifest.read_bytes())
        assert parsed.unknown_keys == ()
        named |= {(parsed.job.job_id, joint.id) for joint in parsed.job.joints}
    assert named == set(truth)
    assert len(named) == 14
    with pytest.raises(UsageError, match="holds something already"):
        list(simulate_lot(tmp_path / "one", plan))


@pytest.mark.parametrize("plan", [{"boards": 0}, {"boards": 9, "joints": 8}, {"defect_share": 1.2}, {"types": 0}])
def test_an_impossible_plan_is_refused(plan: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        LotPlan(**{"boards": 2, "joints": 8, "seed": 0, "types": 1, **plan})
