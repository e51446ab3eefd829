"""Bundles come from a real web server over TLS: whole, signed by somebody who may, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from edge.adapters.download import source_of
from edge.bundle.format import open_bundle, write_bundle
from edge.bundle.shipped import KEYS, WORD, bundle_folder
from edge.bundle.signing import load_public_keys, sign
from edge.commands.fetching import Fetched, fetch
from edge.commands.following import wanted_of
from edge.core.card import encode_card
from edge.core.errors import AxiError, BundleRefused, ConfigError, UsageError
from tests.support.web import WebServer

SHIPPED = bundle_folder(WORD)
TRUSTED = load_public_keys(KEYS)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    folder = tmp_path / "web"
    shutil.copytree(SHIPPED, folder / "slicenet")
    with WebServer(folder, tmp_path) as server:
        yield server


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    return tmp_path / "bundles"


def got(web: WebServer, beside: Path, where: str = "slicenet") -> Fetched:
    source = source_of(f"{web.address}/{where}", str(web.authority.file))
    return fetch(source, beside, TRUSTED, lambda _name, _size: None)


def test_a_bundle_comes_whole_and_once(web: WebServer, beside: Path) -> None:
    assert got(web, beside) == Fetched(beside / "slicenet-1.0.0", fresh=True)
    assert open_bundle(beside / "slicenet-1.0.0", TRUSTED).digest == open_bundle(SHIPPED).digest
    asked = len(web.asked)
    assert got(web, beside) == Fetched(beside / "slicenet-1.0.0", fresh=False)
    assert [path for path, _ in web.asked[asked:]] == ["/slicenet/card.json", "/slicenet/SIGNATURE"]
    assert {path.name for path in beside.iterdir()} == {"slicenet-1.0.0", ".fetch.lock"}


@pytest.mark.parametrize("ranges", [True, False])
def test_a_transfer_that_broke_off_is_gone_on_with(web: WebServer, beside: Path, *, ranges: bool) -> None:
    """Where a server knows no ranges the file begins anew, and is the same in the end."""
    web.breaks_after, web.ranges = 100_000, ranges
    with pytest.raises(BundleRefused, match="what is here already stays: fetch it again"):
        got(web, beside)
    assert not (beside / "slicenet-1.0.0").exists()
    assert got(web, beside).fresh
    assert [said for _, said in web.asked if said] == ["bytes=100000-"]
    assert open_bundle(beside / "slicenet-1.0.0", TRUSTED)


def test_what_was_half_here_and_is_another_by_now_begins_anew(web: WebServer, beside: Path) -> None:
    part = beside / ".slicenet-1.0.0.part"
    part.mkdir(parents=True)
    (part / "model.tflite").write_bytes(b"of another file")
    (part / "card.json").write_bytes((SHIPPED / "card.json").read_bytes())
    assert got(web, beside).fresh
    assert open_bundle(beside / "slicenet-1.0.0", TRUSTED)


def test_nothing_but_card_and_signature_is_asked_for_before_the_signature_is_good(
    web: WebServer, beside: Path, tmp_path: Path
) -> None:
    stranger = Ed25519PrivateKey.generate()
    sound = open_bundle(SHIPPED)
    write_bundle(tmp_path / "made", sound.card, sound.model_path.read_bytes(), sound.golden, stranger, sound.parity)
    shutil.move(tmp_path / "made" / "slicenet-1.0.0", tmp_path / "web" / "stranger")
    with pytest.raises(BundleRefused, match=r"does not match card\.json under the pinned public key"):
        got(web, beside, "stranger")
    assert [path for path, _ in web.asked] == ["/stranger/card.json", "/stranger/SIGNATURE"]
    assert list(beside.iterdir()) == []


def test_a_file_that_is_not_what_the_card_says_is_refused(web: WebServer, beside: Path, tmp_path: Path) -> None:
    model = tmp_path / "web" / "slicenet" / "model.tflite"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleRefused, match=r"model\.tflite: is not what its card says"):
        got(web, beside)
    assert not (beside / "slicenet-1.0.0").exists()


def test_a_name_that_leaves_the_folder_is_refused(beside: Path, tmp_path: Path) -> None:
    key, sound = Ed25519PrivateKey.generate(), open_bundle(SHIPPED)
    card = encode_card(replace(sound.card, files={**sound.card.files, "../../escape": "sha256:" + "0" * 64}))
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "card.json").write_bytes(card)
    (folder / "SIGNATURE").write_bytes(sign(card, key))
    with pytest.raises(BundleRefused, match="not a plain file name"):
        fetch(source_of(str(folder)), beside, [key.public_key()], lambda _name, _size: None)


def test_forget_trends_of_the_same_name_is_refused(web: WebServer, beside: Path, tmp_path: Path) -> None:
    key, sound = Ed25519PrivateKey.generate(), open_bundle(SHIPPED)
    write_bundle(beside, replace(sound.card, network="other"), sound.model_path.read_bytes(), sound.golden, key)
    with pytest.raises(BundleRefused, match="another bundle of this name and version is here"):
        fetch(
            source_of(f"{web.address}/slicenet", str(web.authority.file)),
            beside,
            [*TRUSTED, key.public_key()],
            lambda _name, _size: None,
        )


def test_only_https_and_folders_are_fetched_from(web: WebServer, beside: Path, tmp_path: Path) -> None:
    for text in ("http://bundles.plant/x", "ftp://bundles.plant/x", "file:///etc", str(tmp_path / "nowhere")):
        with pytest.raises(UsageError):
            source_of(text)
    web.moved["/slicenet/card.json"] = "http://127.0.0.1:1/card.json"
    with pytest.raises(BundleRefused, match="not https://"):
        got(web, beside)


def test_a_server_that_nobody_vouches_for_is_refused(web: WebServer, beside: Path) -> None:
    with pytest.raises(BundleRefused, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(source_of(f"{web.address}/slicenet"), beside, TRUSTED, lambda _name, _size: None)
    assert web.asked == []


def test_a_folder_does_as_well(beside: Path) -> None:
    assert fetch(source_of(str(SHIPPED)), beside, TRUSTED, lambda _name, _size: None).fresh
    assert open_bundle(beside / "slicenet-1.0.0", TRUSTED)


MANIFEST = """
[all]
bundle = "slicenet-1.1.0"
[all.routes]
SMT = "/mnt/stick/smt-1.0.0"
[devices.axi2]
bundle = "https://elsewhere/slicenet-1.0.0"
"""


def test_a_device_takes_what_a_file_of_wanted_bundles_has_for_it(web: WebServer, tmp_path: Path) -> None:
    (tmp_path / "web" / "wanted.toml").write_text(MANIFEST)
    for manifest, base in (
        (f"{web.address}/wanted.toml", web.address),
        (f"{tmp_path}/web/wanted.toml", f"{tmp_path}/web"),
    ):
        authority = str(web.authority.file)
        assert wanted_of(manifest, authority, "axi1") == {"": f"{base}/slicenet-1.1.0", "SMT": "/mnt/stick/smt-1.0.0"}
        assert wanted_of(manifest, authority, "axi2")[""] == "https://elsewhere/slicenet-1.0.0"


def test_a_manifest_in_the_folder_one_stands_in_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wanted.toml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    assert wanted_of("wanted.toml", "", "axi1")[""] == "./slicenet-1.1.0"


@pytest.mark.parametrize(
    ("text", "words"), [("[all]\nbundel = 'x'\n", "nearest valid name is 'bundle'"), ("[all\n", "not valid TOML")]
)
def test_a_bad_file_of_wanted_bundles_is_named(web: WebServer, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "web" / "wanted.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        wanted_of(f"{web.address}/wanted.toml", str(web.authority.file), "axi1")
    assert f"{web.address}/wanted.toml" in str(refused.value)
    assert words in str(refused.value)
    with pytest.raises(AxiError, match=r"nowhere\.toml"):
        wanted_of(f"{web.address}/nowhere.toml", str(web.authority.file), "axi1")
