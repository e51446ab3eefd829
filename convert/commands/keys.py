"""``axi-convert keys``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from convert.commands import Commands
from edge.core.errors import UsageError

PRIVATE, PUBLIC = "signing.pem", "signing.pub"


def add_keys(commands: Commands) -> None:
    keys = commands.add_parser("keys", help="an Ed25519 key pair to sign bundles with")
    keys.add_argument("--out", required=True, type=Path, metavar="DIR", help="a folder that holds no key yet")
    keys.set_defaults(action=_keys)


def _keys(arguments: argparse.Namespace) -> int:
    private, public = make_keys(arguments.out)
    print(f"{private}: keep it where bundles are built, and nowhere else")
    print(f"{public}: goes to every device, [model] public_key_file")
    return 0


def make_keys(out: Path) -> tuple[Path, Path]:
    """Write a fresh pair into ``out``; the private key is readable by its owner alone.

    Raises UsageError rather than replace a key: bundles signed with it would no longer be accepted.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from edge.bundle.signing import public_bytes

    private, public = out / PRIVATE, out / PUBLIC
    out.mkdir(parents=True, exist_ok=True)
    for path in (private, public):
        if path.exists():
            raise UsageError(f"{path}: exists already; name another folder, or remove it if nothing was signed with it")
    key = Ed25519PrivateKey.generate()
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(public_bytes(key.public_key()))
    return private, public
