"""A plant's broker, jobs without end, and packages that are other versions, or broken."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from convert.demo.ports import free_port
from edge import __version__
from edge.adapters.journal.schema import VERSION
from tests.support.certificates import Authority
from tests.support.mosquitto import Mosquitto

# Jobs of other boards, one after the other, until it is told to stop.
FEED = """
import json, os, pathlib, shutil, sys, time
spool, lot = pathlib.Path("/var/spool/axi-edge"), sorted(pathlib.Path("/lot").iterdir())[0]
number = 0
while not pathlib.Path("/run/enough").exists():
    number += 1
    name = f"FED-{number:04}"
    made = spool / f"{name}.tmp"
    shutil.copytree(lot, made)
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["job_id"], manifest["board"]["serial"] = name, name
    (made / "manifest.json").write_text(json.dumps(manifest))
    for path in [made, *made.rglob("*")]:
        shutil.chown(path, "axi-edge", "axi-edge")
    made.rename(spool / "incoming" / name)
    pathlib.Path("/run/fed").write_text(str(number))
    time.sleep(0.3)
"""
# By name: the file, what stands there, and what stands there instead.
BROKEN = {
    "good": (),
    # No command of it works.
    "sick": (("edge/cli.py", "from edge import __version__\n", "raise SystemExit('sick')\n"),),
    # Is not even unpacked: it brings another package's file.
    "clash": (("../../../../../usr/bin/apt-mark", "", "not apt"),),
    # The daemon does not start.
    "dead": (
        (
            "edge/daemon/run.py",
            "    settings = load_settings(path)\n",
            "    raise ConfigError('dead on arrival')\n",
        ),
    ),
    # Changes the journal, judges, and never finds a broker.
    "mute": (
        (
            "edge/reporting/loop.py",
            "            session = self._session or self._open()",
            "            raise BrokerUnavailable('mute')",
        ),
        ("edge/adapters/journal/schema.py", f"VERSION = {VERSION}\n", f"VERSION = {VERSION + 1}\n"),
        ("edge/adapters/journal/schema.py", "MIGRATIONS = {", f"MIGRATIONS = {{{VERSION}: 'CREATE TABLE later (x)', "),
    ),
    "better": (),
}


def another(package: Path, version: str, out: Path, how: str) -> Path:
    """The package as another version, and perhaps broken."""
    tree = out / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    (site,) = tree.glob("opt/axi-edge/lib/python*/site-packages")
    changes = [("edge/__init__.py", __version__, version), *BROKEN[how]] if (site / "edge").exists() else []
    for name, old, new in changes:
        text = (site / name).read_text() if old else ""
        assert not old or text.count(old) == 1, f"{name}: {old}"
        (site / name).write_text(text.replace(old, new) if old else new)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(__version__, version))
    made = out / f"{package.stem}-{how}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, made], check=True, capture_output=True)
    shutil.rmtree(tree)
    return made


class Plant:
    """A broker that takes nobody without TLS and a password."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        certificate, key = self.authority.issue("broker")
        self.password = folder / "password"
        self.password.write_text("a secret word\n")
        known = folder / "passwords"
        subprocess.run(["mosquitto_passwd", "-b", "-c", known, "axi1", "a secret word"], check=True)
        inside, outside = free_port(), free_port()
        tls = f"cafile {self.authority.file}\ncertfile {certificate}\nkeyfile {key}\npassword_file {known}\n"
        self.broker = Mosquitto(
            folder,
            config="user root\nper_listener_settings true\n"
            f"listener {outside} 127.0.0.1\nallow_anonymous false\n{tls}"
            f"listener {inside} 127.0.0.1\nallow_anonymous true\n",
        )
        self.broker.port, self.tls_port = inside, outside
        self.broker.start()
