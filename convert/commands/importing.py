"""``axi-convert import``."""

from __future__ import annotations

import argparse
from pathlib import Path

from convert.commands import Commands
from edge.core.errors import ExportRefused, UsageError

_SAID = 20
"""Kinds of problems that are said on the terminal."""


def add_import(commands: Commands) -> None:
    add = commands.add_parser("import", help="a line's own history -> a lot with truth")
    add.add_argument("source", type=Path, metavar="SOURCE", help="a folder or file as it was exported")
    add.add_argument("--out", type=Path, metavar="LOT", help="a new folder; the report goes to LOT.report")
    add.add_argument(
        "--mapping", type=Path, metavar="FILE.toml", help="what the export leaves open; docs/guides/import.md"
    )
    add.add_argument("--check", action="store_true", help="read all, write nothing")
    add.add_argument("--leave-out", action="store_true", help="go on without the joints that something is wrong with")
    add.add_argument("--report", type=Path, metavar="DIR", help="where the report goes instead")
    add.set_defaults(action=_import)


def _import(arguments: argparse.Namespace) -> int:
    if arguments.check == (arguments.out is not None):
        raise UsageError("name --out LOT to write to, or --check to write nothing; one of the two")
    from convert.importing.folding import folded
    from convert.importing.mapping import read_mapping
    from convert.importing.run import import_lot
    from convert.reports.importing import counts_of, facts_of, verdict, write_import
    from convert.reports.terminal import bar, plainly, show

    out: Path | None = arguments.out
    mapping = read_mapping(arguments.mapping)
    report = arguments.report or (out.with_name(f"{out.name}.report") if out else None)
    _require_report(report, out, arguments.source)
    with bar("importing", 1) as progress:
        done = import_lot(arguments.source, mapping, out, leave_out=arguments.leave_out, tick=progress.reach)
    faults = folded(done.problems)
    for fault in faults[:_SAID]:
        plainly(str(fault))
    show(counts_of(done))
    for fact in facts_of(done):
        plainly(fact)
    if report is not None:
        plainly(f"report: {write_import(done, out, report, mapping.source.tiles)[1]}")
    goes_on = arguments.check and arguments.leave_out and not any(problem.grave for problem in done.problems)
    if not done.joints or (done.problems and not done.written and not goes_on):
        where = "are in the report" if report else "are shown by --report DIR"
        more = f" {len(faults) - _SAID} kinds of them more {where}." if len(faults) > _SAID else ""
        raise ExportRefused(f"{verdict(done, out)}{more}")
    print(verdict(done, out) + (" --leave-out goes on without those." if goes_on and done.problems else ""))
    return 0


def _require_report(report: Path | None, out: Path | None, source: Path) -> None:
    """Raises UsageError where the report would lie in the lot or the export, or cannot lie at all."""
    if report is None:
        return
    for folder, what in ((out, "lot"), (source, "export")):
        if folder is not None and report.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{report}: lies within the {what}; name another folder with --report")
    if report.exists() and not report.is_dir():
        raise UsageError(f"{report}: is a file; name a folder with --report")
