"""A lot as patches and labels: read, cropped and labelled through the device's own code.

Patches stay on disk and are read as they are asked for, so that memory does not grow with the lot; only the truth, some
hundred bytes a joint, is held.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from convert.optical.truth import QualityRow, read_quality_truth
from convert.simulator.lot import LOT, SHARDS, Shard, read_lot_file
from convert.simulator.plan import TRUTH, TruthRow, read_truth
from convert.training_plan import Balance
from edge.adapters.images import read_slice
from edge.core.errors import UsageError
from edge.core.features import FeatureSpec
from edge.core.intake import Spec, input_shape, prepared
from edge.core.job import Job, Joint, parse_manifest
from edge.core.preprocess import Slices
from edge.files import digest_file
from edge.scene import read_view

Labels = NDArray[np.int64]
Patches = NDArray[np.uint8]
Positions = NDArray[np.int64]
Tick = Callable[[int], None]
Row = TruthRow | QualityRow
"""The truth of one joint: of an X-ray lot, or of an optical one."""
R = TypeVar("R", TruthRow, QualityRow, Row)

_OPEN_FILES = 64


class PatchFiles:
    """Patches on disk, in files that are mapped, not read: uint8 (n, size, size, channels) each."""

    def __init__(self, parts: Sequence[Callable[[], Patches]], counts: Sequence[int]) -> None:
        """``parts`` open a file each, with as many patches as ``counts`` says; few are open at a time."""
        self._open = lru_cache(maxsize=_OPEN_FILES)(lambda number: parts[number]())
        self._counts = counts
        self._ends = np.cumsum(counts)

    def take(self, positions: Positions) -> Patches:
        """The patches at these positions, in this order, in memory."""
        taken = np.empty((len(positions), *self._open(0).shape[1:]), np.uint8)
        owners = np.searchsorted(self._ends, positions, side="right")
        for i, (position, owner) in enumerate(zip(positions, owners.tolist(), strict=True)):
            taken[i] = self._open(owner)[position - (self._ends[owner] - self._counts[owner])]
        return taken


@dataclass(frozen=True)
class LabelledLot:
    """Joints of a lot. ``labels``: 1 defect, 0 normal; ``rows``: the truth; ``index``: the places of their patches."""

    name: str
    digest: str
    files: PatchFiles
    index: Positions
    rows: tuple[Row, ...]

    @cached_property
    def labels(self) -> Labels:
        return np.array([row.label for row in self.rows], np.int64)

    @property
    def truth_digest(self) -> str:
        """Of which joints these are and how they are labelled.

        Unlike ``digest`` it does not depend on pixels, which another kind of processor may round otherwise.
        """
        named = [(row.job_id, row.joint, row.board_type, row.truth, row.label, row.slices) for row in self.rows]
        return "sha256:" + hashlib.sha256(repr(named).encode()).hexdigest()

    @property
    def board_types(self) -> NDArray[np.str_]:
        return np.array([row.board_type for row in self.rows])

    @property
    def defect_rows(self) -> tuple[TruthRow, ...]:
        """The truth of a lot of X-ray joints. Raises UsageError for one that was graded."""
        rows = tuple(row for row in self.rows if isinstance(row, TruthRow))
        if len(rows) != len(self.rows):
            raise UsageError(f"{self.name}: its joints were graded; name a lot of defects and normals")
        return rows

    @property
    def quality_rows(self) -> tuple[QualityRow, ...]:
        """The truth of a lot of optical joints. Raises UsageError for one that no expert graded."""
        rows = tuple(row for row in self.rows if isinstance(row, QualityRow))
        if len(rows) != len(self.rows):
            raise UsageError(f"{self.name}: holds joints that no expert graded; name a lot of optical images")
        return rows

    @property
    def patches(self) -> Patches:
        """All patches, in memory."""
        return self.files.take(self.index)

    def take(self, chosen: Positions) -> Patches:
        """The patches of some of the lot's joints."""
        return self.files.take(self.index[chosen])

    def batches(self, size: int) -> Iterator[Patches]:
        """All patches in order, ``size`` at a time."""
        for start in range(0, len(self.index), size):
            yield self.files.take(self.index[start : start + size])

    def subset(self, chosen: Positions, name: str) -> LabelledLot:
        return LabelledLot(name, self.digest, self.files, self.index[chosen], tuple(self.rows[i] for i in chosen))


