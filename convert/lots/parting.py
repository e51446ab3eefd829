"""A lot of job folders as several lots: whole jobs, each in one of them."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from convert.lots.division import divided
from convert.lots.lot import LabelledLot
from convert.lots.places import require_new
from convert.lots.shards import LOT
from convert.lots.truth import TruthRow, read_truth, truth_writer
from edge.core.errors import UsageError
from edge.core.job import Job
from edge.core.preprocess import Crop, crop_of
from edge.files import digest_file
from edge.jobs.folder import open_folder, read_job

SHARES: Mapping[str, float] = {"training": 0.6, "validation": 0.2, "held-out": 0.2}


def part(
    source: Path, lot: LabelledLot, out: Path, seed: int, shares: Mapping[str, float] = SHARES
) -> dict[str, list[TruthRow]]:
    """Write a lot for each of ``shares`` into the new folder ``out``; the rows of each.

    ``lot``: the joints in ``source``, kept apart by what the parts must not share; nor do they share a job, a joint
    that looks the same, or what a picture shows at one place. Raises UsageError where they cannot be parted, or for a
    lot of patches.
    """
    _require_parts(source, out, shares)
    folders = _folders(source)
    shared = _shared(folders.values())
    looks = [hashlib.sha256(patch.tobytes()).digest() for batch in lot.batches(256) for patch in batch]
    jobs = [row.job_id for row in lot.rows]
    ties = [
        (("job", row.job_id), ("group", group), look, *shared.get((row.job_id, row.joint), ()))
        for row, group, look in zip(lot.rows, lot.groups.tolist(), looks, strict=True)
    ]
    names = list(shares)
    sides = divided(ties, lot.labels, list(shares.values()), seed)
    side_of = {job: names[side] for job, side in zip(jobs, sides.tolist(), strict=True)}
    held = {(row.job_id, row.joint) for row in lot.rows}
    truth = [row for key, row in read_truth(source).items() if key in held]
    rows = {name: [row for row in truth if side_of[row.job_id] == name] for name in names}
    unfinished = out.with_name(f".{out.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        for name in names:
            _write([folders[job].path for job, side in side_of.items() if side == name], unfinished / name, rows[name])
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return rows


def _require_parts(source: Path, out: Path, shares: Mapping[str, float]) -> None:
    if (source / LOT).exists():
        raise UsageError(f"{source}: holds patches; name a lot of job folders")
    require_new(out, source)
    if not all(0 < share < math.inf for share in shares.values()):
        raise UsageError(f"--shares {' '.join(map(str, shares.values()))}: give numbers above 0")


class _Folder(NamedTuple):
    path: Path
    job: Job


def _folders(source: Path) -> dict[str, _Folder]:
    """By job."""
    paths = sorted(path for path in source.iterdir() if path.is_dir() and path.name[0] != ".")
    folders = [_Folder(path, read_job(open_folder(path)).job) for path in paths]
    return {folder.job.job_id: folder for folder in folders}


_Name = tuple[str, str]
"""job_id and joint."""


def _shared(folders: Iterable[_Folder]) -> dict[_Name, list[frozenset[_Name]]]:
    """Of joints that several jobs show in one picture file, the pairs whose surroundings overlap there: one of them
    would be seen in training, the other measured on.
    """
    on = dict[str, list[tuple[_Name, Crop]]]()
    for path, job in folders:
        for view in job.views:
            joints = [((job.job_id, one.id), crop_of(one.roi)) for one in job.joints_of(view)]
            for digest in {_digest(path / part.file) for part in view.slices}:
                on.setdefault(digest, []).extend(joints)
    pairs = dict[_Name, list[frozenset[_Name]]]()
    for shown in on.values():
        if len({name[0] for name, _ in shown}) > 1:
            for one, other in _overlapping(shown):
                for name in (one, other):
                    pairs.setdefault(name, []).append(frozenset((one, other)))
    return pairs


def _digest(path: Path) -> str:
    """Of a file; a missing one, which reading the lot refuses, is like no other."""
    return digest_file(path) if path.is_file() else str(path)


def _overlapping(joints: Sequence[tuple[_Name, Crop]]) -> Iterator[tuple[_Name, _Name]]:
    """Joints of different jobs."""
    ordered = sorted(joints, key=lambda one: one[1].x)
    for place, (name, crop) in enumerate(ordered):
        for other, beside in ordered[place + 1 :]:
            if beside.x >= crop.x + crop.side:
                break
            if name[0] != other[0] and abs(beside.y + beside.side / 2 - crop.y - crop.side / 2) < (
                (beside.side + crop.side) / 2
            ):
                yield name, other


def _write(folders: Iterable[Path], out: Path, rows: Sequence[TruthRow]) -> None:
    out.mkdir(parents=True)
    for folder in folders:
        shutil.copytree(folder, out / folder.name, copy_function=_linked)
    with truth_writer(out) as write:
        write(rows)


def _linked(source: str, target: str) -> str:
    """Lots are not written to again, so that parts may share their files."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
