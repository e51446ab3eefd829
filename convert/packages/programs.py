"""Programs of Debian's that do the work: what they say, or a sentence on why not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.core.errors import ConfigError

_PACKAGES = {"dpkg-deb": "dpkg", "apt-ftparchive": "apt-utils", "gpg": "gnupg"}


def said(words: Sequence[str], besides: Mapping[str, str], folder: Path | None = None) -> str:
    """What the program printed. ``besides``: more of its environment. Raises ConfigError where it is missing or
    fails.
    """
    program = words[0]
    if shutil.which(program) is None:
        raise ConfigError(f"{program}: not found; apt-get install {_PACKAGES[program]}")
    done = subprocess.run(words, cwd=folder, env={**os.environ, **besides}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"{program}: {done.stderr.strip() or done.returncode}")
    return done.stdout
