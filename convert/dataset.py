"""A lot as arrays: read, cropped and labelled through the device's own code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convert.simulator.lot import TRUTH, TruthRow, read_truth
from edge.adapters.images import read_slice
from edge.core.errors import UsageError
from edge.core.job import Job, View, parse_manifest
from edge.core.preprocess import Grey, Patch, PreprocessSpec, prepare
from edge.inspection import read_view

Labels = NDArray[np.int64]
Balance = Literal["fewer-normals", "repeat-defects"]


@dataclass(frozen=True)
class LabelledLot:
    """``patches``: uint8 (n, size, size, channels); ``labels``: 1 defect, 0 normal; ``rows``: the truth, in order."""

    name: str
    digest: str
    patches: NDArray[np.uint8]
    labels: Labels
    rows: tuple[TruthRow, ...]

    def subset(self, chosen: NDArray[np.int64], name: str) -> LabelledLot:
        rows = tuple(self.rows[i] for i in chosen)
        return LabelledLot(name, self.digest, self.patches[chosen], self.labels[chosen], rows)

    @property
    def board_types(self) -> NDArray[np.str_]:
        return np.array([row.board_type for row in self.rows])


def load_lot(lot: Path, spec: PreprocessSpec, tick: Callable[[int], None] = lambda _: None) -> LabelledLot:
    """Read every joint of a lot that has truth; ``tick`` is told of each view's number of joints.

    Raises UsageError for a lot without truth, JobRefused for a broken manifest.
    """
    truth = read_truth(lot)
    patches: list[Patch] = []
    rows: list[TruthRow] = []
    digest = hashlib.sha256((lot / TRUTH).read_bytes())
    for folder in sorted(path for path in lot.iterdir() if path.is_dir()):
        raw = _manifest(folder)
        digest.update(raw)
        job = parse_manifest(raw, source=str(folder / "manifest.json")).job
        for view in job.views:
            slices = _slices(job, view, folder, spec)
            known = [joint for joint in job.joints_of(view) if (job.job_id, joint.id) in truth]
            for joint in known:
                patches.append(prepare(spec, slices, joint.roi))
                rows.append(truth[job.job_id, joint.id])
            tick(len(known))
    if not patches:
        raise UsageError(f"{lot}: no joint of its job folders appears in {TRUTH}; name a whole lot")
    labels = np.array([row.label for row in rows], np.int64)
    return LabelledLot(lot.name, "sha256:" + digest.hexdigest(), np.stack(patches), labels, tuple(rows))


def _manifest(folder: Path) -> bytes:
    try:
        return (folder / "manifest.json").read_bytes()
    except OSError as error:
        raise UsageError(f"{folder}: no readable manifest.json ({error.strerror}); remove what is no job") from error


def _slices(job: Job, view: View, folder: Path, spec: PreprocessSpec) -> dict[int, Grey]:
    slices, trouble = read_view(job, view, folder, read_slice, spec)
    if trouble is not None:
        raise UsageError(f"{folder}: view {view.id}: {trouble.value}; repair the lot before learning from it")
    return slices


def split_by_board_type(lot: LabelledLot, share: float, seed: int) -> tuple[LabelledLot, LabelledLot]:
    """Training and validation sides with no board type in common (Zhang et al., section V).

    ``share`` of the board types, at least one, go to validation. Raises UsageError for fewer than two types.
    """
    types = sorted(set(lot.board_types))
    if len(types) < 2:
        raise UsageError(f"{lot.name}: one board type only ({types[0]}); unseen-board validation needs two or more")
    shuffled = np.random.default_rng(seed).permutation(types)
    held_out = shuffled[: min(len(types) - 1, max(1, round(share * len(types))))]
    inside = np.isin(lot.board_types, held_out)
    return (
        lot.subset(np.flatnonzero(~inside), f"{lot.name}/train"),
        lot.subset(np.flatnonzero(inside), f"{lot.name}/validation"),
    )


def balanced(lot: LabelledLot, balance: Balance, seed: int) -> LabelledLot:
    """As many defects as normals: with fewer normals (Zhang et al., section V), or with defects repeated.

    Repeating suits lots too small to throw anything away. Raises UsageError unless both classes are there.
    """
    defects, normals = np.flatnonzero(lot.labels == 1), np.flatnonzero(lot.labels == 0)
    if not len(defects) or not len(normals):
        raise UsageError(f"{lot.name}: {len(defects)} defects and {len(normals)} normals; both are needed to train")
    if balance == "repeat-defects":
        defects = np.resize(defects, max(len(normals), len(defects)))
    else:
        normals = np.random.default_rng(seed).choice(normals, min(len(normals), len(defects)), replace=False)
    return lot.subset(np.sort(np.concatenate([defects, normals])), f"{lot.name}, balanced")


def as_floats(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Patches as the Keras networks take them: (n, size, size, channels, 1) in [0, 1]."""
    scaled: NDArray[np.float32] = patches[..., np.newaxis].astype(np.float32) / np.float32(255)
    return scaled
