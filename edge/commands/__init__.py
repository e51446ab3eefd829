"""The commands of ``axi-edge``, a module each: it adds its parser and runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from edge.config import DEFAULT_PATH

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no public name


def shown(line: str) -> str:
    """As a terminal may have it: names come from elsewhere, and could steer it. Control characters are written out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def add_config(command: argparse.ArgumentParser) -> None:
    """``--config``, as every command that is about this device has it."""
    command.add_argument("--config", type=Path, default=DEFAULT_PATH, help=f"default: {DEFAULT_PATH}")
