"""Nobody gets in without an account, and nobody by trying."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.core.errors import UsageError
from edge.station.accounts import Accounts, Attempts
from edge.station.database import Database
from edge.station.people import People, Role
from tests.unit.edge.station.test_claims import Clock

PASSWORD = "correct horse battery"  # noqa: S105 - of a test


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(Database(tmp_path / "station.db"))


@pytest.fixture
def accounts(people: People) -> Accounts:
    found = Accounts(people)
    found.add("anna", "specialist", PASSWORD)
    return found


def test_only_the_right_password_is_right(accounts: Accounts, people: People) -> None:
    assert accounts.is_right("anna", PASSWORD)
    for name, password in (
        ("anna", PASSWORD + "x"),
        ("anna", ""),
        ("ben", PASSWORD),
        ("", ""),
        ("a" * 9999, "b" * 9999),
    ):
        assert not accounts.is_right(name, password)
    (user,) = people.everybody()
    assert PASSWORD not in user.password
    assert user.password.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("name", "role", "password", "told"),
    [
        ("anna", "viewer", PASSWORD, "is there already"),
        ("../ben", "viewer", PASSWORD, "use letters"),
        ("<script>", "viewer", PASSWORD, "use letters"),
        ("ben", "root", PASSWORD, "one of viewer, specialist, engineer"),
        ("ben", "viewer", "short", "use 12 to 512"),
        ("ben", "viewer", "x" * 513, "use 12 to 512"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_a_reason(
    name: str, role: str, password: str, told: str, accounts: Accounts, people: People
) -> None:
    with pytest.raises(UsageError, match=told):
        accounts.add(name, role, password)
    assert [user.name for user in people.everybody()] == ["anna"]


def test_names_that_differ_in_capitals_alone_are_refused(accounts: Accounts) -> None:
    with pytest.raises(UsageError, match="user Anna: anna differs in nothing but capitals"):
        accounts.add("Anna", "viewer", "a very long password")


def test_a_session_ends_by_itself_by_logging_out_and_with_the_password(accounts: Accounts, people: People) -> None:
    for session in "abc":
        people.begin_session(session, "anna", now=0, until=100)
    assert accounts.logged_in("a", 99) == ("anna", Role.SPECIALIST)
    assert accounts.logged_in("a", 100) is None
    assert accounts.logged_in("nobody's", 1) is None
    people.end_session("a")
    assert accounts.logged_in("a", 1) is None
    accounts.change("anna", "engineer", None)
    assert accounts.logged_in("b", 1) == ("anna", Role.ENGINEER)
    accounts.change("anna", None, "another long password")
    assert accounts.logged_in("b", 1) is None
    assert accounts.is_right("anna", "another long password")
    people.begin_session("d", "anna", now=0, until=100)
    assert people.remove("anna")
    assert accounts.logged_in("d", 1) is None
    with pytest.raises(UsageError, match="user add makes one"):
        accounts.change("anna", "viewer", None)


def test_after_some_wrong_attempts_one_waits_longer_each_time() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    waits = []
    for _ in range(20):
        clock.now += attempts.must_wait("anna", "10.0.0.1")
        attempts.failed("anna", "10.0.0.1")
        waits.append(attempts.must_wait("anna", "10.0.0.2"))
    assert waits[: Attempts.FREE - 1] == [0] * (Attempts.FREE - 1)
    rising = waits[Attempts.FREE - 1 :]
    assert rising == sorted(rising)
    assert rising[0] > 0
    assert attempts.must_wait("ben", "10.0.0.1") > 0
    assert attempts.must_wait("ben", "10.0.0.3") == 0
    attempts.succeeded("anna")
    assert attempts.must_wait("anna", "10.0.0.2") == 0
