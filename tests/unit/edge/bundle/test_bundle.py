from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from edge.bundle.format import CARD, GOLDEN, MODEL, SIGNATURE, Bundle, GoldenJoint, open_bundle, write_bundle
from edge.bundle.signing import load_public_keys, public_bytes
from edge.core.decide import Answer
from edge.core.errors import BundleRefused, ConfigError
from edge.core.job import Roi
from edge.core.preprocess import PreprocessSpec, prepare
from edge.judging.replay import replay
from tests.support.builders import make_card
from tests.support.fakes import FakeScorer

OUTPUT = np.array([[255, 10, 0, 0]], np.uint8)


def private_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def golden(n: int = 2) -> list[GoldenJoint]:
    rng = np.random.default_rng(3)
    joints = []
    for i in range(n):
        slices = {k: rng.integers(0, 256, (40, 30)).astype(np.uint8) for k in (0, 3)}
        roi = Roi(-3, 5 + i, 20, 30)
        joints.append(GoldenJoint(slices, roi, prepare(PreprocessSpec(), slices, roi), Answer(OUTPUT)))
    return joints


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def folder(tmp_path: Path, key: Ed25519PrivateKey) -> Path:
    return write_bundle(tmp_path, make_card(), b"a model", golden(), key)


def test_a_bundle_survives_the_round_trip(folder: Path, key: Ed25519PrivateKey) -> None:
    bundle = open_bundle(folder, [key.public_key()])
    assert folder.name == "tiny-1.0.0"
    assert bundle.signed
    assert bundle.model_path.read_bytes() == b"a model"
    assert set(bundle.card.files) == {MODEL, GOLDEN}
    for joint, written in zip(bundle.golden, golden(), strict=True):
        assert joint.roi == written.roi
        np.testing.assert_equal(joint.slices, written.slices)
        np.testing.assert_array_equal(joint.patch, written.patch)
        np.testing.assert_array_equal(joint.answer.output, written.answer.output)


@pytest.mark.parametrize("name", [MODEL, GOLDEN, CARD, SIGNATURE])
def test_a_single_flipped_bit_is_found(folder: Path, key: Ed25519PrivateKey, name: str) -> None:
    raw = bytearray((folder / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / name).write_bytes(raw)
    with pytest.raises(BundleRefused, match=str(folder)):
        open_bundle(folder, [key.public_key()])


@pytest.mark.parametrize("name", [MODEL, GOLDEN, CARD, SIGNATURE])
def test_a_missing_file_is_named(folder: Path, key: Ed25519PrivateKey, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleRefused, match=name):
        open_bundle(folder, [key.public_key()])


def test_another_key_does_not_open_it(folder: Path) -> None:
    with pytest.raises(BundleRefused, match="pinned public key"):
        open_bundle(folder, [Ed25519PrivateKey.generate().public_key()])


def test_any_of_several_keys_opens_it(tmp_path: Path, folder: Path, key: Ed25519PrivateKey) -> None:
    """What a device trusts is one file: keys one after the other, and words between them for people."""
    others = [public_bytes(Ed25519PrivateKey.generate().public_key()) for _ in range(2)]
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(b"# the factory's\n" + others[0] + b"# ours\n" + public_bytes(key.public_key()) + others[1])
    assert open_bundle(folder, load_public_keys(trusted)).signed
    trusted.write_bytes(b"".join(others))
    with pytest.raises(BundleRefused, match="does not match"):
        open_bundle(folder, load_public_keys(trusted))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"words alone\n",
        b"-----BEGIN PUBLIC KEY-----\nMCowBQ",
        public_bytes(Ed25519PrivateKey.generate().public_key())[:-20],
        public_bytes(Ed25519PrivateKey.generate().public_key()) + b"-----BEGIN PUBLIC KEY-----\nMCowBQ",
        public_bytes(Ed25519PrivateKey.generate().public_key()) + private_bytes(Ed25519PrivateKey.generate()),
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["empty", "no key", "half a key", "its end lost", "a half one behind", "a private one behind", "another kind"],
)
def test_a_file_of_anything_but_whole_keys_is_refused(tmp_path: Path, content: bytes) -> None:
    """Never read as no key at all: that would take unsigned bundles."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(content)
    with pytest.raises(ConfigError, match=r"trusted\.pem.*Ed25519"):
        load_public_keys(trusted)


def test_without_a_pinned_key_it_opens_and_says_so(folder: Path) -> None:
    assert not open_bundle(folder).signed


def test_a_digest_that_names_another_folder_is_refused(folder: Path) -> None:
    document = json.loads((folder / CARD).read_bytes())
    document["files"]["../../etc/passwd"] = "sha256:" + "0" * 64
    (folder / CARD).write_text(json.dumps(document))
    with pytest.raises(BundleRefused, match="plain file name"):
        open_bundle(folder)


def test_a_version_is_written_once(folder: Path) -> None:
    with pytest.raises(BundleRefused, match="exists already"):
        write_bundle(folder.parent, make_card(), b"another", golden())
    assert open_bundle(folder).model_path.read_bytes() == b"a model"


def test_replay_accepts_what_it_reproduces(folder: Path) -> None:
    assert replay(open_bundle(folder), FakeScorer(OUTPUT)) == 2


def test_replay_refuses_an_output_that_is_one_level_off(folder: Path) -> None:
    with pytest.raises(BundleRefused, match="golden joint 0: this runtime"):
        replay(open_bundle(folder), FakeScorer(OUTPUT + np.eye(1, 4, dtype=np.uint8)))


def test_fast_kernels_may_differ_as_far_as_the_card_allows(folder: Path) -> None:
    """One level of four bands of 255 is 24 / 1020 = 0.024 of the logit; the card here allows 0.1."""
    fast = FakeScorer(OUTPUT + np.eye(1, 4, 1, dtype=np.uint8))
    fast.exact = False
    assert replay(open_bundle(folder), fast) == 2
    far = FakeScorer(OUTPUT + 9 * np.eye(1, 4, 1, dtype=np.uint8))
    far.exact = False
    with pytest.raises(BundleRefused, match="golden joint 0: this runtime"):
        replay(open_bundle(folder), far)


def test_replay_refuses_preprocessing_that_is_one_level_off(folder: Path) -> None:
    bundle: Bundle = open_bundle(folder)
    joint = bundle.golden[1]
    bent = joint.patch.copy()
    bent[64, 64, 0] ^= 1
    with pytest.raises(BundleRefused, match="golden joint 1: preprocessing differs in 1 of"):
        replay(bundle._replace(golden=(bundle.golden[0], joint._replace(patch=bent))), FakeScorer(OUTPUT))
