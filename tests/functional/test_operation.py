"""The guide to operation, walked from its first command to its last on a throw-away machine."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from convert.packages.__main__ import made
from convert.packages.deb import EDGE, file_name
from convert.packages.targets import named
from tests.support.builders import make_job, write_job
from tests.support.debian import root_of
from tests.support.mosquitto import Subscriber
from tests.support.nspawn import ThrowAwayMachine, why_not_here
from tests.support.plant import Plant, another

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/operate.md").read_text("utf-8")
TARGET = named("bookworm-amd64")
REFUSED = "L7-000123"
pytestmark = [pytest.mark.systemd, pytest.mark.broker, pytest.mark.slow]

BEFORE = """
export DEBIAN_FRONTEND=noninteractive
for c in memory pids cpu cpuacct; do mount -o remount,bind,rw /sys/fs/cgroup/$c 2>/dev/null; done
systemctl daemon-reexec
ip link set lo up 2>/dev/null
apt() { command apt-get -y "$@"; }
cd /root
"""
REFUSE = f"""
cp -r {REFUSED} /var/spool/axi-edge/{REFUSED}.tmp && chown -R axi-edge: /var/spool/axi-edge/{REFUSED}.tmp
mv /var/spool/axi-edge/{REFUSED}.tmp /var/spool/axi-edge/incoming/{REFUSED}
for i in $(seq 300); do [ -e /var/spool/axi-edge/rejected/{REFUSED}/reason.json ] && break; sleep 0.1; done
"""
JUDGED = f"""
for i in $(seq 300); do [ -d /var/spool/axi-edge/done/{REFUSED} ] && break; sleep 0.1; done
ls /var/spool/axi-edge/done
"""


def blocks(guide: str) -> list[tuple[str, str]]:
    """(heading, commands), as they are printed; and files that the guide shows are not among them."""
    found, heading = list[tuple[str, str]](), ""
    for title, kind, text in re.findall(r"^## (.*)$|^```(.*)\n((?:.*\n)*?)```$", guide, re.MULTILINE):
        heading = title or heading
        if text and not kind:
            found.append((heading, text))
    return found


def walk(port: int) -> str:
    """One script; each block says its number, what it is of, and how it ended."""
    script = BEFORE
    for number, (heading, commands) in enumerate(blocks(GUIDE)):
        here = commands.replace("broker.plant:8883", f"127.0.0.1:{port}")
        before, after = (REFUSE, JUDGED) if heading == "A job that was refused" else ("", "")
        script += (
            f"{before}echo '=== {number} {heading}'\n(set -e\n{here})\necho \"=== {number} ended with $?\"\n{after}"
        )
    return script


@pytest.fixture
def machine(plant: Plant, tmp_path: Path) -> Iterator[ThrowAwayMachine]:
    if why_not_here():
        pytest.skip(why_not_here())
    below = root_of(TARGET)
    if below is None:
        pytest.skip("no root can be made here: apt-get install mmdebstrap, and a Debian mirror")
    out = ROOT / "build" / "test-deb" / "machines"
    made(TARGET, out, "none")
    with ThrowAwayMachine(below) as machine:
        home = machine.root / "root"
        shutil.copy(out / file_name(EDGE, TARGET), home)
        newer = another(out / file_name(EDGE, TARGET), "0.2.0", tmp_path, "good")
        shutil.move(newer, home / file_name(EDGE, TARGET).replace("0.1.0", "0.2.0"))
        for file, name in ((plant.password, "password"), (plant.authority.file, "plant-ca.pem")):
            shutil.copy(file, home / name)
        (fleet,) = re.findall(r"^```toml\n((?:.*\n)*?)```$", GUIDE, re.MULTILINE)
        (home / "fleet.toml").write_text(fleet.replace("broker.plant:8883", f"127.0.0.1:{plant.tls_port}"))
        job = write_job(home, make_job(REFUSED, joints=1, views=1))
        shutil.copy(job / "manifest.json", home / "mended-manifest.json")
        broken = json.loads((job / "manifest.json").read_text())
        broken["joints"][0]["roi"] = [1, 1, 1, 1]
        (job / "manifest.json").write_text(json.dumps(broken))
        yield machine


def test_every_command_of_the_guide_does_what_it_says(machine: ThrowAwayMachine, plant: Plant) -> None:
    listener = Subscriber(plant.broker.port)
    done = machine.boot([], walk(plant.tls_port), seconds=900)
    said = done.stdout
    ended = re.findall(r"^=== (\d+) ended with (\d+)$", said, re.MULTILINE)
    assert [int(number) for number, _ in ended] == list(range(len(blocks(GUIDE)))), said[-6000:]
    assert {number: code for number, code in ended if code != "0"} == {}, said[-20_000:]

    def of(heading: str) -> str:
        return "".join(
            re.findall(rf"^=== \d+ {re.escape(heading)}\n(.*?)^=== \d+ ended", said, re.MULTILINE | re.DOTALL)
        )

    for heading, samples in (("The first verdict", 1), ("The spool on another disk", 1), ("Restore", 1)):
        assert len(re.findall(r"S1\.1: unjudged, learning, to specialist; the broker has it", of(heading))) == samples
    assert "line3-axi1 runs, and is connected with 127.0.0.1" in of("Many devices")
    assert "every joint is accounted for" in of("Is all well?")
    assert "joints[0].roi: [1, 1, 1, 1] is empty" in of("A job that was refused")
    assert f"\n{REFUSED}\nSAMPLE-" in said, "judged once it was mended"
    assert re.search(r"daemon +running 0\.2\.0", of("Upgrade")), of("Upgrade")
    assert re.search(r"daemon +running 0\.1\.0", of("Back to the version before"))
    assert {one["device"] for one in listener.payloads("/verdict/")} == {"line3-axi1"}
    sent = [one["event_id"] for one in listener.payloads("/verdict/")]
    assert len(sent) == len(set(sent))
    listener.close()
