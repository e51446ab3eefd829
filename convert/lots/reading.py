"""A lot as patches and labels: read, cropped and labelled through the device's own code.

Patches stay on disk and are read as they are asked for, so that memory does not grow with the lot; only the truth, some
hundred bytes a joint, is held.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from convert.lots.graded_truth import GradedRow, read_graded_truth
from convert.lots.lot import LabelledLot, Row
from convert.lots.patches import Patches, PatchFiles
from convert.lots.shards import LOT, SHARDS, Shard, read_lot_file
from convert.lots.truth import TRUTH, TruthRow, read_truth
from edge.core.errors import UsageError
from edge.core.features import FeatureSpec
from edge.core.intake import Spec
from edge.core.job import Job, Joint, parse_manifest
from edge.core.preprocess import Slices
from edge.files import digest_file
from edge.judging.slices import read_slice
from edge.judging.view import read_view

Tick = Callable[[int], None]
R = TypeVar("R", TruthRow, GradedRow, Row)


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
            store.write(spec.prepared(slices, joint.roi).patch.tobytes())
            rows.append(row)
        store.flush()
        patches = np.memmap(store, np.uint8, "r", shape=(len(rows), *spec.input_shape))
    files = PatchFiles([lambda: patches], [len(rows)])
    return LabelledLot(lot.name, reading.digest, files, np.arange(len(rows)), tuple(rows))


def truth_of(lot: Path, spec: Spec) -> Mapping[tuple[str, str], Row]:
    """(job_id, joint) -> truth, of the kind that ``spec`` is for. Raises UsageError when the lot has none of it."""
    return read_graded_truth(lot) if isinstance(spec, FeatureSpec) else read_truth(lot)


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
