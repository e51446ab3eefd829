"""``axi-edge inspect``: one verdict JSON a line, no daemon and no broker."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge import __version__
from edge.adapters.spool import open_folder
from edge.bootstrap import utc_now
from edge.core.errors import JobRefused, UsageError
from edge.core.job import printable, salvage
from edge.core.payloads import VerdictPayload
from edge.core.wire import Encoder, Topics, encode
from edge.inspection import read_job, refused_joint
from edge.loading import LoadedModels
from edge.ports import Batch, ClaimedJob, ViewToJudge


def inspect(folders: Sequence[Path], loaded: LoadedModels, device: str) -> int:
    """Print one verdict a joint; returns the exit code: 5 when any job was refused, else 0."""
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; name job folders that hold a manifest.json")
    encoder = Encoder(device, Topics("inspect"), __version__, loaded.models[0].bundle.reference, loaded.routes)
    code = 0
    for folder in folders:
        claimed = open_folder(folder)
        try:
            for payload in _judged(claimed, loaded, encoder):
                _print(payload)
        except JobRefused as error:
            code = error.exit_code
            for payload in _refused(claimed, encoder):
                _print(payload)
            print(f"axi-edge: {error}", file=sys.stderr)
    return code


def _judged(claimed: ClaimedJob, loaded: LoadedModels, encoder: Encoder) -> Iterator[VerdictPayload]:
    job, unknown = read_job(claimed)
    if unknown:
        print(f"axi-edge: {claimed.folder}: unknown keys ignored: {', '.join(unknown)}", file=sys.stderr)
    views = [ViewToJudge(view, job.joints_of(view)) for view in job.views if job.joints_of(view)]
    for verdict in loaded.judge.views(Batch(job, claimed.folder, views), lambda: None):
        yield encoder.verdict(job, verdict, utc_now())


def _refused(claimed: ClaimedJob, encoder: Encoder) -> Iterator[VerdictPayload]:
    found = salvage(claimed.manifest)
    job_id, serial = found.job_id or printable(claimed.folder.name), found.serial or "unknown"
    for joint in found.joints:
        yield encoder.refused(job_id, serial, refused_joint(joint), claimed.content, utc_now())


def _print(payload: VerdictPayload) -> None:
    print(encode(payload).decode())