def load_lot(lot: Path, spec: Spec, tick: Tick = lambda _: None) -> LabelledLot:
    """Open a lot with truth, of job folders or of patches; ``tick`` is told of each part's number of joints.

    Raises UsageError for a lot without truth, or of patches made otherwise; JobRefused for a broken manifest.
    """
    if (lot / LOT).exists():
        return _load_patches(lot, spec, tick)
    if (lot / SHARDS).exists():
        raise UsageError(
            f"{lot}: has {SHARDS} but no {LOT}: its simulation was interrupted; remove it and simulate anew"
        )
    return _load_jobs(lot, spec, tick)


def _load_patches(lot: Path, spec: Spec, tick: Tick) -> LabelledLot:
    about = read_lot_file(lot)
    if about.preprocess != spec:
        raise UsageError(f"{lot / LOT}: its patches were not cut as asked for; name a lot of job folders")
    rows = tuple(read_truth(lot).values())
    for shard in about.shards:
        _require_whole(lot / SHARDS / shard.file, shard)
        tick(shard.joints)
    counts = [shard.joints for shard in about.shards]
    if not counts or sum(counts) != len(rows):
        raise UsageError(f"{lot}: {TRUTH} and {LOT} do not agree on the number of joints; simulate the lot anew")
    digest = hashlib.sha256((lot / TRUTH).read_bytes() + (lot / LOT).read_bytes()).hexdigest()
    files = PatchFiles([partial(_mapped, lot / SHARDS / shard.file) for shard in about.shards], counts)
    return LabelledLot(lot.name, "sha256:" + digest, files, np.arange(len(rows)), rows)


def _require_whole(path: Path, shard: Shard) -> None:
    """Raises UsageError for a shard that is not the one that was written."""
    try:
        found = digest_file(path)
    except OSError as error:
        raise UsageError(f"{path}: not readable ({error.strerror}); simulate the lot anew") from error
    if found != shard.sha256:
        raise UsageError(f"{path}: is not the shard that {LOT} names (sha256); simulate the lot anew")


def _mapped(path: Path) -> Patches:
    mapped: Patches = np.load(path, mmap_mode="r")
    return mapped


def _load_jobs(lot: Path, spec: Spec, tick: Tick) -> LabelledLot:
    truth, rows = truth_of(lot, spec), list[Row]()
    reading = JobReading(lot)
    # Unlinked at once: the mapping keeps the patches on disk for as long as they are used.
    with tempfile.TemporaryFile(prefix="axi-patches-") as store:
        for slices, joint, row in reading.joints(spec, truth, tick):
            store.write(prepared(spec, slices, joint.roi).patch.tobytes())
            rows.append(row)
        store.flush()
        patches = np.memmap(store, np.uint8, "r", shape=(len(rows), *input_shape(spec)))
    files = PatchFiles([lambda: patches], [len(rows)])
    return LabelledLot(lot.name, reading.digest, files, np.arange(len(rows)), tuple(rows))


def truth_of(lot: Path, spec: Spec) -> Mapping[tuple[str, str], Row]:
    """(job_id, joint) -> truth, of the kind that ``spec`` is for. Raises UsageError when the lot has none of it."""
    return read_quality_truth(lot) if isinstance(spec, FeatureSpec) else read_truth(lot)


