"""The certificate ``axi-qualification/1``: what was measured here, signed with a key of this device alone."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import Struct

from edge.bundle.signing import load_private_key, load_public_keys, public_bytes
from edge.core.errors import AxiError, ConfigError
from edge.core.qualification import Qualification
from edge.files import digest_bytes, give_to_folders_owner, read_plain, write_durably

_SIGNED_AS = b"axi-qualification/1\n"


class _Sealed(Struct, frozen=True, kw_only=True):
    qualification: msgspec.Raw
    signature: str


class Shelf(NamedTuple):
    """Where a device keeps its certificate, and the key that it signs it with: beside the journal."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "qualification.json"

    @property
    def key(self) -> Path:
        return self.folder / "qualification.key"

    @property
    def public_key(self) -> Path:
        return self.folder / "qualification.pub"


def seal(found: Qualification, shelf: Shelf) -> None:
    """Sign and write it; the first time with a key made now. Raises ConfigError, also where nothing can be written."""
    try:
        shelf.folder.mkdir(parents=True, exist_ok=True)
        key = load_private_key(shelf.key) if shelf.key.exists() else _new_key(shelf)
        _write(shelf.public_key, public_bytes(key.public_key()), 0o644)
        raw = msgspec.json.format(msgspec.json.encode(found), indent=1)
        sealed = _Sealed(
            qualification=msgspec.Raw(raw), signature=base64.b64encode(key.sign(_SIGNED_AS + raw)).decode()
        )
        _write(shelf.certificate, msgspec.json.encode(sealed) + b"\n", 0o644)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or shelf.folder}: {error.strerror}; qualify as root, or as axi-edge"
        ) from error


def _new_key(shelf: Shelf) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    _write(shelf.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    return key


def _write(path: Path, content: bytes, mode: int) -> None:
    """As its folder's owner would have written it: root may do this for the service."""
    write_durably(path, content, mode)
    give_to_folders_owner(path)


class Unsealed(NamedTuple):
    """``digest``: of the file, by which it is named."""

    qualification: Qualification
    digest: str


def unseal(shelf: Shelf) -> Unsealed | None:
    """The certificate as it was signed; None where there is none. Raises ConfigError for one that is not as it was
    signed, or not signed by this device.
    """
    try:
        content = read_plain(shelf.certificate)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{shelf.certificate}: {error.strerror or error}") from error
    try:
        sealed = msgspec.json.decode(content, type=_Sealed)
        keys, signature = load_public_keys(shelf.public_key), base64.b64decode(sealed.signature, validate=True)
        keys[0].verify(signature, _SIGNED_AS + bytes(sealed.qualification))
        return Unsealed(msgspec.json.decode(sealed.qualification, type=Qualification), digest_bytes(content))
    except InvalidSignature:
        problem = "its signature is not this device's: it was altered, or is another device's"
    except (ValueError, RecursionError, AxiError) as error:
        problem = str(error)
    raise ConfigError(f"{shelf.certificate}: {problem}")
