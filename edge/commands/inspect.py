"""``axi-edge inspect``: one verdict JSON a line, no daemon and no broker."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from edge import __version__
from edge.adapters.host import utc_now
from edge.arguments import whole_number
from edge.bundle.shipped import bundle_folder
from edge.commands import Commands
from edge.config import MOST_THREADS
from edge.core.errors import JobRefused, UsageError
from edge.core.job import Polarity
from edge.core.qualification import Kernels
from edge.core.wire import Encoder, Topics, VerdictMessage
from edge.jobs.folder import MANIFEST, NOTHING_KNOWN, ClaimedJob, RefusedJob, name_refused, open_folder, read_job
from edge.jobs.vendors import UNSAID, JobDefaults
from edge.judging.loading import LoadedModels, load_models
from edge.judging.messages import Choice, Load
from edge.judging.ports import Batch, Unchecked, views_of


def add_inspect(commands: Commands) -> None:
    inspect = commands.add_parser("inspect", help="one-shot: one verdict JSON a line on stdout")
    inspect.add_argument("job", nargs="+", type=Path, metavar="JOB", help="a job folder")
    inspect.add_argument(
        "--bundle",
        required=True,
        type=bundle_folder,
        action="append",
        help="a folder, or reference: the one that ships; may be repeated: each judges its card's joint types",
    )
    inspect.add_argument("--public-key", default="", metavar="FILE", help="refuse a bundle this key did not sign")
    inspect.add_argument(
        "--operating-point", default="", metavar="NAME", help="of the first bundle; default: the card's"
    )
    inspect.add_argument(
        "--runtime", choices=["auto", "litert", "tflite-runtime"], default="auto", help="auto: litert first"
    )
    inspect.add_argument(
        "--kernels",
        choices=list(get_args(Kernels)),
        default="fast",
        help="exact: same bits on both runtimes of an x86-64; reference: on every processor",
    )
    inspect.add_argument(
        "--threads", type=whole_number(1, MOST_THREADS), default=1, metavar="N", help=f"1 to {MOST_THREADS}"
    )
    inspect.add_argument("--device", default=socket.gethostname(), help="device name in the verdicts (this host's)")
    inspect.add_argument(
        "--joint-type", default="", metavar="TYPE", help="of a result XML or a table that names none, as in [spool]"
    )
    inspect.add_argument(
        "--polarity",
        choices=get_args(Polarity),
        default=NOTHING_KNOWN.polarity,
        help="of a result XML or a table, as in [spool]",
    )
    inspect.add_argument(
        "--unchecked",
        choices=get_args(Unchecked),
        default="judge",
        help="slices of which nothing proves the pixels, as in [spool]",
    )
    inspect.set_defaults(action=_inspect)


def _inspect(arguments: argparse.Namespace) -> int:
    main, *others = (os.fsencode(bundle) for bundle in arguments.bundle)
    load = Load(
        choices=(
            Choice(bundle=main, operating_point=arguments.operating_point),
            *(Choice(bundle=bundle) for bundle in others),
        ),
        public_key_file=arguments.public_key,
        runtime=arguments.runtime,
        threads=arguments.threads,
        kernels=arguments.kernels,
        unchecked=arguments.unchecked,
    )
    if not load.public_key_file:
        print("axi-edge: signature not checked; name the signer's key with --public-key", file=sys.stderr)
    defaults = JobDefaults(arguments.joint_type, arguments.polarity)
    return inspect(arguments.job, load_models(load), arguments.device, defaults)


def inspect(folders: Sequence[Path], loaded: LoadedModels, device: str, defaults: JobDefaults) -> int:
    """Print one verdict a joint; returns the exit code: 5 when any job was refused, else 0.

    ``defaults``: of jobs that come as a result XML or a table.
    """
    for folder in folders:
        if folder.is_file():
            raise UsageError(f"{folder}: a file; name the job's folder (an archive: unpack it first)")
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; name job folders")
        if not any(path.is_file() for path in folder.iterdir()) or (folder / "truth.csv").exists():
            raise UsageError(f"{folder}: a folder of jobs, or empty; name the jobs in it: {folder}/*/")
    encoder = Encoder(device, Topics("inspect"), __version__, loaded.models[0].bundle.reference, loaded.routes)
    code = 0
    for folder in folders:
        try:
            claimed = open_folder(folder, defaults)
        except OSError as error:
            code = JobRefused.exit_code
            print(f"axi-edge: {folder}: {error}", file=sys.stderr)
            continue
        if claimed.source.casefold() == MANIFEST and defaults != NOTHING_KNOWN:
            said = "its manifest says joint types and polarity, so --joint-type and --polarity were not looked at"
            print(f"axi-edge: {folder}: {said}", file=sys.stderr)
        try:
            _print(_judged(claimed, loaded, encoder))
        except JobRefused as error:
            code, refused = error.exit_code, name_refused(claimed)
            _print(_refused(refused, claimed, encoder))
            print(f"axi-edge: {error}", file=sys.stderr)
            if refused.unread:
                print(f"axi-edge: {folder}: may hold more joints: {refused.unread}", file=sys.stderr)
    return code


def _judged(claimed: ClaimedJob, loaded: LoadedModels, encoder: Encoder) -> Iterator[VerdictMessage]:
    job, unknown = read_job(claimed)
    if unknown:
        print(f"axi-edge: {claimed.folder}: unknown keys ignored: {', '.join(unknown)}", file=sys.stderr)
    if any(joint.type == UNSAID for joint in job.joints):
        print(f"axi-edge: {claimed.folder}: names no joint type; say it with --joint-type", file=sys.stderr)
    for verdict in loaded.judge.views(Batch(job, claimed.folder, views_of(job)), lambda: None):
        yield encoder.verdict(job, verdict, utc_now())


def _refused(job: RefusedJob, claimed: ClaimedJob, encoder: Encoder) -> Iterator[VerdictMessage]:
    for joint in job.joints:
        yield encoder.refused(job.job_id, job.serial, joint, claimed.content, utc_now())


def _print(verdicts: Iterator[VerdictMessage]) -> None:
    for verdict in verdicts:
        print(verdict.message.payload.decode())
