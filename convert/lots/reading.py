"""A lot as patches and labels: read, cropped and labelled through the device's own code.

Patches stay on disk and are read as they are asked for, so that memory does not grow with the lot; only the truth, some
hundred bytes a joint, is held.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from convert.lots.graded_truth import GradedRow, is_graded, read_graded_truth
from convert.lots.lot import LabelledLot, Row, completed
from convert.lots.patches import Patches, PatchFiles
from convert.lots.shards import LOT, SHARDS, Shard, read_lot_file
from convert.lots.table import TRUTH
from convert.lots.truth import TruthRow, read_truth
from edge.core.errors import UsageError
from edge.core.features import FeatureSpec
from edge.core.intake import Spec
from edge.core.job import Job, Joint, View
from edge.core.preprocess import Slices
from edge.core.verdict import Reason
from edge.files import digest_file
from edge.jobs.folder import open_folder, read_job
from edge.judging.slices import read_slice
from edge.judging.view import read_view

Tick = Callable[[int], None]
R = TypeVar("R", TruthRow, GradedRow, Row)


def load_lot(lot: Path, spec: Spec, tick: Tick = lambda _: None) -> LabelledLot:
    """Open a lot with truth, of job folders or of patches; ``tick`` is told of each part's number of joints. Where
    joints name no board type, boards are what keeps it apart from others.

    Raises UsageError for a lot without truth, or of patches made otherwise; JobRefused for a broken manifest.
    """
    if (lot / LOT).exists():
        return _by_what_it_names(_load_patches(lot, spec, tick))
    if (lot / SHARDS).exists():
        raise UsageError(
            f"{lot}: has {SHARDS} but no {LOT}: its simulation was interrupted; remove it and simulate anew"
        )
    return _by_what_it_names(_load_jobs(lot, spec, tick))


def _by_what_it_names(lot: LabelledLot) -> LabelledLot:
    return lot if lot.names_types else lot.kept_apart("serial")


def _shape(spec: Spec) -> str:
    shape = " x ".join(map(str, spec.input_shape))
    return f"{shape} at a margin of {getattr(spec, 'margin', '-')}, {getattr(spec, 'polarity', '-')}"


def _load_patches(lot: Path, spec: Spec, tick: Tick) -> LabelledLot:
    about = read_lot_file(lot)
    if about.preprocess != spec:
        raise UsageError(
            f"{lot / LOT}: its patches are {_shape(about.preprocess)}, but {_shape(spec)} were asked for; name a lot "
            "of job folders, which are cut in any way"
        )
    rows = tuple(completed(row, about.preprocess.channels) for row in read_truth(lot).values())
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
    truth, reading, rows = read_any_truth(lot), JobReading(lot), list[Row]()
    _require_kind(lot, spec)
    # Unlinked at once: the mapping keeps the patches on disk for as long as they are used.
    with tempfile.TemporaryFile(prefix="axi-patches-") as store:
        for slices, joint, row in reading.joints(spec, truth, tick):
            store.write(spec.prepared(slices, joint.roi).patch.tobytes())
            rows.append(row)
        store.flush()
        patches = np.memmap(store, np.uint8, "r", shape=(len(rows), *spec.input_shape))
    files = PatchFiles([lambda: patches], [len(rows)])
    return LabelledLot(lot.name, reading.digest, files, np.arange(len(rows)), tuple(rows), reading.left_out)


def _require_kind(lot: Path, spec: Spec) -> None:
    """Raises UsageError for graded joints where defects are wanted, or the other way round."""
    graded, kinds = is_graded(lot), ("defects and normals", "graded joints")
    if graded != isinstance(spec, FeatureSpec):
        raise UsageError(f"{lot / TRUTH}: of {kinds[graded]}; name a lot of {kinds[not graded]}")


def read_any_truth(lot: Path) -> Mapping[tuple[str, str], Row]:
    """(job_id, joint) -> truth, of the kind that the lot has. Raises UsageError."""
    return read_graded_truth(lot) if is_graded(lot) else read_truth(lot)


_Name = tuple[str, str]
"""job_id and joint."""


class JobView(NamedTuple):
    """A view of a job in a lot. ``slices``: read as a spec wants them when they are asked for."""

    job: Job
    joints: tuple[Joint, ...]
    slices: Callable[[], Slices]


class JobReading:
    """The job folders of a lot, of every kind that the device reads, read as it reads them.

    ``digest``: of truth and jobs, once read; ``left_out``: a sentence for what was passed over, once ``joints`` are.
    """

    def __init__(self, lot: Path) -> None:
        self._lot = lot
        self._digest = hashlib.sha256((lot / TRUTH).read_bytes() if (lot / TRUTH).exists() else b"")
        self.left_out: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return "sha256:" + self._digest.hexdigest()

    def joints(self, spec: Spec, truth: Mapping[tuple[str, str], R], tick: Tick) -> Iterator[tuple[Slices, Joint, R]]:
        """Every joint that has truth, with its view's slices. ``tick`` is told of each view's number of them.

        Raises as ``views`` does, and UsageError where no joint has truth.
        """
        used, without, outside = set[_Name](), list[_Name](), list[_Name]()
        for view in self.views(spec):
            names = {joint.id: (view.job.job_id, joint.id) for joint in view.joints}
            known = [joint for joint in view.joints if names[joint.id] in truth]
            without += [name for name in names.values() if name not in truth]
            for joint in known:
                slices = view.slices()
                if spec.shows(joint.roi, next(iter(slices.values()))):
                    row = truth[names[joint.id]]
                    serial, day = view.job.board.serial, view.job.created[:10]
                    yield slices, joint, completed(row, len(slices), serial, day, joint.type)
                else:
                    outside.append(names[joint.id])
            used |= {names[joint.id] for joint in known}
            tick(len(known))
        if not used:
            raise UsageError(f"{self._lot}: no joint of its job folders appears in {TRUTH}; name a whole lot")
        if len(used) == len(outside):
            raise UsageError(f"{self._lot}: every joint lies outside its picture; correct the boxes")
        self.left_out = tuple(self._left_out([name for name in truth if name not in used], without, outside))

    def _left_out(self, rows: Sequence[_Name], joints: Sequence[_Name], outside: Sequence[_Name]) -> Iterator[str]:
        for names, problem in (
            (rows, f"rows of {TRUTH} name a joint that no job folder has"),
            (joints, f"joints have no row in {TRUTH}"),
            (outside, "joints lie outside their pictures, where the device judges none"),
        ):
            if names:
                job, joint = names[0]
                yield f"lot {self._lot.name}: {len(names)} {problem}, {joint} of {job} first; they are left out"

    def views(self, spec: Spec) -> Iterator[JobView]:
        """Every view and its joints.

        Raises UsageError for a folder that is no job or a view that cannot be judged, JobRefused for a broken manifest.
        """
        folders: dict[str, Path] = {}
        for folder in sorted(path for path in self._lot.iterdir() if path.is_dir() and path.name[0] != "."):
            claimed = open_folder(folder)
            if not claimed.manifest:
                raise UsageError(f"{folder}: holds no job that the device reads; remove it from the lot")
            self._digest.update(claimed.manifest)
            job, _ = read_job(claimed)
            first = folders.setdefault(job.job_id, folder)
            if first != folder:
                raise UsageError(f"{folder}: job_id {job.job_id!r} is that of {first.name}, too; keep one of them")
            for view in job.views:
                yield JobView(job, job.joints_of(view), cache(partial(_slices, job, view, folder, spec)))


def _slices(job: Job, view: View, folder: Path, spec: Spec) -> Slices:
    slices, trouble = read_view(job, view, folder, read_slice, spec)
    if trouble is not None:
        remedy = "repair the lot before learning from it"
        if trouble is Reason.TOO_MANY_SLICES:
            remedy = f"it has {len(view.slices)}, so take as many"
        raise UsageError(f"{folder}: view {view.id}: {trouble.value}; {remedy}")
    return slices
