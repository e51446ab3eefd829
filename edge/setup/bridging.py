"""A line's bridge to its plant's broker: what is told of it, looked at word by word before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cryptography.x509 import load_pem_x509_certificates
from msgspec import Struct

from edge.core.errors import ConfigError, UsageError
from edge.files import read_plain
from edge.setup.answers import LONGEST_SECRET, address_of


class Bridge(Struct, frozen=True):
    """The plant's broker. Files may be empty: no password, no TLS."""

    to: str
    username: str = ""
    password_file: str = ""
    ca_file: str = ""


class Bridging(NamedTuple):
    """A bridge whose every word was looked at. ``authority``: PEM, b"" without TLS."""

    address: str
    authority: bytes
    username: str
    password: str

    @classmethod
    def of(cls, bridge: Bridge) -> Bridging:
        """Raises UsageError or ConfigError naming the flag, or the file."""
        try:
            host, port = address_of(bridge.to, tls=bool(bridge.ca_file))
        except ConfigError as error:
            raise ConfigError(str(error).replace("--broker", "--bridge-to")) from error
        if not bridge.username.isprintable() or (bridge.password_file and not bridge.username):
            raise UsageError("--bridge-username: one line of text, and needed with a password; name the account there")
        password = line_of(Path(bridge.password_file)) if bridge.password_file else ""
        return cls(f"{host}:{port}", _authority_of(bridge.ca_file), bridge.username, password)


def _authority_of(path: str) -> bytes:
    if not path:
        return b""
    try:
        content = read_plain(Path(path), LONGEST_SECRET)
        load_pem_x509_certificates(content)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--bridge-ca-file: {path}: {error}; name a readable PEM certificate") from error
    return content


def line_of(path: Path) -> str:
    """A file's only line. Raises ConfigError for one that could say more than a password."""
    try:
        text = read_plain(path, LONGEST_SECRET).decode().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}; name a readable file with one line of text") from error
    if not text or not text.isprintable():
        raise ConfigError(f"{path}: not one line of text; put the password there, and nothing else")
    return text
