"""A bundle on trial: activated in stages, watched for a while, and left again where it does badly.

What is on trial stands in a file beside the journal, one for each link of the configuration, so that it is known after
any kind of end, the daemon's included.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from edge.core.errors import ConfigError
from edge.core.wire import timestamp
from edge.files import exclusive_lock, give_to_folders_owner, read_plain, write_durably

MOST_STARTS = 3
"""A daemon that was started so often within a trial did not end by itself."""
LEAST_JOINTS = 50
"""Of its own that a bundle has judged before it is kept, however long that takes."""
_NOT_TAKEN_UP_S = 300.0
_REMEMBERED = 100
_BROKEN = ("runtime_crashed", "not_finite")
_DOUBTFUL = ("unfamiliar", "timeout")


class Trial(Struct, frozen=True, kw_only=True):
    """``bundle``: the folder that the link points to; ``digest``: of it; ``joint_type``: the route's that it is of, or
    ''; ``since``, ``until``: when it was activated, and until when it is watched at least. ``starts``: of the daemon,
    since.
    """

    bundle: str
    digest: str
    joint_type: str
    since: str
    until: str
    starts: int = 0

    def over(self, now: datetime) -> bool:
        return now >= datetime.fromisoformat(self.until)

    def overdue(self, now: datetime) -> bool:
        """Should it have been taken up by now?"""
        return now >= datetime.fromisoformat(self.since) + timedelta(seconds=_NOT_TAKEN_UP_S)


class Trials:
    """Files beside the journal: what is on trial, and what was left."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._left = journal.with_name(f"{journal.name}.left.json")

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whoever moves a link, or what is said of it, does that alone; False: somebody else does so now."""
        with exclusive_lock(self._beside("bundles.lock")) as free:
            yield free

    def begin(self, bundle: str, digest: str, joint_type: str, now: datetime, watch_s: float) -> None:
        """Raises ConfigError where another is on trial for these joints."""
        before = self.read(joint_type)
        if before is not None and before.digest != digest:
            raise ConfigError(f"{before.bundle} is on trial until {before.until}; activate another after that")
        until = now + timedelta(seconds=watch_s)
        self.write(
            Trial(bundle=bundle, digest=digest, joint_type=joint_type, since=timestamp(now), until=timestamp(until))
        )

    def write(self, trial: Trial) -> None:
        _give(self._path(trial.joint_type), msgspec.json.encode(trial))

    def read(self, joint_type: str) -> Trial | None:
        """What is on trial for these joints. Raises ConfigError for what cannot be read."""
        return _read(self._path(joint_type))

    def all(self) -> list[Trial]:
        """Raises ConfigError for one that cannot be read: it is watched by nobody."""
        found = (_read(path) for path in sorted(self._journal.parent.glob(f"{self._journal.name}.trial-*.json")))
        return [trial for trial in found if trial is not None]

    def end(self, joint_type: str) -> None:
        self._path(joint_type).unlink(missing_ok=True)

    def leave(self, digest: str) -> None:
        """It did badly, or somebody went back from it: it is not taken up again by itself."""
        if not self.was_left(digest):
            _give(self._left, msgspec.json.encode([*self._left_before(), digest][-_REMEMBERED:]))

    def forgive(self, digest: str) -> None:
        """Somebody wants it nonetheless."""
        if self.was_left(digest):
            _give(self._left, msgspec.json.encode([one for one in self._left_before() if one != digest]))

    def was_left(self, digest: str) -> bool:
        return digest in self._left_before()

    def _left_before(self) -> list[str]:
        try:
            return msgspec.json.decode(read_plain(self._left), type=list[str])
        except (OSError, ValueError):
            return []

    def _path(self, joint_type: str) -> Path:
        which = hashlib.sha256(joint_type.encode()).hexdigest()[:16] if joint_type else "main"
        return self._beside(f"trial-{which}.json")

    def _beside(self, what: str) -> Path:
        return self._journal.with_name(f"{self._journal.name}.{what}")


def _give(path: Path, content: bytes) -> None:
    """As the daemon would have written it: root may do this for it, whatever its umask."""
    write_durably(path, content)
    path.chmod(0o644)
    give_to_folders_owner(path)


def _read(path: Path) -> Trial | None:
    try:
        return msgspec.json.decode(read_plain(path), type=Trial)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}; look which bundle is active, then remove this file") from error


def trouble_with(reasons: Counter[str], max_doubtful: float) -> str:
    """What speaks against a bundle that has judged joints with these reasons, '' for none; '' where nothing does."""
    judged = reasons.total()
    broken = {reason: reasons[reason] for reason in _BROKEN if reasons[reason]}
    if broken:
        return ", ".join(f"{count} joints with {reason}" for reason, count in broken.items())
    doubtful = sum(reasons[reason] for reason in _DOUBTFUL)
    if judged >= LEAST_JOINTS and doubtful > max_doubtful * judged:
        return f"{doubtful} of {judged} joints look unfamiliar to it, or took too long"
    return ""
