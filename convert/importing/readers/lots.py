"""A lot of ours, as ``axi-edge review export`` writes it: looked through once more, and its classes mapped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from convert.importing.found import Corners, Finding, Found, Page, Problem
from convert.importing.mapping import Mapping
from convert.importing.pictures import gapless
from convert.lots.truth import TruthRow, read_truth
from edge.core.errors import JobRefused, UsageError
from edge.core.job import Job
from edge.jobs.folder import open_folder, read_job
from edge.jobs.vendors import JobDefaults


def read_lot(source: Path, mapping: Mapping) -> Iterator[Finding]:
    """Every row of ``truth.csv`` of which a job folder has the joint."""
    try:
        truth = read_truth(source)
    except UsageError as error:
        yield Problem(source.name, str(error))
        return
    used = set[tuple[str, str]]()
    defaults = JobDefaults(mapping.source.joint_type, mapping.image.polarity)
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and path.name[0] != "."):
        try:
            job, _ = read_job(open_folder(folder, defaults))
        except (JobRefused, OSError) as error:
            yield Problem(folder.name, str(error))
            continue
        used |= {(job.job_id, joint.id) for joint in job.joints}
        yield from _joints(job, folder, truth, mapping)
    for job_id, joint in truth:
        if (job_id, joint) not in used:
            yield Problem(f"truth.csv: joint {joint} of {job_id}", "no job folder has it; export it, or remove the row")


def _joints(job: Job, folder: Path, truth: dict[tuple[str, str], TruthRow], mapping: Mapping) -> Iterator[Finding]:
    """Every joint of a job; those without truth are said to be known to nobody."""
    views = dict[str, tuple[Page, ...]]()
    for view in job.views:
        parts = sorted(view.slices, key=lambda part: part.index)
        gap = gapless([part.index for part in parts], view.id)
        if gap:
            yield Problem(folder.name, gap)
            return
        views[view.id] = tuple(Page(folder / part.file, part.page) for part in parts)
    for joint in job.joints:
        row = truth.get((job.job_id, joint.id))
        yield Found(
            where=f"{folder.name}: joint {joint.id}",
            job=job.job_id,
            serial=(row.serial if row else "") or job.board.serial,
            board_type=(row.board_type if row else "") or job.board.type or mapping.source.board_type,
            time=job.created,
            view=joint.view,
            slices=views[joint.view],
            joint=joint.id,
            joint_type=(row.joint_type if row else "") or joint.type,
            box=Corners(*joint.roi),
            label=row.truth if row else "",
            call=joint.machine_call.name if joint.machine_call else "",
            image=job.image,
        )
