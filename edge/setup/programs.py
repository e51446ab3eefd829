"""Programs of the system's that set-up calls."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from edge.core.errors import ConfigError


def run(words: Sequence[str], *, said: str = "", user: str = "") -> str:
    """Its output. ``said``: what it is told on its standard input; ``user``: as whom. Raises ConfigError with its last
    word where it fails.
    """
    identity = {"user": user, "group": user} if user else {}
    try:
        done = subprocess.run(words, input=said, capture_output=True, text=True, check=False, cwd="/", **identity)  # type: ignore[call-overload]
    except OSError as error:
        raise ConfigError(f"{words[0]}: {error.strerror or error}") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise ConfigError(f"{' '.join(words[:3])}: {last[-1]}")
    return str(done.stdout)


def require(program: str, package: str) -> None:
    """Raises ConfigError naming the package that has it."""
    if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        raise ConfigError(f"{program}: not installed; apt install {package}")
