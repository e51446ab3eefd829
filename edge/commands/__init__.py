"""The commands of ``axi-edge``, a module each: it adds its parser and runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from edge.config import DEFAULT_PATH

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no public name


def add_config(command: argparse.ArgumentParser) -> None:
    """``--config``, as every command that is about this device has it."""
    command.add_argument("--config", type=Path, default=DEFAULT_PATH, help=f"default: {DEFAULT_PATH}")
