"""A mosquitto for one line: TLS, every device confined to its own topics, and a bridge to the plant's broker with its
queue on disk. What each account is given lies in a folder of its own, a device's as ``axi-edge setup --from`` reads it.
"""

from __future__ import annotations

import grp
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from edge.core.errors import ConfigError, UsageError
from edge.files import read_plain, write_durably
from edge.setup.answers import TLS_PORT
from edge.setup.authority import Authority, authority_at
from edge.setup.bridging import Bridge, Bridging, line_of
from edge.setup.programs import require, run

_HOST = r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"
"""A name or an address; with two colons or more one of IPv6."""
_NAME = r"[A-Za-z0-9._-]{1,64}"
_HEAD = "# Written by axi-edge setup broker, and anew each time it runs.\n"
_QUEUE = 500_000
SETUP = "setup.toml"
_LINE = "line.json"
"""What was told, in the folder of what accounts are given."""


class Line(Struct, frozen=True, kw_only=True):
    """``hosts``: names and addresses by which the broker is reached, the first as devices are told. ``base_topic``:
    with ``{name}`` for a device's name. ``readers`` (dashboards, MES), ``operators`` (who may ask devices), and
    ``stations`` (which say reviews): accounts. ``certificates``: devices show one, instead of a password.
    """

    hosts: tuple[str, ...] = ()
    base_topic: str = ""
    devices: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()
    certificates: bool = False
    bridge: Bridge | None = None

    @property
    def accounts(self) -> tuple[str, ...]:
        return (*self.devices, *self.readers, *self.operators, *self.stations)

    @property
    def above(self) -> str:
        """What is above every device's topics: the levels before the one with its name."""
        return self.base_topic.partition("{name}")[0].rstrip("/")


class Where(NamedTuple):
    """``mosquitto``: its configuration's folder; ``out``: what devices and people are given; ``owner``: whose group may
    read mosquitto's secrets.
    """

    out: Path
    mosquitto: Path = Path("/etc/mosquitto")
    owner: str = "mosquitto"

    def for_account(self, name: str) -> Path:
        """What that account is given, and nobody else."""
        return self.out / "accounts" / name

    @property
    def configuration(self) -> Path:
        return self.mosquitto / "conf.d" / "axi.conf"

    @property
    def keys(self) -> Path:
        return self.mosquitto / "certs"


def over(before: Line, told: Line) -> Line:
    """What was told before stays; accounts and hosts are added to those before."""
    lists = ("devices", "readers", "operators", "stations", "hosts")
    both = {key: tuple(dict.fromkeys((*getattr(before, key), *getattr(told, key)))) for key in lists}
    return Line(
        **both,
        base_topic=told.base_topic or before.base_topic,
        certificates=told.certificates or before.certificates,
        bridge=told.bridge or before.bridge,
    )


def told_before(out: Path) -> Line:
    """Raises ConfigError for a file that cannot be read."""
    path = out / _LINE
    try:
        return msgspec.json.decode(read_plain(path), type=Line) if path.exists() else Line()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}; remove it, and say everything again") from error


def set_up(line: Line, where: Where) -> list[Path]:
    """Write all of it; passwords and certificates that are there stay. What was written.

    Raises UsageError for names that cannot be, ConfigError where mosquitto is missing or something cannot be written.
    """
    _require_usable(line)
    require("mosquitto_passwd", "mosquitto")
    _require_ours(where)
    bridge = Bridging.of(line.bridge) if line.bridge else None
    try:
        grp.getgrnam(where.owner)
        for folder in (where.out, where.keys, where.configuration.parent):
            folder.mkdir(parents=True, exist_ok=True)
        where.out.chmod(0o700)
        authority = authority_at(where.out / "ca.pem", where.out / "ca.key", f"axi-edge {line.hosts[0]}"[:64])
        written = [*_certificates(line, where, authority), *_accounts(line, where)]
        if bridge and bridge.authority:
            write_durably(where.keys / "axi-plant-ca.pem", bridge.authority)
        for path, text in (
            (where.mosquitto / "axi-acl", _HEAD + "\n".join(_rights(line)) + "\n"),
            (where.configuration, _HEAD + "\n".join(_settings(line, bridge, where)) + "\n"),
        ):
            write_durably(path, text.encode(), 0o640)  # the one has rights, the other may have a password
            written.append(path)
        for name in line.devices:
            write_durably(where.for_account(name) / SETUP, _told_to(line, name).encode())
        write_durably(where.out / _LINE, msgspec.json.encode(line))
        _hand_over(where)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror or error}; run it as root") from error
    except LookupError as error:
        raise ConfigError(f"{where.owner}: no such group; apt install mosquitto") from error
    return written


