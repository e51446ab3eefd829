"""Bundles ``axi-bundle/1``: write, sign, open and verify.

A bundle is a folder ``NAME-VERSION/`` with ``model.tflite``, ``card.json``, ``golden.npz``, ``parity.npz`` by
which a device is qualified, and, when signed, ``SIGNATURE``. The card holds the digest of every other file, and the
Ed25519 signature covers the card's bytes; so one signature covers everything.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec.structs import replace
from numpy.typing import NDArray

from edge.bundle.parity import PARITY, Parity, decode_parity, encode_parity
from edge.bundle.signing import sign, verify
from edge.core.card import ModelCard, encode_card, parse_card
from edge.core.decide import Answer
from edge.core.errors import BundleRefused
from edge.core.job import Roi
from edge.core.payloads import ModelRef
from edge.core.preprocess import Grey, Patch
from edge.files import digest_bytes, digest_file, move_durably, read_plain, write_durably

MODEL, CARD, GOLDEN, SIGNATURE = "model.tflite", "card.json", "golden.npz", "SIGNATURE"
LARGEST_FILE = 1024**3


class GoldenJoint(NamedTuple):
    """One joint whose way through preprocessing and model is on record.

    ``slices``: index -> uint8 cut-out (height, width) of the frame; ``roi`` is relative to that cut-out; ``patch``:
    uint8 (size, size, channels); ``answer``: what the model gives.
    """

    slices: dict[int, Grey]
    roi: Roi
    patch: Patch
    answer: Answer


class Bundle(NamedTuple):
    """A bundle whose files are what its card says. ``signed`` is True once checked against a pinned key. ``parity``:
    None in bundles of earlier versions.
    """

    path: Path
    card: ModelCard
    golden: tuple[GoldenJoint, ...]
    digest: str
    signed: bool
    parity: Parity | None = None

    @property
    def model_path(self) -> Path:
        return self.path / MODEL

    @property
    def reference(self) -> ModelRef:
        return ModelRef(name=self.card.name, version=self.card.version, digest=self.digest)


def open_bundle(path: Path, public_keys: Sequence[Ed25519PublicKey] = ()) -> Bundle:
    """Open a bundle and check every digest, and where public keys are pinned that one of them signed it.

    Raises BundleRefused naming the file and the remedy.
    """
    _require_folder(path)
    raw_card = _read(path / CARD)
    if public_keys:
        verify(path / SIGNATURE, raw_card, public_keys)
    card = parse_card(raw_card, source=str(path / CARD))
    for name in (MODEL, GOLDEN):
        if name not in card.files:
            raise BundleRefused(f"{path / CARD}: files: {name} has no digest; rebuild the bundle")
    for name, expected in card.files.items():
        if Path(name).name != name:
            raise BundleRefused(f"{path / CARD}: files: {name!r} is not a plain file name; rebuild the bundle")
        if not (path / name).is_file():
            raise BundleRefused(f"{path / name}: missing; copy the bundle again, whole")
        found = _digest(path / name)
        if found != expected:
            raise BundleRefused(
                f"{path / name}: digest {found[:18]}... differs from the card's {expected[:18]}...; copy it again"
            )
    golden = _decode_golden(_read(path / GOLDEN), path / GOLDEN)
    if not golden:
        raise BundleRefused(f"{path / GOLDEN}: holds no golden joint; rebuild the bundle")
    parity = decode_parity(_read(path / PARITY), path / PARITY) if PARITY in card.files else None
    return Bundle(path, card, golden, digest_bytes(raw_card), bool(public_keys), parity)


def write_bundle(
    parent: Path,
    card: ModelCard,
    model: bytes,
    golden: Sequence[GoldenJoint],
    signing_key: Ed25519PrivateKey | None = None,
    parity: Parity | None = None,
) -> Path:
    """Write ``parent/NAME-VERSION`` so that it appears whole or not at all; ``card.files`` is filled in here.

    Raises BundleRefused when that folder is there already.
    """
    target = parent / f"{card.name}-{card.version}"
    if target.exists():
        raise BundleRefused(f"{target}: exists already; raise the recipe's version or remove the folder")
    blobs = {MODEL: model, GOLDEN: _encode_golden(golden)}
    if parity is not None:
        blobs[PARITY] = encode_parity(parity)
    raw_card = encode_card(replace(card, files={name: digest_bytes(blob) for name, blob in blobs.items()}))
    blobs[CARD] = raw_card
    if signing_key is not None:
        blobs[SIGNATURE] = sign(raw_card, signing_key)
    parent.mkdir(parents=True, exist_ok=True)
    unfinished = parent / f".{target.name}.tmp"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name, blob in blobs.items():
        write_durably(unfinished / name, blob)
    move_durably(unfinished, target)
    return target


def _digest(path: Path) -> str:
    try:
        return digest_file(path)
    except OSError as error:
        raise BundleRefused(f"{path}: {error.strerror or error}; make it readable for this user") from error


def _require_folder(path: Path) -> None:
    """Raises BundleRefused for what is named in place of a bundle's folder."""
    if path.parts and path.parts[0] in {"http:", "https:"}:
        raise BundleRefused(f"{path}: an address; get it first, with axi-edge bundle fetch ADDRESS")
    if path.is_file():
        within = path.name in {CARD, MODEL, GOLDEN, PARITY, SIGNATURE}
        remedy = f"name its folder, {path.parent}" if within else "unpack it, and name the folder NAME-VERSION in it"
        raise BundleRefused(f"{path}: a file, not a bundle's folder; {remedy}")
    if not path.exists():
        remedy = "name the folder of a bundle; reference is the one that comes with axi-edge"
        raise BundleRefused(f"{path}: no such folder; {remedy}")


def _read(path: Path) -> bytes:
    try:
        return read_plain(path, LARGEST_FILE)
    except OSError as error:
        raise BundleRefused(f"{path}: {error.strerror or error}; give the folder of a whole bundle") from error


def _encode_golden(joints: Sequence[GoldenJoint]) -> bytes:
    arrays: dict[str, NDArray[Any]] = {}
    for i, joint in enumerate(joints):
        arrays[f"{i:03d}.roi"] = np.array(joint.roi, np.int64)
        arrays[f"{i:03d}.indices"] = np.array(list(joint.slices), np.int64)
        arrays[f"{i:03d}.slices"] = np.stack(list(joint.slices.values()))
        arrays[f"{i:03d}.patch"] = joint.patch
        arrays[f"{i:03d}.output"] = joint.answer.output
        if joint.answer.features is not None:
            arrays[f"{i:03d}.features"] = joint.answer.features
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _decode_golden(raw: bytes, path: Path) -> tuple[GoldenJoint, ...]:
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            count = sum(name.endswith(".roi") for name in archive.files)
            return tuple(_golden_joint(archive, f"{i:03d}") for i in range(count))
    except (ValueError, TypeError, LookupError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise BundleRefused(f"{path}: not a readable archive of golden joints ({error}); rebuild the bundle") from error


def _golden_joint(archive: np.lib.npyio.NpzFile, prefix: str) -> GoldenJoint:
    indices = [int(index) for index in archive[f"{prefix}.indices"]]
    roi = Roi(*(int(value) for value in archive[f"{prefix}.roi"]))
    slices = dict(zip(indices, archive[f"{prefix}.slices"], strict=True))
    answer = Answer(archive[f"{prefix}.output"], archive.get(f"{prefix}.features"))
    return GoldenJoint(slices, roi, archive[f"{prefix}.patch"], answer)
