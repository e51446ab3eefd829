"""Ed25519 keys, and signatures over a card's bytes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
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

_BEGIN = b"-----BEGIN "
_BLOCK = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
_SIGNED_AS = b"axi-bundle/1\n"


def load_public_keys(path: Path) -> tuple[Ed25519PublicKey, ...]:
    """Every PEM public key of a file, one after the other: whoever may sign. Raises ConfigError.

    What stands between the keys is for people, so each can be told whose it is.
    """
    try:
        keys = [load_pem_public_key(block) for block in _blocks(read_plain(path))]
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as PEM public keys ({error}); point to Ed25519 keys") from error
    wanted = tuple(key for key in keys if isinstance(key, Ed25519PublicKey))
    if len(wanted) != len(keys):
        raise ConfigError(f"{path}: holds a key that is not Ed25519; make one with axi-convert keys")
    return wanted


def pinned_keys(file: str) -> tuple[Ed25519PublicKey, ...]:
    """Those of a file that a configuration or a flag names; none where it names none. Raises ConfigError."""
    return load_public_keys(Path(file)) if file else ()


def _blocks(content: bytes) -> list[bytes]:
    """The public keys in a PEM file. Raises ValueError for a file without one, or with anything beside them."""
    blocks = _BLOCK.findall(content)
    if len(blocks) != content.count(_BEGIN):
        raise ValueError("it holds something else, or half a key")
    if not blocks:
        raise ValueError("it holds no key")
    return blocks


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


def verify(path: Path, raw_card: bytes, keys: Sequence[Ed25519PublicKey]) -> None:
    """Raises BundleRefused unless ``path`` holds a signature of ``raw_card`` under one of the keys."""
    if not path.is_file():
        raise BundleRefused(f"{path}: missing, but a public key is pinned; sign the bundle with axi-convert build")
    try:
        content = read_plain(path)
    except OSError as error:
        raise BundleRefused(f"{path}: {error.strerror or error}; make it readable for this user") from error
    verify_content(content, raw_card, keys, path)


def verify_content(content: bytes, raw_card: bytes, keys: Sequence[Ed25519PublicKey], path: Path | str) -> None:
    """``verify`` of a SIGNATURE file's content; ``path``: as errors name it."""
    try:
        scheme, _, encoded = content.strip().partition(b" ")
        if scheme != b"ed25519":
            raise BundleRefused(f"{path}: scheme {scheme[:20]!r} is not ed25519; sign the bundle again")
        signature = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise BundleRefused(f"{path}: is no signature ({error}); get the bundle from its signer again") from error
    if not any(_fits(signature, raw_card, key) for key in keys):
        raise BundleRefused(
            f"{path}: does not match card.json under the pinned public key; get the bundle from its signer again, or "
            "add its signer's key"
        )


def _fits(signature: bytes, raw_card: bytes, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(signature, _SIGNED_AS + raw_card)
    except InvalidSignature:
        return False
    return True
