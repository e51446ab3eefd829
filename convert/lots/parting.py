"""A lot of job folders as several lots: whole jobs, each in one of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from convert.lots.division import divided
from convert.lots.lot import LabelledLot
from convert.lots.shards import LOT
from convert.lots.truth import TruthRow, read_truth, truth_writer
from edge.core.errors import UsageError
from edge.jobs.folder import open_folder, read_job

SHARES: Mapping[str, float] = {"training": 0.6, "validation": 0.2, "held-out": 0.2}


def part(
    source: Path, lot: LabelledLot, out: Path, seed: int, shares: Mapping[str, float] = SHARES
) -> dict[str, list[TruthRow]]:
    """Write a lot for each of ``shares`` into the new folder ``out``; the rows of each.

    ``lot``: the joints in ``source``, kept apart by what the parts must not share. Raises UsageError where they cannot
    be, or for a lot of patches.
    """
    if (source / LOT).exists():
        raise UsageError(f"{source}: holds patches; name a lot of job folders")
    if out.exists():
        raise UsageError(f"{out}: exists already; name a new folder")
    pictures = [hashlib.sha256(patch.tobytes()).digest() for batch in lot.batches(256) for patch in batch]
    groups = [f"{group}" for group in lot.groups.tolist()]
    jobs = [row.job_id for row in lot.rows]
    sides = divided(_whole(groups, jobs), lot.labels, pictures, list(shares.values()), seed)
    names = list(shares)
    side_of = {job: names[side] for job, side in zip(jobs, sides.tolist(), strict=True)}
    held = {(row.job_id, row.joint) for row in lot.rows}
    truth = [row for key, row in read_truth(source).items() if key in held]
    rows = {name: [row for row in truth if side_of[row.job_id] == name] for name in names}
    unfinished = out.with_name(f".{out.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        for name in names:
            _write(source, unfinished / name, {job for job, side in side_of.items() if side == name}, rows[name])
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return rows


def _whole(groups: Sequence[str], jobs: Sequence[str]) -> list[str]:
    """Groups of whole jobs: one that holds joints of two groups ties them."""
    first = dict[str, str]()
    return [first.setdefault(job, group) for job, group in zip(jobs, groups, strict=True)]


def _write(source: Path, out: Path, jobs: set[str], rows: Sequence[TruthRow]) -> None:
    out.mkdir(parents=True)
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and path.name[0] != "."):
        if read_job(open_folder(folder)).job.job_id in jobs:
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