def _require_usable(line: Line) -> None:
    if not line.devices:
        raise UsageError("--device: missing; name each device")
    if not line.hosts:
        raise UsageError("--host: missing; the name or address that devices reach this broker by")
    for host in line.hosts:
        if not re.fullmatch(_HOST, host):
            raise UsageError(
                f"--host: {host!r}: a name or an address in plain letters, digits, dots and hyphens, no port"
            )
    for name in line.accounts:
        if not re.fullmatch(_NAME, name) or name in {".", ".."}:
            raise UsageError(f"{name!r}: letters, digits, dots, hyphens and underscores; name the account so")
    if len(set(line.accounts)) < len(line.accounts):
        raise UsageError("an account is named twice; name each once")
    _require_topic(line.base_topic)


def _require_topic(base_topic: str) -> None:
    if not base_topic:
        raise UsageError("--base-topic: missing; say it as acme/penang/smt/{name}")
    if "{name}" not in base_topic.split("/"):
        raise UsageError(f"--base-topic: {base_topic!r}: needs a level {{name}}, as acme/penang/smt/{{name}}")
    if re.search(r"[#+\s]", base_topic) or not all(base_topic.split("/")):
        raise UsageError(f"--base-topic: {base_topic!r}: no #, +, space or empty level")


def _certificates(line: Line, where: Where, authority: Authority) -> Iterator[Path]:
    """Of the broker, always anew, so that setting up again renews it; of devices where they are to have one."""
    shutil.copy(where.out / "ca.pem", where.keys / "axi-ca.pem")
    issued = authority.issue(line.hosts[0][:64], line.hosts)
    write_durably(where.keys / "axi-broker.pem", issued.certificate)
    write_durably(where.keys / "axi-broker.key", issued.key, 0o640)
    yield from (where.keys / name for name in ("axi-ca.pem", "axi-broker.pem", "axi-broker.key"))
    for name in line.accounts:
        folder = where.for_account(name)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(folder / "ca.pem", authority.pem)
        if line.certificates and not (folder / "key.pem").exists():
            issued = authority.issue(name)
            write_durably(folder / "cert.pem", issued.certificate)
            write_durably(folder / "key.pem", issued.key, 0o600)
        yield folder


def _accounts(line: Line, where: Where) -> Iterator[Path]:
    """A password for each account that has none, and mosquitto's file of them made anew out of all."""
    if line.certificates:
        return
    hashed = where.mosquitto / "axi-passwords"
    fresh = hashed.with_name(".axi-passwords.tmp")
    words = {name: _password_of(where.for_account(name)) for name in line.accounts}
    plain = "".join(f"{name}:{word}\n" for name, word in words.items())
    write_durably(fresh, plain.encode(), 0o600)
    run(["mosquitto_passwd", "-U", str(fresh)])  # in place: no password is an argument that others can see
    fresh.replace(hashed)
    yield hashed


def _password_of(folder: Path) -> str:
    """The one in an account's folder; made now where there is none."""
    path = folder / "password"
    if not path.exists():
        write_durably(path, f"{secrets.token_urlsafe(24)}\n".encode(), 0o600)
    return line_of(path)


