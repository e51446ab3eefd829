"""A lot of job folders as several lots: whole jobs, each in one of them."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from convert.lots.division import divided
from convert.lots.lot import LabelledLot
from convert.lots.shards import LOT
from convert.lots.truth import TruthRow, read_truth, truth_writer
from edge.core.errors import UsageError
from edge.files import digest_file
from edge.jobs.folder import open_folder, read_job

SHARES: Mapping[str, float] = {"training": 0.6, "validation": 0.2, "held-out": 0.2}


def part(
    source: Path, lot: LabelledLot, out: Path, seed: int, shares: Mapping[str, float] = SHARES
) -> dict[str, list[TruthRow]]:
    """Write a lot for each of ``shares`` into the new folder ``out``; the rows of each.

    ``lot``: the joints in ``source``, kept apart by what the parts must not share; nor do they share a job, a picture
    or a joint that looks the same. Raises UsageError where they cannot be parted, or for a lot of patches.
    """
    _require_parts(source, out, shares)
    folders = _folders(source)
    pictures = {job: _pictures(folder) for job, folder in folders.items()}
    looks = [hashlib.sha256(patch.tobytes()).digest() for batch in lot.batches(256) for patch in batch]
    jobs = [row.job_id for row in lot.rows]
    ties = [
        (("job", job), ("group", group), look, *pictures[job])
        for job, group, look in zip(jobs, lot.groups.tolist(), looks, strict=True)
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
            _write([folders[job] for job, side in side_of.items() if side == name], unfinished / name, rows[name])
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return rows


def _require_parts(source: Path, out: Path, shares: Mapping[str, float]) -> None:
    if (source / LOT).exists():
        raise UsageError(f"{source}: holds patches; name a lot of job folders")
    if out.exists():
        raise UsageError(f"{out}: exists already; name a new folder")
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{out}: lies within the lot, which could not be read any more; name a folder elsewhere")
    if not all(0 < share < math.inf for share in shares.values()):
        raise UsageError(f"--shares {' '.join(map(str, shares.values()))}: give numbers above 0")


def _folders(source: Path) -> dict[str, Path]:
    """By job."""
    folders = sorted(path for path in source.iterdir() if path.is_dir() and path.name[0] != ".")
    return {read_job(open_folder(folder)).job.job_id: folder for folder in folders}


def _pictures(folder: Path) -> list[str]:
    """What tells the files of a job from others, but for its documents."""
    documents = {".json", ".xml", ".csv"}
    return [digest_file(path) for path in folder.iterdir() if path.suffix.lower() not in documents and path.is_file()]


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
