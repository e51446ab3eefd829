"""``axi-edge audit``: every joint accounted for, or named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from edge.adapters.journal_view import held
from edge.adapters.spool import survey
from edge.audit import Account, audit
from edge.config import Settings
from edge.core.errors import UsageError


def device_account(settings: Settings, capture: Path | None) -> Account:
    """Audit this device. Raises JournalError, and UsageError for a capture that cannot be read.

    Spool and journal cannot be looked at in one moment while the daemon works, so what is missing must be missing
    twice.
    """
    first = _look(settings, capture)
    if not first.problems:
        return first
    second = _look(settings, capture)
    return replace(second, problems=tuple(one for one in second.problems if one in first.problems))


def _look(settings: Settings, capture: Path | None) -> Account:
    delivered = None if capture is None else list(captured(capture))
    found = list(survey(Path(settings.spool.path)))
    return audit(found, held(Path(settings.journal.path)), delivered)


def captured(path: Path) -> Iterator[dict[str, Any]]:
    """Verdict payloads of a capture: one JSON object a line, {"topic": ..., "payload": ...}, or the payload alone.

    That is what ``axi-edge tail --json`` prints. Other messages are passed over. Raises UsageError.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    message = msgspec.json.decode(line)
                    payload = message.get("payload", message)
                    if payload.get("schema") == "axi-verdict/1":
                        yield {key: payload[key] for key in ("event_id", "job_id", "joint", "verdict", "route")}
                except (msgspec.DecodeError, AttributeError, KeyError) as error:
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
    lines.append("every joint is accounted for" if not account.problems else f"{len(account.problems)} problems")
    return "\n".join(lines)
