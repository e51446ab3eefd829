"""``axi-edge sample``: hands a job over where no machine has exported anything yet, and waits for its verdicts."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from edge.adapters.host import utc_now
from edge.adapters.journal.view import decided_of
from edge.bundle.format import open_bundle
from edge.bundle.signing import pinned_keys
from edge.commands import Commands, add_config, shown
from edge.commands.running import daemon_runs
from edge.config import Settings, load_settings
from edge.core.errors import ConfigError, JournalError
from edge.core.job import Job
from edge.core.places import Place
from edge.core.wire import timestamp
from edge.files import give_to_folders_owner
from edge.judging.sample import sample_job

_WAIT_S, _START_S, _LOOK_S = 60.0, 10.0, 0.1


def add_sample(commands: Commands) -> None:
    sample = commands.add_parser(
        "sample",
        help="hand over a job of the bundle's own golden joints, and see what becomes of it",
    )
    add_config(sample)
    sample.add_argument("--type", default="", metavar="TYPE", help="joint type of [model.routes] (the main bundle's)")
    sample.set_defaults(action=_sample)


def _sample(arguments: argparse.Namespace) -> int:
    """1 where there is no verdict in time, or no broker that takes it."""
    settings = load_settings(arguments.config)
    if not _runs(Path(settings.journal.path)):
        print("no daemon runs that could judge it: systemctl start axi-edge")
        return 1
    bundle = open_bundle(Path(settings.model.bundle_of(arguments.type)), pinned_keys(settings.model.public_key_file))
    now = utc_now()
    job_id = f"SAMPLE-{now.strftime('%Y%m%dT%H%M%S')}-{os.urandom(2).hex()}"
    job = _handed_over(settings, job_id, lambda folder: sample_job(bundle, job_id, timestamp(now), folder))
    print(f"{job_id} is handed over: {len(job.joints)} golden joints of {bundle.card.name} {bundle.card.version}")
    return _awaited(settings, job)


def _runs(journal: Path) -> bool:
    """Also one that was started a moment ago."""
    late = time.monotonic() + _START_S
    while not (found := daemon_runs(journal)) and time.monotonic() < late:
        time.sleep(_LOOK_S)
    return found


def _handed_over(settings: Settings, job_id: str, written: Callable[[Path], Job]) -> Job:
    """Whole at once, and the spool's own, as every job must be. Raises ConfigError."""
    spool = Path(settings.spool.path)
    incoming = spool / Place.INCOMING
    try:
        folder = Path(tempfile.mkdtemp(prefix=".sample-", dir=spool))
    except OSError as error:
        raise ConfigError(f"{spool}: {error.strerror or error}; run this as root, or as the daemon's user") from error
    try:
        job = written(folder)
        for path in folder.iterdir():
            path.chmod(0o660)
        folder.chmod(0o770)
        _give(folder, incoming)
        folder.rename(incoming / job_id)
    except OSError as error:
        raise ConfigError(
            f"{incoming}: {error.strerror or error}; start the daemon once; axi-edge check says more"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return job


def _give(folder: Path, incoming: Path) -> None:
    """To whom the spool belongs."""
    if os.geteuid() == 0:
        owner = incoming.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        for path in folder.iterdir():
            give_to_folders_owner(path)


def _awaited(settings: Settings, job: Job) -> int:
    journal, until = Path(settings.journal.path), time.monotonic() + _WAIT_S
    while True:
        try:
            found = decided_of(journal, job.job_id)
        except JournalError:
            found = []  # none yet
        sent = [one for one in found if one.acknowledged]
        if len(sent) == len(job.joints) or time.monotonic() > until:
            break
        time.sleep(_LOOK_S)
    for one in found:
        why = f", {one.reason}" if one.reason else ""
        broker = "the broker has it" if one.acknowledged else "the broker has not taken it"
        print(shown(f"{one.joint}: {one.verdict}{why}, to {one.route}; {broker}"))
    if not found:
        print(f"not judged within {_WAIT_S:.0f} s: axi-edge status says whether the daemon runs; check, what keeps it")
    elif len(sent) < len(found):
        print("axi-edge check says what keeps the broker")
    return int(len(sent) < len(job.joints))