class JobReading:
    """The job folders of a lot, read as the device reads them. ``digest``: of truth and manifests, once read."""

    def __init__(self, lot: Path) -> None:
        self._lot = lot
        self._digest = hashlib.sha256((lot / TRUTH).read_bytes())

    @property
    def digest(self) -> str:
        return "sha256:" + self._digest.hexdigest()

    def joints(self, spec: Spec, truth: Mapping[tuple[str, str], R], tick: Tick) -> Iterator[tuple[Slices, Joint, R]]:
        """Every joint that has truth, with its view's slices. ``tick`` is told of each view's number of them.

        Raises as ``views`` does, and UsageError where no joint has truth.
        """
        found = 0
        for job, slices, joints in self.views(spec):
            known = [joint for joint in joints if (job.job_id, joint.id) in truth]
            yield from ((slices, joint, truth[job.job_id, joint.id]) for joint in known)
            tick(len(known))
            found += len(known)
        if not found:
            raise UsageError(f"{self._lot}: no joint of its job folders appears in {TRUTH}; name a whole lot")

    def views(self, spec: Spec) -> Iterator[tuple[Job, Slices, tuple[Joint, ...]]]:
        """Every view's slices, as ``spec`` wants them, and its joints.

        Raises UsageError for a folder that is no job or a view that cannot be judged, JobRefused for a broken manifest.
        """
        for folder in sorted(path for path in self._lot.iterdir() if path.is_dir()):
            raw = _manifest(folder)
            self._digest.update(raw)
            job = parse_manifest(raw, source=str(folder / "manifest.json")).job
            for view in job.views:
                slices, trouble = read_view(job, view, folder, read_slice, spec)
                if trouble is not None:
                    raise UsageError(
                        f"{folder}: view {view.id}: {trouble.value}; repair the lot before learning from it"
                    )
                yield job, slices, job.joints_of(view)


def _manifest(folder: Path) -> bytes:
    try:
        return (folder / "manifest.json").read_bytes()
    except OSError as error:
        raise UsageError(f"{folder}: no readable manifest.json ({error.strerror}); remove what is no job") from error


class ByBoardType(Protocol):
    """A lot that can be split."""

    @property
    def name(self) -> str: ...

    @property
    def board_types(self) -> NDArray[np.str_]: ...

    def subset(self, chosen: Positions, name: str) -> Self: ...


L = TypeVar("L", bound=ByBoardType)


def split_by_board_type(lot: L, share: float, seed: int) -> tuple[L, L]:
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


def require_both_classes(lot: LabelledLot) -> None:
    """Raises UsageError for a lot of defects or of normals only: nothing can be measured on it."""
    if len(set(lot.labels.tolist())) < 2:
        raise UsageError(f"{lot.name}: holds one class only; name a lot with defects and normals")


def require_unseen(lot: ByBoardType, other: ByBoardType) -> None:
    """Raises UsageError when two lots that must be kept apart share a board type."""
    common = sorted(set(lot.board_types) & set(other.board_types))
    if common:
        raise UsageError(
            f"{lot.name} and {other.name} share board type {common[0]}; keep board types apart "
            "(simulate one of them with another --first-type)"
        )


def balanced(lot: LabelledLot, balance: Balance, seed: int) -> LabelledLot:
    """As many defects as normals: with fewer normals (Zhang et al., section V), or with defects repeated.

    A lot that has more defects than normals gives up defects instead. Repeating suits lots too small to throw anything
    away. Raises UsageError unless both classes are there.
    """
    defects, normals = np.flatnonzero(lot.labels == 1), np.flatnonzero(lot.labels == 0)
    if not len(defects) or not len(normals):
        raise UsageError(f"{lot.name}: {len(defects)} defects and {len(normals)} normals; both are needed to train")
    if balance == "repeat-defects":
        defects = np.resize(defects, max(len(normals), len(defects)))
    else:
        rng, fewer = np.random.default_rng(seed), min(len(normals), len(defects))
        normals = rng.choice(normals, fewer, replace=False)
        defects = defects if len(defects) == fewer else rng.choice(defects, fewer, replace=False)
    return lot.subset(np.sort(np.concatenate([defects, normals])), f"{lot.name}, balanced")
