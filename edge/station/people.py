"""Accounts and sessions, as the station's database keeps them."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from edge.station.database import Database


class Role(IntEnum):
    """Each may what those before may. A viewer looks, a specialist reviews, an engineer sees who reviewed how."""

    VIEWER = 1
    SPECIALIST = 2
    ENGINEER = 3


ROLES = {role.name.lower(): role for role in Role}


class User(NamedTuple):
    """``password``: as argon2 keeps it."""

    name: str
    role: str
    password: str
    created: str


class People:
    """Who may use the station, and who is logged in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, user: User) -> bool:
        """False where there is one of that name."""
        with self._database.transaction() as db:
            found = db.execute("INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?)", user)
            return found.rowcount == 1

    def change(self, name: str, *, role: str | None = None, password: str | None = None) -> bool:
        with self._database.transaction() as db:
            found = db.execute(
                "UPDATE users SET role = COALESCE(?, role), password = COALESCE(?, password) WHERE name = ?",
                (role, password, name),
            )
            if password:  # whoever knew the old one is out
                db.execute("DELETE FROM sessions WHERE name = ?", (name,))
            return found.rowcount == 1

    def remove(self, name: str) -> bool:
        with self._database.transaction() as db:
            return db.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount == 1

    def called_like(self, name: str) -> str:
        """The name of whoever is called so but for capitals; '' for nobody."""
        asked = "SELECT name FROM users WHERE lower(name) = lower(?) ORDER BY name <> ?"  # the very name first
        rows = self._database.rows(asked, (name, name))
        return str(rows[0][0]) if rows else ""

    def user(self, name: str) -> User | None:
        rows = self._database.rows("SELECT name, role, password, created FROM users WHERE name = ?", (name,))
        return User(*rows[0]) if rows else None

    def everybody(self) -> list[User]:
        rows = self._database.rows("SELECT name, role, password, created FROM users ORDER BY name")
        return [User(*row) for row in rows]

    def begin_session(self, session: str, name: str, now: float, until: float) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM sessions WHERE until < ?", (now,))
            db.execute("INSERT INTO sessions VALUES (?, ?, ?)", (session, name, until))

    def end_session(self, session: str) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM sessions WHERE id = ?", (session,))

    def user_of(self, session: str, now: float) -> User | None:
        """Who is logged in by that session; None where it has ended."""
        rows = self._database.rows(
            "SELECT users.name, role, password, created FROM users JOIN sessions USING (name) "
            "WHERE id = ? AND until > ?",
            (session, now),
        )
        return User(*rows[0]) if rows else None
