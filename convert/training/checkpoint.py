"""The whole state of a training run on disk, so that it can go on after an interruption."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.core.errors import ConfigError

Row = tuple[Any, ...]
"""The figures of one epoch."""


def save_checkpoint(path: Path, identity: str, history: Sequence[Row], variables: Sequence[Any]) -> None:
    """Write the values of all ``variables`` and the history, whole or not at all.

    ``identity`` says what run this is the state of.
    """
    about = json.dumps({"identity": identity, "history": history})
    values = {f"v{i}": np.asarray(variable) for i, variable in enumerate(variables)}
    temporary = path.with_name(path.name + ".tmp.npz")
    np.savez(temporary, about=np.array(about), **values)
    temporary.replace(path)


def load_checkpoint(path: Path, identity: str, variables: Sequence[Any]) -> list[Row]:
    """Put the saved values into ``variables``; the rows of the epochs done, none where there is no file.

    Raises ConfigError for a file that is damaged or belongs to another run.
    """
    if not path.exists():
        return []
    remedy = "remove it to start afresh"
    try:
        with path.open("rb") as stream, np.load(stream) as stored:
            about = json.loads(str(stored["about"]))
            owner, history = about["identity"], about["history"]
            values = [stored[f"v{i}"] for i in range(len(stored.files) - 1)]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: not a readable training state ({error}); {remedy}") from error
    fits = len(values) == len(variables) and all(
        tuple(value.shape) == tuple(variable.shape) for value, variable in zip(values, variables, strict=True)
    )
    if owner != identity or not fits:
        raise ConfigError(f"{path}: the state of another training run (network, plan or data differ); {remedy}")
    for value, variable in zip(values, variables, strict=True):
        variable.assign(value)
    return [tuple(row) for row in history]
