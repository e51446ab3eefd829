"""``axi-edge review``: what joints really were, handed over and listed."""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.adapters.journal.view import reviews
from edge.adapters.review_folder import LARGEST_BYTES, drop
from edge.adapters.spool_view import survey
from edge.commands import Commands, add_config
from edge.config import load_settings
from edge.core.errors import UsageError
from edge.core.places import Place
from edge.core.review import Said
from edge.feedback.export import Truth, truth_of
from edge.feedback.ports import ReviewHeld
from edge.feedback.reading import COLUMNS, SETTLED, read_reviews
from edge.files import read_plain

_TRUTH = "truth.csv"


def add_review(commands: Commands) -> None:
    review = commands.add_parser("review", help="what joints really were: hand reviews over, list them")
    actions = review.add_subparsers(dest="action", required=True, metavar="import|list|export")
    come_in = actions.add_parser("import", help="hand files of reviews to the daemon: .jsonl, .csv, or .xml of a V810")
    add_config(come_in)
    come_in.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help=f"a table has the columns {', '.join(COLUMNS)}, and event_id, job_id or serial; "
        f"decision is one of {', '.join(Said)}",
    )
    come_in.add_argument(
        "--settled",
        action="store_true",
        help="what the files say is the truth, from a better source than a look: a section, an electrical test",
    )
    come_in.set_defaults(action=_import)
    export = actions.add_parser("export", help="a lot of the reviewed joints with their truth, to learn from")
    add_config(export)
    export.add_argument("out", type=Path, metavar="DIR", help="new or empty")
    export.set_defaults(action=_export)
    listed = actions.add_parser("list", help="every review that the journal holds")
    add_config(listed)
    listed.add_argument("--aside", action="store_true", help="only those that belong to no joint known here, and why")
    listed.add_argument("--json", action="store_true", help="a review a line")
    listed.set_defaults(action=_list)


def _import(arguments: argparse.Namespace) -> int:
    """The daemon enters them; without one they wait for it. 1 where something in a file is wrong."""
    spool, wrong = Path(load_settings(arguments.config).spool.path), 0
    for path in arguments.files:
        try:
            raw = read_plain(path, LARGEST_BYTES)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}; name a file of reviews, of at most 4 MiB") from error
        found, problems = read_reviews(path.name, raw)
        for problem in problems:
            print(f"{path}: {problem}", file=sys.stderr)
        wrong += len(problems)
        if found:
            try:
                lies = drop(spool, f"truth{SETTLED}{path.suffix}" if arguments.settled else path.name, raw)
            except OSError as error:
                raise UsageError(
                    f"{spool}: {error.strerror or error}; run this as a user who may write there"
                ) from error
            print(f"{path}: {len(found)} review{'s' * (len(found) != 1)} handed over as {lies}")
            print("what belongs to no joint known here, the daemon sets aside: axi-edge review list --aside")
        elif not problems:
            print(f"{path}: no review in it", file=sys.stderr)
            wrong += 1
    return int(wrong > 0)


def _list(arguments: argparse.Namespace) -> int:
    found = reviews(Path(load_settings(arguments.config).journal.path), aside=arguments.aside)
    for review in found:
        print(msgspec.json.encode(review).decode() if arguments.json else as_text(review))
    if not found and not arguments.json:
        print("no review was set aside" if arguments.aside else "no review has come in yet")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    """1 where the pictures of a reviewed joint are no longer kept."""
    settings, out = load_settings(arguments.config), arguments.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: holds something already; name a new or empty folder")
    rows = truth_of(reviews(Path(settings.journal.path)))
    spool = Path(settings.spool.path)
    folders = {job.found.job_id: spool / job.place / job.name for job in survey(spool) if job.place is Place.DONE}
    kept = [row for row in rows if row.job_id in folders]
    if not kept:
        raise UsageError(
            "no reviewed joint whose pictures are still kept; [spool] keep_days says for how long they are"
        )
    try:
        _write(out, [folders[job_id] for job_id in dict.fromkeys(row.job_id for row in kept)], kept)
    except OSError as error:
        shutil.rmtree(out, ignore_errors=True)
        raise UsageError(f"{out}: {error.strerror or error}; nothing was written") from error
    defects = sum(row.label for row in kept)
    print(f"{out}: {len(kept)} joints, {defects} of them defects; axi-convert train reads it")
    gone = len(rows) - len(kept)
    if gone:
        print(
            f"{gone} reviewed joints left out: their pictures are no longer kept ([spool] keep_days)", file=sys.stderr
        )
    return int(gone > 0)


def _write(out: Path, folders: Sequence[Path], rows: Sequence[Truth]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        shutil.copytree(folder, out / (f"job-{folder.name}" if folder.name == _TRUTH else folder.name))
    with (out / _TRUTH).open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows([Truth._fields, *rows])


def as_text(review: ReviewHeld) -> str:
    """One line."""
    where = f"{review.joint or review.event_id or 'a joint'} of {review.job_id or review.serial or 'an unnamed job'}"
    scored = f", p_defect {review.p_defect:.3f}" if review.p_defect is not None else ""
    aside = f"; set aside: {review.problem}" if review.problem else ""
    settled = "; settled" if review.settled else ""
    return f"{review.time}  {review.decision:<10}  {where}{scored}, by {review.reviewer}{settled}{aside}"
