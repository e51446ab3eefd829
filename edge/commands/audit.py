"""``axi-edge audit``: every joint accounted for, or named."""

from __future__ import annotations

import argparse
import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from edge.adapters.journal.view import held
from edge.adapters.spool_view import strangers, survey
from edge.commands import Commands, add_config
from edge.config import Settings, load_settings
from edge.core.errors import ConfigError, UsageError
from edge.upkeep.audit import Account, audit


def add_audit(commands: Commands) -> None:
    command = commands.add_parser("audit", help="is every joint accounted for? exit 1 and its name if not")
    add_config(command)
    command.add_argument("--json", action="store_true", help="all counts and problems as one JSON object")
    command.add_argument("--capture", type=Path, metavar="FILE", help="what axi-edge tail --json printed")
    command.set_defaults(action=_audit)


def _audit(arguments: argparse.Namespace) -> int:
    account = device_account(load_settings(arguments.config), arguments.capture)
    print(msgspec.json.encode(account).decode() if arguments.json else as_text(account))
    return int(bool(account.problems))


def device_account(settings: Settings, capture: Path | None) -> Account:
    """Audit this device. Raises JournalError, and UsageError for a capture that cannot be read.

    Spool and journal cannot be looked at in one moment while the daemon works, so what is missing must be missing
    twice.
    """
    first = _look(settings, capture)
    if not first.problems:
        return first
    second = _look(settings, capture)
    return replace(second, problems=tuple(problem for problem in second.problems if problem in first.problems))


def _look(settings: Settings, capture: Path | None) -> Account:
    if capture is not None and capture.is_file() and not capture.stat().st_size:
        raise UsageError(f"{capture}: empty; a capture is made with axi-edge tail --json > FILE, while jobs are judged")
    delivered = None if capture is None else list(captured(capture))
    spool = Path(settings.spool.path)
    if not spool.is_dir():
        raise ConfigError(f"[spool] path: {spool}: no such folder, so nothing can be audited; mount it, or correct it")
    found = list(survey(spool))
    account = audit(found, held(Path(settings.journal.path)), delivered)
    beside = [
        f"{folder}: {jobs} jobs in a folder that nobody reads; hand them over to incoming"
        for folder, jobs in strangers(spool)
    ]
    return replace(account, problems=(*account.problems, *beside))


def captured(path: Path) -> Iterator[dict[str, Any]]:
    """Verdict payloads of a capture: one JSON object a line, {"topic": ..., "payload": ...}, or the payload alone.

    That is what ``axi-edge tail --json`` prints. Other messages are passed over. Raises UsageError.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    message = msgspec.json.decode(line.removeprefix(codecs.BOM_UTF8).strip() or b"{}")
                    payload = message.get("payload", message)
                    if isinstance(payload, dict) and payload.get("schema") == "axi-verdict/1":
                        yield {key: payload[key] for key in ("event_id", "job_id", "joint", "verdict", "route")}
                except (msgspec.DecodeError, AttributeError, KeyError, RecursionError) as error:
                    raise UsageError(
                        f"{path}: line {number}: not a message ({error}); give what axi-edge tail --json printed"
                    ) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; name a capture file") from error


def as_text(account: Account) -> str:
    """For a person at a terminal."""
    lines = [
        f"jobs          {account.jobs}",
        f"waiting       {account.waiting} joints in incoming or work",
        f"queued        {account.queued} joints decided, not yet acknowledged by the broker",
        f"acknowledged  {account.acknowledged} joints",
    ]
    if account.delivered is not None:
        lines.append(f"delivered     {account.delivered} different event_ids in the capture")
    for problem in account.problems:
        joint = f" joint {problem.joint}" if problem.joint else ""
        lines.append(f"PROBLEM       {problem.code}: job {problem.job_id}{joint}: {problem.text}")
    if account.unreadable:
        lines.append(f"unreadable    {account.unreadable} waiting jobs, for this user: their joints are not counted")
    lines.append("every joint is accounted for" if not account.problems else f"{len(account.problems)} problems")
    return "\n".join(lines)
