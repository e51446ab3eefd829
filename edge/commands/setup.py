"""``axi-edge setup``: asks what only the plant knows, writes it down, and starts the device."""

from __future__ import annotations

import argparse
import grp
import os
import pwd
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge.commands import Commands, add_config
from edge.commands.doctor import examine
from edge.commands.doctor_places import configuration_finding
from edge.commands.findings import Health
from edge.commands.running import journal_by, state_now
from edge.commands.service_limits import as_the_service, service
from edge.commands.setup_more import add_broker, add_computer, add_share
from edge.config import Settings, drop_ins
from edge.core.errors import ConfigError, UsageError
from edge.daemon.broker import broker_trouble
from edge.setup.answers import Answers, Told, address, of_file, over, own_name, require_name, whole
from edge.setup.steps import OWNER, give_bundle, managed, start_services
from edge.setup.written import Places, already, changed_files, profiles, write_all

_BUNDLES = "/var/lib/axi-edge/bundles/current"
_PATIENCE_S = 60.0
_FLAGS = (
    ("base_topic", "TOPIC", "everything is published below it, such as acme/penang/smt/line3/axi1"),
    ("broker", "HOST[:PORT]", "port by default 1883, with --ca-file 8883"),
    ("username", "USER", "at the broker"),
    ("password_file", "FILE", "with that user's password; it is copied"),
    ("ca_file", "FILE", "with the certificate of the broker's authority, for TLS; it is copied"),
    ("cert_file", "FILE", "with this device's own certificate, for mutual TLS; it is copied"),
    ("key_file", "FILE", "with its key; it is copied"),
)


def add_setup(commands: Commands) -> None:
    setup = commands.add_parser(
        "setup",
        help="asks what only the plant knows of this device, writes it down, and starts it",
        epilog="In every text {name} stands for the device's name. Once more, it changes what is said, and no more.",
    )
    setup.add_argument("--name", default="", help="of the device, part of every event_id; default: the computer's")
    for key, what, words in _FLAGS:
        setup.add_argument(f"--{key.replace('_', '-')}", default="", metavar=what, help=words)
    setup.add_argument("--profile", default="", help=f"of {', '.join(profiles())}; default: x86-64-box")
    setup.add_argument("--from", dest="file", type=Path, metavar="FILE", help="these answers, for many devices: TOML")
    setup.add_argument(
        "--anyway", action="store_true", help="also where a device that works would not reach the broker then"
    )
    setup.add_argument("--no-start", action="store_true", help="write everything, start nothing")
    add_config(setup)
    setup.set_defaults(action=_setup)
    around = setup.add_subparsers(metavar="WHAT", title="what stands around a device", prog="axi-edge setup")
    for add in (add_broker, add_share, add_computer):
        add(around)


def _setup(arguments: argparse.Namespace) -> int:
    if os.geteuid():
        raise UsageError("setup writes the system's files: run it as root, for example with sudo")
    places = Places(arguments.config)
    before, known, tls = already(places)
    if before and arguments.profile:
        raise UsageError(
            f"--profile: {places.config} is there already, and stays as it is besides; edit it, or move it"
        )
    name = arguments.name or before or own_name()
    asked = sys.stdin.isatty() and not arguments.file
    if asked and not arguments.name and not before:
        name = _ask("name of this device", name, require_name)
    answers = whole(name, _told(arguments, name, known), _ask if asked else None, tls=tls)
    if not before:
        _require_account()
    if places.config.exists():
        _require_readable(places)
    settings = _written(arguments, places, answers, list(_changes(before, known, answers, places)) if before else [])
    link = Path(settings.model.bundle)
    if not before and not link.exists() and give_bundle(link, places.config):
        print("bundle: the one that comes with axi-edge")
    if arguments.no_start or not managed():
        return int(bool(_found(settings)))
    return _started(settings, answers, places, anew=bool(before))


def _written(arguments: argparse.Namespace, places: Places, answers: Answers, changes: Sequence[str]) -> Settings:
    """Unless a device that works would lose its broker by it. ``changes``: of one that was told before."""
    risky = bool(changes and not arguments.no_start) or _connected(places)
    settings = write_all(
        answers,
        places,
        bundle=_BUNDLES,
        trusted=str(places.folder / "trusted.pem"),
        first=_require_reached if risky and not arguments.anyway else None,
    )
    print(f"{places.config}: written")
    for change in changes:
        print(f"changed: {change}")
    for note in _overruled(settings, answers, places):
        print(note)
    return settings


def _started(settings: Settings, answers: Answers, places: Places, *, anew: bool) -> int:
    _require_readable(places)
    try:
        units = start_services(anew=anew)
    except ConfigError:
        _found(settings)  # the doctor knows more of it than the service manager
        raise
    print(f"started: {', '.join(units)}", flush=True)
    failing = _found(settings)
    return max(int(bool(failing)), _waited(settings, answers, reached="broker" not in failing))


