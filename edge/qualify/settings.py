"""What was chosen, into the configuration: a drop-in of its own, which what people wrote stays out of."""

from __future__ import annotations

import os
from pathlib import Path

from edge.config import Settings, drop_ins, drop_ins_of
from edge.core.errors import ConfigError
from edge.core.qualification import Chosen
from edge.files import write_durably
from edge.qualify.choice import Wanted
from edge.toml import load_toml, toml_text

NAME = "50-qualified.toml"


def own_settings(config: Path) -> Settings:
    """What people wrote, without what was chosen earlier. Raises ConfigError."""
    return load_toml(config, Settings, over=[path for path in drop_ins_of(config) if path.name != NAME])


def wanted_by(settings: Settings) -> Wanted:
    """A runtime that is named, and kernels that are not the fast ones, are somebody's decision."""
    return Wanted(settings.inference.runtime, settings.inference.kernels)


def require_writable(config: Path) -> None:
    """Raises ConfigError where the choice could not be written, before any time is spent on it."""
    folder = drop_ins(config)
    nearest = folder if folder.exists() else folder.parent
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"{nearest}: not writable for this user; qualify as root, for example with sudo")


def write_choice(config: Path, chosen: Chosen, time: str) -> Path:
    """Raises ConfigError."""
    path = drop_ins(config) / NAME
    table = {"runtime": chosen.runtime, "kernels": chosen.kernels, "threads": chosen.threads}
    text = f"# Measured by axi-edge qualify, {time}: what is best here. It comes over {config.name}.\n" + toml_text(
        {"inference": {**table, "processes": chosen.processes}}
    )
    try:
        path.parent.mkdir(mode=0o755, exist_ok=True)
        write_durably(path, text.encode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; make its folder writable") from error
    return path
