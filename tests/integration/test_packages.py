"""Packages as files: the same bytes twice, nothing that Debian's own checks call an error, and what apt takes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from convert.packages.__main__ import made
from convert.packages.repository import KEYRING, repository
from convert.packages.targets import RECIPES, Release, Target, all_targets, applies, named, pins_of
from convert.packages.wheels import gathered, needed
from edge.core.errors import ConfigError

BUILD = Path(__file__).parents[2] / "build" / "test-deb"
TARGET = named("bookworm-amd64")


@pytest.fixture(scope="module")
def packages() -> list[Path]:
    out = BUILD / "files"  # a folder of its own: other modules make packages at the same time
    for stale in out.glob("*.deb"):
        stale.unlink()
    return made(TARGET, out, "none")


def test_the_same_sources_give_the_same_bytes(packages: list[Path]) -> None:
    first = [hashlib.sha256(file.read_bytes()).digest() for file in packages]
    again = made(TARGET, packages[0].parent, "none")
    assert [hashlib.sha256(file.read_bytes()).digest() for file in again] == first


def test_debians_own_checks_find_no_error(packages: list[Path]) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed here")
    quick = "uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball"
    words = ["lintian", "--allow-root", "--fail-on", "error", "--suppress-tags", quick, *map(str, packages)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", sorted(RECIPES.glob("*/p*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_scripts_of_packages_are_sound(script: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed here")
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_repository_is_signed_and_apt_takes_it(packages: list[Path], tmp_path: Path) -> None:
    if shutil.which("apt-ftparchive") is None or shutil.which("gpg") is None:
        pytest.skip("apt-utils or gnupg is not installed here")
    out = tmp_path / "apt"
    assert repository(packages[0].parent, out, tmp_path / "keys") == ["bookworm amd64: 2 packages"]
    source = f"deb [signed-by={out}/{KEYRING} arch=amd64] file:{out} bookworm main\n"
    (tmp_path / "sources").write_text(source)
    lists = tmp_path / "lists"
    lists.mkdir()
    options = [f"-oDir::Etc::SourceList={tmp_path}/sources", "-oDir::Etc::SourceParts=/dev/null"]
    options += [f"-oDir::State::Lists={lists}", "-oAPT::Sandbox::User=root"]
    update = ["apt-get", *options, "-oAPT::Update::Error-Mode=any", "update"]
    assert subprocess.run(update, capture_output=True, text=True, check=False).returncode == 0
    seen = subprocess.run(["apt-cache", *options, "policy", "axi-edge"], capture_output=True, text=True, check=True)
    assert f"file:{out} bookworm/main" in seen.stdout
    release = out / "dists/bookworm/InRelease"
    release.write_text(release.read_text().replace("Label: axi-edge", "Label: axi-edgy"))
    assert subprocess.run(update, capture_output=True, text=True, check=False).returncode != 0


def test_every_target_pins_what_it_needs_and_names_what_has_no_pin() -> None:
    for target in all_targets():
        pins = pins_of(target)
        for wanted in (*needed(), *needed("station")):
            if applies(wanted, target):
                name = wanted.name.lower().replace("_", "-")
                assert wanted.specifier.contains(pins[name]), f"{target}: {wanted}"
    with pytest.raises(ValueError, match="there are bookworm-amd64, bookworm-arm64"):
        named("jessie-m68k")


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_everything_a_device_carries_is_there_for_the_python_between_debians(architecture: str, tmp_path: Path) -> None:
    """3.12, which neither Debian has: every pinned package has a wheel, and what that asks for, too."""
    target = Target(Release("another", 12, "3.12"), architecture)
    wheels = gathered(target, (*needed(), *needed("station")), pins_of(target), tmp_path)
    assert {"ai-edge-litert", "numpy", "opencv-python-headless", "starlette"} <= wheels.keys()
    assert "tflite-runtime" not in wheels, "there is none"


def test_a_repository_of_nothing_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make deb makes them"):
        repository(tmp_path, tmp_path / "apt", tmp_path / "keys")
