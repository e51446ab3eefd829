"""Pictures of no joint through the bundle that ships, as job folders: hardly any may be called normal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib import cbook

from convert.conversion.familiarity import pictures_of_no_joint
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.bundle.shipped import WORD, bundle_folder
from edge.core.job import Board, Job, Joint, Roi, SliceFile, View, encode_manifest
from edge.core.verdict import Call, Reason, Verdict
from edge.jobs.folder import open_folder, read_job
from edge.judging.judge import Judge
from edge.judging.loading import load_models
from edge.judging.messages import Choice, Load
from edge.judging.ports import Batch, views_of
from tests.support.real_bga import DATA, write_lot

pytestmark = pytest.mark.slow

_SIDE, _ACROSS, _SLICES = 128, 6, 4
Patches = np.ndarray
rng = np.random.default_rng(2026)


@pytest.fixture(scope="module")
def judge() -> Judge:
    choice = Choice(bundle=str(bundle_folder(WORD)).encode())
    return load_models(Load(choices=(choice,))).judge


def verdicts(judge: Judge, folder: Path) -> list[Verdict]:
    job, _ = read_job(open_folder(folder))
    return list(judge.views(Batch(job, folder, views_of(job)), lambda: None))


def tiled(parent: Path, name: str, pictures: Patches) -> Iterator[Path]:
    """Job folders whose views show pictures (n, side, side, slices) beside each other, a box a picture."""
    each = _ACROSS * _ACROSS
    for number, start in enumerate(range(0, len(pictures), each)):
        folder = parent / f"{name}-{number}"
        folder.mkdir()
        some = pictures[start : start + each]
        frames = np.zeros((_ACROSS * _SIDE, _ACROSS * _SIDE, _SLICES), np.uint8)
        joints = []
        for place, picture in enumerate(some):
            y, x = (part * _SIDE for part in divmod(place, _ACROSS))
            frames[y : y + _SIDE, x : x + _SIDE] = picture[..., :_SLICES]
            box = Roi(x + 21, y + 21, x + 106, y + 106)  # whose crop is the picture, but for a pixel
            joints.append(Joint(id=f"J{place}", type="PTH", view="v", roi=box))
        files = tuple(SliceFile(index=index, file=f"{index}.png") for index in range(_SLICES))
        for part in files:
            (folder / part.file).write_bytes(cv2.imencode(".png", frames[..., part.index])[1].tobytes())
        view = View(id="v", slices=files)
        job = Job(
            schema="axi-job/1",
            job_id=folder.name,
            created=time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            board=Board(serial="S", type="T"),
            views=(view,),
            joints=tuple(joints),
        )
        (folder / "manifest.json").write_bytes(encode_manifest(job))
        yield folder


def noisy(pictures: Patches) -> Patches:
    """As a camera would store them: another noise in every slice."""
    noise = rng.choice([0.6, 1.5, 4.0], (len(pictures), 1, 1, 1)) * rng.normal(size=pictures.shape)
    return np.clip(np.rint(pictures + noise), 0, 255).astype(np.uint8)


def photographs(count: int) -> Patches:
    path = str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    photograph = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    found = np.zeros((count, _SIDE, _SIDE, _SLICES), np.uint8)
    for number in range(count):
        size = (40, 90, 200)[number % 3]
        for index in range(_SLICES):
            y, x = (int(rng.integers(0, side - size)) for side in photograph.shape)
            part = photograph[y : y + size, x : x + size]
            found[number, ..., index] = cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return found


def test_pictures_of_no_joint_are_not_released(judge: Judge, tmp_path: Path) -> None:
    kinds = dict(pictures_of_no_joint((_SIDE, _SIDE, _SLICES), rng, each=90)) | {"photographs": photographs(270)}
    said = {
        kind: Counter(
            (verdict.decision.call, verdict.decision.reason)
            for folder in tiled(tmp_path, kind, noisy(pictures))
            for verdict in verdicts(judge, folder)
        )
        for kind, pictures in kinds.items()
    }
    for kind, calls in said.items():
        told = ", ".join(f"{call} {reason or ''} {count}" for (call, reason), count in sorted(calls.items(), key=str))
        print(f"{kind}: {told}")
    total = sum(sum(calls.values()) for calls in said.values())
    released = {kind: calls[Call.NORMAL, None] for kind, calls in said.items()}
    assert total >= 3_000
    assert sum(released.values()) <= 0.001 * total, "none is wanted: two plain ones were measured"
    assert released["photographs"] == 0


def test_one_picture_for_all_slices_is_no_view(judge: Judge, tmp_path: Path) -> None:
    kinds = pictures_of_no_joint((_SIDE, _SIDE, _SLICES), rng, each=12)
    for folder in tiled(tmp_path, "same", np.concatenate(list(kinds.values()))):
        assert {verdict.decision.reason for verdict in verdicts(judge, folder)} == {Reason.SLICE_REPEATED}


def test_joints_of_unseen_board_types_are_familiar(judge: Judge, tmp_path: Path) -> None:
    plan = LotPlan(boards=80, joints=1_600, seed=77, types=40, first_type=7_000)
    assert sum(simulate_lot(tmp_path / "lot", plan)) == plan.joints
    folders = sorted(path for path in (tmp_path / "lot").iterdir() if path.is_dir())
    reasons = Counter(verdict.decision.reason for folder in folders for verdict in verdicts(judge, folder))
    print(reasons)
    assert set(reasons) <= {None, Reason.UNFAMILIAR}
    assert reasons[Reason.UNFAMILIAR] <= 0.02 * plan.joints


@pytest.mark.skipif(
    not DATA.exists(), reason="the real BGA images are not beside this checkout (../shared/data/real-bga)"
)
def test_real_balls_are_no_through_hole_joints(judge: Judge, tmp_path: Path) -> None:
    write_lot(tmp_path / "balls")
    calls = Counter[str]()
    for manifest in (tmp_path / "balls").glob("*/manifest.json"):
        manifest.write_text(manifest.read_text().replace('"BGA"', '"PTH"'))  # as if the machine said so
        calls.update(verdict.decision.call for verdict in verdicts(judge, manifest.parent))
    print(calls)
    assert calls.total() == 200
    assert calls[Call.NORMAL] <= 0.05 * calls.total()
