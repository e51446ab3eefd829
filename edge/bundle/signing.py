"""Ed25519 keys, and signatures over a card's bytes."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from edge.core.errors import BundleRefused, ConfigError
from edge.files import read_plain

_SIGNED_AS = b"axi-bundle/1\n"


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read a PEM public key. Raises ConfigError."""
    try:
        key = load_pem_public_key(read_plain(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as a PEM public key ({error}); point to an Ed25519 key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path}: not an Ed25519 key; make one with axi-convert keys")
    return key


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read an unencrypted PEM private key. Raises ConfigError."""
    try:
        key = load_pem_private_key(read_plain(path), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: not readable as a PEM private key ({error}); point to an Ed25519 key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: not an Ed25519 key; make one with axi-convert keys")
    return key


def public_bytes(key: Ed25519PublicKey) -> bytes:
    """The public key as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign(raw_card: bytes, key: Ed25519PrivateKey) -> bytes:
    """The content of a SIGNATURE file."""
    return b"ed25519 " + base64.b64encode(key.sign(_SIGNED_AS + raw_card)) + b"\n"


def verify(path: Path, raw_card: bytes, key: Ed25519PublicKey) -> None:
    """Raises BundleRefused unless ``path`` holds a signature of ``raw_card`` under ``key``."""
    if not path.is_file():
        raise BundleRefused(f"{path}: missing, but a public key is pinned; sign the bundle with axi-convert build")
    try:
        scheme, _, encoded = read_plain(path).strip().partition(b" ")
        if scheme != b"ed25519":
            raise BundleRefused(f"{path}: scheme {scheme[:20]!r} is not ed25519; sign the bundle again")
        key.verify(base64.b64decode(encoded, validate=True), _SIGNED_AS + raw_card)
    except OSError as error:
        raise BundleRefused(f"{path}: {error.strerror or error}; make it readable for this user") from error
    except (InvalidSignature, binascii.Error) as error:
        raise BundleRefused(
            f"{path}: does not match card.json under the pinned public key; get the bundle from its signer again"
        ) from error
