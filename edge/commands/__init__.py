"""The commands of ``axi-edge``, a module each: it adds its parser and runs."""

from __future__ import annotations

import argparse
import os
import pwd
from pathlib import Path
from typing import Any, TypeAlias

from edge.config import DEFAULT_PATH, Settings
from edge.core.errors import ConfigError
from edge.core.rules import Rule

Commands: TypeAlias = "argparse._SubParsersAction[Any]"  # noqa: SLF001 - argparse has no public name


def shown(line: str) -> str:
    """As a terminal may have it: names come from elsewhere, and could steer it. Control characters are written out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def add_config(command: argparse.ArgumentParser) -> None:
    """``--config``, as every command that is about this device has it."""
    command.add_argument("--config", type=Path, default=DEFAULT_PATH, help=f"default: {DEFAULT_PATH}")


def measured(rule: Rule) -> str:
    """An operating point with the recall that it had on joints that nothing was chosen on: its name is a wish."""
    return f"{rule.name} (measured recall {rule.recall.value:.3f}, {rule.recall.hits} of {rule.recall.total})"


def journal_of(settings: Settings) -> Path:
    """The device's journal. Raises ConfigError where there is none yet."""
    path = Path(settings.journal.path)
    if not path.exists():
        raise ConfigError(f"{path}: no journal; start the daemon with this configuration first")
    return path


def own_journal(settings: Settings) -> Path:
    """The same, to write into: files beside it must not become another user's. Raises ConfigError."""
    path = journal_of(settings)
    if path.stat().st_uid != os.geteuid():
        owner = user_name(path.stat().st_uid)
        raise ConfigError(f"{path}: belongs to {owner}; run this as that user (sudo -u {owner})")
    return path


def user_name(number: int) -> str:
    """Of a user, or the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
