"""A signed repository of the packages, which apt on many devices follows."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from convert.packages.programs import said
from convert.packages.targets import RELEASES, Release, Target, all_targets
from edge.core.errors import AxiError, ConfigError

_WHO = "axi-edge packages"
KEYRING = "axi-edge.gpg"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m convert.packages.repository", description=__doc__)
    parser.add_argument("--packages", type=Path, default=Path("build/deb"), help="default: build/deb")
    parser.add_argument("--out", type=Path, default=Path("build/apt"), help="default: build/apt")
    parser.add_argument(
        "--keys", type=Path, default=Path("build/keys/apt"), help="GnuPG's folder; default: build/keys/apt"
    )
    arguments = parser.parse_args(words)
    try:
        made = repository(arguments.packages, arguments.out, arguments.keys)
    except AxiError as error:
        print(f"repository: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{arguments.out}: {', '.join(made)}; devices trust {arguments.out / KEYRING}")
    return 0


def repository(packages: Path, out: Path, keys: Path) -> list[str]:
    """What is offered, by release. The key that signs it is made where there is none, and stays in ``keys``. Raises
    ConfigError where there are no packages, or a program is missing.
    """
    key = _key(keys)
    for part in ("dists", "pool"):
        shutil.rmtree(out / part, ignore_errors=True)
    offered = []
    for release in RELEASES.values():
        counts = {
            target.architecture: _offer(packages, out, target) for target in all_targets() if target.release is release
        }
        if any(counts.values()):
            _sign(out, release, [kind for kind, count in counts.items() if count], keys, key)
            offered += [f"{release.suite} {kind}: {count} packages" for kind, count in counts.items() if count]
    if not offered:
        raise ConfigError(f"{packages}: no packages; make deb makes them")
    _gpg(keys, "--yes", "--output", str(out / KEYRING), "--export", key)
    return offered


def _offer(packages: Path, out: Path, target: Target) -> int:
    """Put the packages of a target where apt looks for them, and list them; how many."""
    pool = Path("pool", target.release.suite, target.architecture)
    files = sorted(packages.glob(f"*+deb{target.release.number}_{target.architecture}.deb"))
    for file in files:
        (out / pool).mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, out / pool / file.name)
    if files:
        index = out / "dists" / target.release.suite / "main" / f"binary-{target.architecture}"
        index.mkdir(parents=True)
        (index / "Packages").write_text(said(["apt-ftparchive", "packages", str(pool)], {}, out), "utf-8")
    return len(files)


def _sign(out: Path, release: Release, architectures: Sequence[str], keys: Path, key: str) -> None:
    folder = out / "dists" / release.suite
    about = {
        "Origin": "axi-edge",
        "Label": "axi-edge",
        "Suite": release.suite,
        "Codename": release.suite,
        "Components": "main",
        "Architectures": " ".join(architectures),
    }
    options = [word for name, value in about.items() for word in ("-o", f"APT::FTPArchive::Release::{name}={value}")]
    (folder / "Release").write_text(said(["apt-ftparchive", *options, "release", "."], {}, folder), "utf-8")
    name = str(folder / "Release")
    _gpg(keys, "--yes", "--local-user", key, "--clearsign", "--output", str(folder / "InRelease"), name)
    _gpg(keys, "--yes", "--local-user", key, "--armor", "--detach-sign", "--output", f"{name}.gpg", name)


def _key(keys: Path) -> str:
    """The fingerprint of the key that signs, made where there is none."""
    keys.mkdir(parents=True, exist_ok=True)
    keys.chmod(0o700)
    if not _fingerprint(keys):
        _gpg(keys, "--passphrase", "", "--quick-generate-key", _WHO, "ed25519", "sign", "never")
    return _fingerprint(keys)


def _fingerprint(keys: Path) -> str:
    lines = _gpg(keys, "--list-secret-keys", "--with-colons").splitlines()
    return next((line.split(":")[9] for line in lines if line.startswith("fpr:")), "")


def _gpg(keys: Path, *words: str) -> str:
    return said(["gpg", "--batch", "--quiet", "--no-tty", *words], {"GNUPGHOME": str(keys.absolute())})


if __name__ == "__main__":
    sys.exit(main())