def _require_readable(places: Places) -> None:
    """Raises ConfigError where the service's user could not read it: root may read everything, and would not see."""
    readable = as_the_service(service(), lambda: configuration_finding(places.config))
    if readable.health is Health.FAIL:
        raise ConfigError(f"{readable.text}. Nothing was started anew")


def _connected(places: Places) -> bool:
    """Does the daemon that runs reach its broker? A restart could take it away, whether or not anything is changed."""
    try:
        state = state_now(journal_by(places.config).journal)
    except ConfigError:
        return False
    return state is not None and state.connected


def _told_now(answers: Answers) -> dict[str, str]:
    return {key: getattr(answers, key) for key in ("name", "base_topic", "broker", "username")}


def _overruled(settings: Settings, answers: Answers, places: Places) -> Iterator[str]:
    """What was said, and a drop-in says otherwise."""
    mqtt = settings.mqtt
    broker = address(mqtt.host, mqtt.port)
    topic, user = mqtt.base_topic, mqtt.username
    in_force = {"name": settings.device.name, "base_topic": topic, "broker": broker, "username": user}
    for key, said in _told_now(answers).items():
        if in_force[key] != said:
            yield f"{key}: {in_force[key]} is in force all the same, by a file in {drop_ins(places.config)}"


def _require_reached(settings: Settings) -> None:
    """Raises ConfigError where a device that works would lose its broker."""
    if problem := broker_trouble(settings):
        remedy = "correct what was said, or say --anyway too, and its verdicts wait until the broker is there"
        raise ConfigError(f"{problem}. Nothing was changed, and this device goes on as it is; {remedy}")


def _changes(before: str, known: Told, answers: Answers, places: Places) -> Iterator[str]:
    """Of a device that was told before: old and new, so that the way back is known."""
    was = {"name": before, "base_topic": known.base_topic, "broker": known.broker, "username": known.username}
    for key, now in _told_now(answers).items():
        if was[key] != now:
            yield f"{key} {was[key] or 'none'} -> {now or 'none'}"
    for key, old in changed_files(answers, places).items():
        yield f"{key} is now that of {getattr(answers, key)}{f'; the one before is {old}' if old else ''}"


def _require_account() -> None:
    """Raises ConfigError before anything is written that would belong to nobody."""
    try:
        pwd.getpwnam(OWNER)
        grp.getgrnam(OWNER)
    except KeyError as error:
        remedy = "the package makes them; from the sources, systemd-sysusers does"
        raise ConfigError(f"{OWNER}: no such user or group here; {remedy}") from error


def _told(arguments: argparse.Namespace, name: str, known: Told) -> Told:
    flags = {key: getattr(arguments, key) for key, _, _ in _FLAGS}
    file = of_file(arguments.file, name) if arguments.file else Told()
    told = over(over(known, file), Told(**flags, profile=arguments.profile))
    return over(Told(profile="x86-64-box"), told)


def _ask(question: str, default: str, require: Callable[[str], object]) -> str:
    """Until the answer can be used: none of those before is lost for one that cannot."""
    shown = f" [{default}]" if default else ""
    while True:
        print(f"{question}{shown}: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise UsageError("the answers ended before the questions; say the rest by flags, or --from a file")
        answer = line.strip() or default
        try:
            require(answer)
        except ConfigError as error:
            print(error, file=sys.stderr)
        else:
            return answer


def _found(settings: Settings) -> set[str]:
    """What the doctor finds amiss; nothing of what is well. The names of what fails."""
    failing = set()
    for finding in examine(settings, service()):
        if finding.health is not Health.OK:
            print(f"{finding.health.value:<4}  {finding.what:<13} {finding.text}", flush=True)
        if finding.health is Health.FAIL:
            failing.add(finding.what)
    return failing


def _waited(settings: Settings, answers: Answers, *, reached: bool) -> int:
    """``reached``: has the broker answered the doctor? Where not, it is not waited for."""
    journal = Path(settings.journal.path)
    what = "the daemon, and for its broker" if reached else "the daemon"
    print(f"waiting for {what}, {_PATIENCE_S:g} s at most", flush=True)
    late = time.monotonic() + _PATIENCE_S
    while time.monotonic() < late:
        state = state_now(journal)
        if state is not None and state.connected:
            where = f"{settings.mqtt.host}:{settings.mqtt.port}, publishing below {settings.mqtt.base_topic}"
            print(f"{answers.name} runs, and is connected with {where}")
            return 0
        if state is not None and not reached:
            print(f"{answers.name} runs, without its broker: what it decides waits until that answers")
            return 1
        time.sleep(0.2)
    why = "the broker has not answered" if state_now(journal) else "the daemon does not run"
    print(f"not healthy within {_PATIENCE_S:g} s: {why}; journalctl -u axi-edge says more")
    return 1
