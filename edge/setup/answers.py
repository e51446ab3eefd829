"""What a device must be told: by flags, by a file for many devices, or by whoever sits before it."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, Protocol

import msgspec
from msgspec import Meta, Struct

from edge.adapters.certificates import certificates_in
from edge.core.errors import ConfigError, UsageError
from edge.files import read_plain
from edge.toml import load_toml

PORT, TLS_PORT = 1883, 8883
LONGEST_SECRET = 65_535
"""Bytes of a file with a password, a key or certificates."""
_FILES = ("password_file", "ca_file", "cert_file", "key_file")


class Told(Struct, frozen=True, kw_only=True):
    """As a file or flags have it; empty: not told. ``broker``: HOST or HOST:PORT; in every text ``{name}`` stands for
    the device's name.
    """

    base_topic: str = ""
    broker: str = ""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    profile: str = ""


class Fleet(Struct, frozen=True, kw_only=True):
    """One file for many devices: what ``all`` of them are told, and what each is told besides, or instead."""

    all: Told = Told()
    devices: dict[Annotated[str, Meta(min_length=1, max_length=64)], Told] = {}


class Answers(NamedTuple):
    """Whole: what is written from it can be used. Files are named by absolute paths; empty: there is none."""

    name: str
    base_topic: str
    host: str
    port: int
    username: str
    password_file: str
    ca_file: str
    cert_file: str
    key_file: str
    profile: str

    @property
    def broker(self) -> str:
        return address(self.host, self.port)


def of_file(path: Path, name: str) -> Told:
    """What the file has for the device ``name``. Raises ConfigError, also where it does not know the device."""
    fleet = load_toml(path, Fleet)
    if fleet.devices and name not in fleet.devices:
        known = ", ".join(fleet.devices)
        raise ConfigError(f"{path}: [devices.{name}]: missing; add it, or say --name with one of {known}")
    told = over(fleet.all, fleet.devices.get(name, Told()))
    beside = {key: str(path.absolute().parent / value) for key in _FILES if (value := getattr(told, key))}
    return msgspec.structs.replace(told, **beside)


def over(below: Told, above: Told) -> Told:
    """What ``above`` does not say, ``below`` does."""
    said = {key: value for key in Told.__struct_fields__ if (value := getattr(above, key))}
    return msgspec.structs.replace(below, **said)


def own_name() -> str:
    """What this computer is called, as a device may be."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname().partition(".")[0])[:64].strip("-")


def whole(name: str, told: Told, ask: Ask | None, *, tls: bool = False) -> Answers:
    """Everything, what is missing asked for; without ``ask`` it is an error. ``tls``: that is in force already.

    Raises UsageError naming the flag, ConfigError for what cannot be used.
    """
    told = _asked(name, told, ask)
    for key, flag in (("base_topic", "--base-topic"), ("broker", "--broker")):
        if not getattr(told, key):
            raise UsageError(f"{flag}: missing; say it, or run axi-edge setup at a terminal, where it asks")
    filled = {key: getattr(told, key).replace("{name}", name) for key in Told.__struct_fields__}
    filled |= {key: str(Path(filled[key]).absolute()) for key in _FILES if filled[key]}
    require_name(name)
    _require_topic(filled["base_topic"])
    host, port = address_of(filled.pop("broker"), tls=tls or bool(filled["ca_file"]))
    return Answers(name=name, host=host, port=port, **filled)


def require_name(name: str) -> None:
    """Raises ConfigError in words, where the configuration would only name a pattern."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise ConfigError(f"--name: {name!r}: letters, digits, dots, hyphens and underscores, at most 64; name it so")


def _require_topic(base_topic: str) -> None:
    """The same."""
    levels = base_topic.split("/")
    if base_topic.startswith("$") or not all(levels) or re.search(r"[#+\x00\s]", base_topic):
        remedy = "no #, +, space, leading $ or empty level, such as acme/penang/smt/line3/axi1"
        raise ConfigError(f"--base-topic: {base_topic!r}: {remedy}")


class Ask(Protocol):
    """Question and default in, answer out; asked again for as long as ``require`` raises ConfigError."""

    def __call__(self, question: str, default: str, require: Callable[[str], object]) -> str: ...


def _asked(name: str, told: Told, ask: Ask | None) -> Told:
    if ask is None or (told.base_topic and told.broker):
        return told
    questions: Mapping[str, tuple[str, str, Callable[[str], object]]] = {
        "base_topic": (
            "topic that everything is published below, such as acme/penang/smt/line3/axi1",
            "",
            lambda text: _require_topic(text.replace("{name}", name)),
        ),
        "broker": ("broker, HOST or HOST:PORT", "localhost", lambda text: address_of(text, tls=False)),
        "ca_file": (
            "file with the certificate of the broker's authority, for TLS (none: without)",
            "",
            lambda path: path and certificates_in(path.replace("{name}", name), "--ca-file"),
        ),
        "username": ("user at the broker (none: without)", "", str),
        "password_file": (
            "file with that user's password (none: without)",
            "",
            lambda path: path and content_of(path.replace("{name}", name)),
        ),
    }
    answers = {key: ask(*question) for key, question in questions.items() if not getattr(told, key)}
    return msgspec.structs.replace(told, **answers)


def content_of(path: str) -> bytes:
    """Of a file with a password, a key or certificates. Raises ConfigError."""
    try:
        return read_plain(Path(path), LONGEST_SECRET)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; name a readable file") from error


def address(host: str, port: int) -> str:
    """HOST:PORT, as ``address_of`` reads it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_of(text: str, *, tls: bool) -> tuple[str, int]:
    """Raises ConfigError."""
    usual = TLS_PORT if tls else PORT
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?", text)
    plain = re.fullmatch(r"([^:\s]+)(?::(\d{1,5}))?", text)
    found = bracketed or plain
    if not found or int(found[2] or usual) not in range(1, 65_536):
        remedy = "HOST or HOST:PORT, no more, such as broker.plant:8883 or [fd00::1]:8883"
        raise ConfigError(f"--broker: {text!r}: {remedy}")
    return found[1], int(found[2] or usual)
