"""How a package lies on the device: files with fixed times and modes, so that the same input gives the same bytes."""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from convert.packages.targets import ROOT, Release

HOME = Path("opt/axi-edge")
"""Self-contained, for its libraries are pinned; it is a virtual environment of Debian's own Python."""
_OWN = ("edge", "firmware_cfg")
_LEFT_OUT = ("ai_edge_litert/vendors/", "ai_edge_litert/tools/", "cv2/data/", "pywt/tests/")
"""Compilers for the processors of telephones, face detectors, and a library's own tests."""
_PROGRAM = """\
#!/{home}/bin/python3 -I
import sys
from edge.start import main
sys.exit(main())
"""


def site(release: Release) -> Path:
    return HOME / "lib" / f"python{release.python}" / "site-packages"


def lay_interpreter(root: Path, release: Release) -> None:
    """Make ``root``'s virtual environment, and the command in it."""
    programs = root / HOME / "bin"
    programs.mkdir(parents=True)
    (programs / "python3").symlink_to(f"/usr/bin/python{release.python}")
    (programs / "python").symlink_to("python3")
    (root / HOME / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    write(programs / "axi-edge", _PROGRAM.format(home=HOME), executable=True)
    command = root / "usr/bin/axi-edge"
    command.parent.mkdir(parents=True)
    command.symlink_to(Path("/") / HOME / "bin/axi-edge")


def lay_own(root: Path, release: Release) -> None:
    """Our own packages, as they stand in the checkout."""
    for name in _OWN:
        shutil.copytree(
            ROOT / name, root / site(release) / name, ignore=shutil.ignore_patterns("__pycache__", ".*", "packaging")
        )


def lay_wheels(root: Path, release: Release, wheels: Iterable[Path]) -> None:
    """Unpack wheels; what they would put elsewhere, such as commands, is left out."""
    into = root / site(release)
    into.mkdir(parents=True, exist_ok=True)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                name = _installed_as(member.filename)
                if name and not member.is_dir():
                    target = into / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(member))


def _installed_as(name: str) -> str:
    """Below site-packages; empty for what does not go there."""
    top, _, rest = name.partition("/")
    if name.startswith(_LEFT_OUT) or "/__pycache__/" in name:
        return ""
    if not top.endswith(".data"):
        return name
    where, _, rest = rest.partition("/")
    return rest if where in {"purelib", "platlib"} else ""


def write(path: Path, text: str, *, executable: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    if executable:
        path.chmod(0o755)


def write_packed(path: Path, text: str) -> None:
    """As gzip, the same bytes each time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def settle(root: Path, epoch: int) -> None:
    """Give everything the same time, and the mode that it has for everybody."""
    for folder, _, names in os.walk(root, topdown=False):
        for path in [Path(folder, name) for name in names] + [Path(folder)]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or _runs(path) else 0o644)
            os.utime(path, (epoch, epoch), follow_symlinks=False)


def _runs(path: Path) -> bool:
    return path.parent.name in {"bin", "DEBIAN"} and path.name not in {"control", "md5sums", "conffiles"}
