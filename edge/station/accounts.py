"""Who may use the station: local accounts, each with a role; passwords kept as argon2 hashes."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from edge.core.clocks import Monotonic
from edge.core.errors import UsageError
from edge.core.wire import timestamp
from edge.station.people import ROLES, People, Role, User

LEAST_LETTERS, _MOST_LETTERS = 12, 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Accounts:
    """Accounts in the station's database."""

    def __init__(self, people: People) -> None:
        self._people, self._hasher = people, PasswordHasher()
        self._nobody = self._hasher.hash("nobody has this password")

    def add(self, name: str, role: str, password: str) -> None:
        """Raises UsageError for what no account can be, or one that is there."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"user {name!r}: use letters, digits, '.', '_' and '-', at most 64")
        _require(role, password)
        alike = self._people.called_like(name)
        if alike and alike != name:
            raise UsageError(f"user {name}: {alike} differs in nothing but capitals; reviews must tell people apart")
        user = User(name, role, self._hasher.hash(password), timestamp(datetime.now(UTC)))
        if not self._people.add(user):
            raise UsageError(f"user {name}: is there already; axi-edge station user change sets role or password")

    def change(self, name: str, role: str | None, password: str | None) -> None:
        """Raises UsageError for nobody of that name."""
        known = self._people.user(name)
        if known is None:
            raise UsageError(f"user {name}: is not there; axi-edge station user add makes one")
        _require(role or known.role, password)
        self._people.change(name, role=role, password=self._hasher.hash(password) if password else None)

    def logged_in(self, session: str, now: float) -> tuple[str, Role] | None:
        """Who that session is of, and what he may; None where it has ended, or the account is gone."""
        user = self._people.user_of(session, now)
        return (user.name, ROLES[user.role]) if user else None

    def is_right(self, name: str, password: str) -> bool:
        """Takes as long whether or not there is such a user, so that names cannot be found by trying."""
        user = self._people.user(name) if len(name) <= _MOST_LETTERS else None
        try:
            right = self._hasher.verify(user.password if user else self._nobody, password[:_MOST_LETTERS])
        except (VerificationError, InvalidHashError):
            return False
        return right and user is not None


def _require(role: str, password: str | None) -> None:
    if role not in ROLES:
        raise UsageError(f"role {role!r}: one of {', '.join(ROLES)}")
    if password is not None and not LEAST_LETTERS <= len(password) <= _MOST_LETTERS:
        raise UsageError(f"the password has {len(password)} characters; use {LEAST_LETTERS} to {_MOST_LETTERS}")


class Attempts:
    """Wrong passwords lately, by whatever key they are counted: after some the next must wait, longer each time."""

    FREE, _FIRST_S, _MOST_S, _FORGET_S = 5, 2.0, 300.0, 900.0
    _MOST_KNOWN = 10_000

    def __init__(self, clock: Monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}

    def must_wait(self, *keys: str) -> float:
        """Seconds until another attempt is looked at; 0: now."""
        with self._lock:
            return max(0.0, *(self._wait(key) for key in keys))

    def _wait(self, key: str) -> float:
        count, last = self._wrong.get(key, (0, 0.0))
        if count < self.FREE:
            return 0.0
        pause = min(self._MOST_S, self._FIRST_S * 2.0 ** (count - self.FREE))
        return last + pause - self._clock()

    def failed(self, *keys: str) -> None:
        with self._lock:
            now = self._clock()
            if len(self._wrong) > self._MOST_KNOWN:
                self._wrong = {key: one for key, one in self._wrong.items() if one[1] > now - self._FORGET_S}
            for key in keys:
                count, last = self._wrong.get(key, (0, now))
                self._wrong[key] = (1 if now - last > self._FORGET_S else count + 1), now

    def succeeded(self, *keys: str) -> None:
        with self._lock:
            for key in keys:
                self._wrong.pop(key, None)