def _require_ours(where: Where) -> None:
    """Raises ConfigError for files of these names that somebody else wrote: they are not overwritten."""
    for path in (where.configuration, where.mosquitto / "axi-acl"):
        if path.exists() and not path.read_bytes().startswith(_HEAD.encode()):
            raise ConfigError(
                f"{path}: was not written by axi-edge setup broker; move it away, with axi-passwords, first"
            )


def _rights(line: Line) -> Iterator[str]:
    """Who may do what, as an access list of mosquitto."""
    for name in line.devices:
        yield f"user {name}\ntopic readwrite {line.base_topic.replace('{name}', name)}/#"
    read = f"topic read {line.above}/#" if line.above else "topic read #"
    each = line.base_topic.replace("{name}", "+")
    for name in line.readers:
        yield f"user {name}\n{read}"
    for name in line.operators:
        yield f"user {name}\n{read}\ntopic write {each}/cmd/+"
    for name in line.stations:
        yield f"user {name}\n{read}\ntopic write {each}/review"


def _settings(line: Line, bridge: Bridging | None, where: Where) -> Iterator[str]:
    """Beside Debian's own mosquitto.conf, which says where messages are kept."""
    yield f"listener {TLS_PORT}"
    yield f"cafile {where.keys}/axi-ca.pem"
    yield f"certfile {where.keys}/axi-broker.pem"
    yield f"keyfile {where.keys}/axi-broker.key"
    yield "allow_anonymous false"
    if line.certificates:
        yield "require_certificate true\nuse_identity_as_username true"
    else:
        yield f"password_file {where.mosquitto}/axi-passwords"
    yield f"acl_file {where.mosquitto}/axi-acl"
    yield "# What comes while a station or the plant's broker is away; by default all but 1,000 is thrown away."
    yield f"max_queued_messages {_QUEUE}"
    yield "# On disk at most so many seconds later, whatever happens to this computer."
    yield "autosave_interval 10"
    if bridge:
        yield from _bridge(line, bridge, where)


def _bridge(line: Line, bridge: Bridging, where: Where) -> Iterator[str]:
    """Everything of ours goes out, commands and reviews come in."""
    topics, each = f"{line.above}/#" if line.above else "#", line.base_topic.replace("{name}", "+")
    yield f"\nconnection axi-plant\naddress {bridge.address}"
    yield f"topic {topics} out 1\ntopic {each}/cmd/+ in 1\ntopic {each}/review in 1"
    yield "bridge_protocol_version mqttv50\ncleansession false\nlocal_cleansession false\nstart_type automatic"
    yield "restart_timeout 2 30\nkeepalive_interval 30\nnotifications false\ntry_private true"
    if bridge.authority:
        yield f"bridge_cafile {where.keys}/axi-plant-ca.pem"
    if bridge.username:
        yield f"remote_username {bridge.username}"
    if bridge.password:
        yield f"remote_password {bridge.password}"


def _told_to(line: Line, name: str) -> str:
    """For ``axi-edge setup --from``: this file, and what it names beside it, go to that device."""
    files = (
        {"cert_file": "cert.pem", "key_file": "key.pem"}
        if line.certificates
        else {"username": name, "password_file": "password"}
    )
    host = f"[{line.hosts[0]}]" if ":" in line.hosts[0] else line.hosts[0]
    told = {"base_topic": line.base_topic, "broker": f"{host}:{TLS_PORT}", "ca_file": "ca.pem", **files}
    return _HEAD + "[all]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items())


def _hand_over(where: Where) -> None:
    """Mosquitto's own secrets to its group."""
    for path in (where.keys / "axi-broker.key", where.mosquitto / "axi-acl", where.mosquitto / "axi-passwords"):
        if path.exists():
            shutil.chown(path, group=where.owner)
            path.chmod(0o640)
    where.configuration.chmod(0o640)  # it may hold the bridge's password
    shutil.chown(where.configuration, group=where.owner)
