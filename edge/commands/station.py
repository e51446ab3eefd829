"""``axi-edge station``: the review station, and its users."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from edge.commands import Commands, add_config
from edge.config import Settings, load_settings
from edge.core.errors import ConfigError, UsageError
from edge.station.people import ROLES, People


def add_station(commands: Commands) -> None:
    station = commands.add_parser("station", help="the review station, where specialists say what joints really are")
    add_config(station)
    station.set_defaults(action=_serve)
    deeper = station.add_subparsers(metavar="COMMAND")
    known = deeper.add_parser(
        "known", help="joints whose truth you know: they are dealt among others, and measure reviewers"
    )
    known.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a table as of review import --settled")
    add_config(known)
    known.set_defaults(action=_known)
    user = deeper.add_parser("user", help="who may use it").add_subparsers(required=True, metavar="COMMAND")
    for name, words, action in (
        ("add", "an account; asks for its password, or reads it from a pipe", _add),
        ("change", "another role, or another password, which ends all sessions", _change),
        ("remove", "an account; its reviews stay", _remove),
        ("list", "who there is", _list),
    ):
        command = user.add_parser(name, help=words)
        if name != "list":
            command.add_argument("name", metavar="NAME", help="what is typed at the login, and stands in every review")
        if name == "add":
            command.add_argument("--role", choices=list(ROLES), default="specialist", help="default: specialist")
        if name == "change":
            command.add_argument("--role", choices=list(ROLES), help="another one")
            command.add_argument("--password", action="store_true", help="ask for a new one")
        add_config(command)
        command.set_defaults(action=action)


def _serve(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    from edge.station.serving import serve

    serve(settings, lambda address: print(f"station: {address}", flush=True))
    return 0


def _add(arguments: argparse.Namespace) -> int:
    people = _people(arguments)
    from edge.station.accounts import Accounts

    Accounts(people).add(arguments.name, arguments.role, _password())
    print(f"{arguments.name}: {arguments.role}")
    return 0


def _change(arguments: argparse.Namespace) -> int:
    if not (arguments.role or arguments.password):
        raise UsageError("name --role, --password, or both")
    people = _people(arguments)
    from edge.station.accounts import Accounts

    Accounts(people).change(arguments.name, arguments.role, _password() if arguments.password else None)
    print(f"{arguments.name}: changed")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    if not _people(arguments).remove(arguments.name):
        raise UsageError(f"user {arguments.name}: is not there; axi-edge station user list names those who are")
    print(f"{arguments.name}: removed")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    everybody = _people(arguments).everybody()
    for user in everybody:
        print(f"{user.name}\t{user.role}\tsince {user.created}")
    if not everybody:
        print("nobody yet; axi-edge station user add NAME")
    return 0


def _known(arguments: argparse.Namespace) -> int:
    """1 where a line means no joint that can measure anybody."""
    settings = _settings(arguments)
    from edge.station.serving import open_database
    from edge.station.truths import hand_over

    database, wrong = open_database(settings), 0
    for path in arguments.files:
        found = hand_over(path, database, Path(settings.spool.path))
        for problem in found.problems:
            print(f"{path}: {problem}", file=sys.stderr)
        wrong += len(found.problems)
        if found.lies:
            words = f"of known truth from now on: {found.defects} defective and {found.good} good"
            rest = f", and {found.released} released, which no reviewer is shown" if found.released else ""
            print(f"{path}: {words}{rest}; handed to the device as {found.lies}")
    if not settings.station.known_share:
        print("[station] known_share is 0: they are not shown to anybody", file=sys.stderr)
    return int(wrong > 0)


def _people(arguments: argparse.Namespace) -> People:
    settings = _settings(arguments)
    from edge.station.serving import open_database

    return People(open_database(settings))


def _settings(arguments: argparse.Namespace) -> Settings:
    """Raises ConfigError where the station's libraries are not installed, too."""
    settings = load_settings(arguments.config)
    try:
        import argon2  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(f"the review station needs {error.name}; install axi-edge[station]") from error
    return settings


def _password() -> str:
    """Typed twice, or one line of a pipe."""
    if not sys.stdin.isatty():
        try:
            return sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UsageError("the password is no text in UTF-8; save it as such") from error
    password = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != password:
        raise UsageError("the two are not alike; try again")
    return password
