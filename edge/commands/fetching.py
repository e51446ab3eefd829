"""``axi-edge bundle fetch``: a bundle from elsewhere to beside the active one. What it is and who signed it is known
before anything else is fetched, and it appears there whole and checked, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.adapters.download import Progress, Source
from edge.bundle.format import CARD, LARGEST_FILE, SIGNATURE, open_bundle
from edge.bundle.signing import load_public_keys, verify_content
from edge.config import Settings
from edge.core.card import ModelCard, parse_card
from edge.core.errors import BundleRefused, ConfigError
from edge.files import digest_bytes, digest_file, exclusive_lock, move_durably, remove_tree, write_durably

_LARGEST_CARD, _LARGEST_SIGNATURE = 16 << 20, 4096


class Fetched(NamedTuple):
    """``fresh``: it was not here before."""

    path: Path
    fresh: bool


def keys_of(settings: Settings) -> Sequence[Ed25519PublicKey]:
    """Whom this device trusts. Raises ConfigError where it would trust anybody."""
    if not settings.model.public_key_file:
        raise ConfigError("[model] public_key_file: missing; name the keys that may sign, before anything is fetched")
    return load_public_keys(Path(settings.model.public_key_file))


def fetch(source: Source, beside: Path, keys: Sequence[Ed25519PublicKey], progress: Progress) -> Fetched:
    """To ``beside``/NAME-VERSION. What was fetched when a transfer broke off is used by the next.

    Raises BundleRefused for a bundle that none of the keys signed, or whose files are not those of its card.
    """
    try:
        beside.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{beside}: {error.strerror or error}; run it as the service's user, or as root") from error
    raw, signature = source.small(CARD, _LARGEST_CARD), source.small(SIGNATURE, _LARGEST_SIGNATURE)
    card = _signed(raw, signature, keys)
    with _alone(beside):
        return _fetched(source, beside / f"{card.name}-{card.version}", raw, signature, card, keys, progress)


@contextmanager
def _alone(beside: Path) -> Iterator[None]:
    """Raises ConfigError where another fetch is under way, or this user may not fetch."""
    try:
        with exclusive_lock(beside / ".fetch.lock") as free:
            if not free:
                raise ConfigError(f"{beside}: another fetch is under way; wait for it")
            yield
    except PermissionError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; fetch as the service's user, or as root") from error


def _fetched(
    source: Source, target: Path, raw: bytes, signature: bytes, card: ModelCard, keys: Sequence[Ed25519PublicKey],
    progress: Progress,
) -> Fetched:  # fmt: skip
    if target.exists():
        if open_bundle(target, keys).digest != digest_bytes(raw):
            raise BundleRefused(f"{target}: another bundle of this name and version is here; raise the version")
        return Fetched(target, fresh=False)
    part = target.with_name(f".{target.name}.part")
    if (part / CARD).exists() and (part / CARD).read_bytes() != raw:
        remove_tree(part)
    part.mkdir(exist_ok=True)
    write_durably(part / CARD, raw)
    write_durably(part / SIGNATURE, signature)
    for name, digest in card.files.items():
        _whole(source, part / name, digest, progress)
    open_bundle(part, keys)
    move_durably(part, target)
    return Fetched(target, fresh=True)


def _signed(raw: bytes, signature: bytes, keys: Sequence[Ed25519PublicKey]) -> ModelCard:
    """The card, once its signature is good; before that nothing of it is believed."""
    verify_content(signature, raw, keys, SIGNATURE)
    card = parse_card(raw, source=CARD)
    for name in card.files:
        if Path(name).name != name or name in {CARD, SIGNATURE, "..", "."}:
            raise BundleRefused(f"{CARD}: files: {name!r} is not a plain file name; rebuild the bundle")
    return card


def _whole(source: Source, target: Path, digest: str, progress: Progress) -> None:
    """What is there of it is gone on with; where that does not fit, it is fetched once more from its beginning."""
    for _ in range(2):
        if not target.exists() or digest_file(target) != digest:
            source.into(target.name, target, LARGEST_FILE, progress)
        if target.exists() and digest_file(target) == digest:
            return
        target.unlink(missing_ok=True)
    raise BundleRefused(f"{target.name}: is not what its card says; have the bundle put there again, whole")
