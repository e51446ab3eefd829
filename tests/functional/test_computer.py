"""What stands around a device, under a real systemd: parts of the system's configuration, and the machine's share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.core.errors import UsageError
from edge.setup.computer import APPLY, PARTS, lay
from tests.support.nspawn import ThrowAwayMachine, why_not_here

ROOT = Path(__file__).parents[2]
NEEDED = {"smbd": "samba", "smbclient": "smbclient", "nft": "nftables", "chronyd": "chrony"}

SCRIPT = """
cd SOURCES; axi() { PYTHON -m edge.cli "$@"; }
ip link set lo up 2>/dev/null
systemd-sysusers SOURCES/systemd/axi-edge.sysusers.conf
systemd-tmpfiles --create SOURCES/systemd/axi-edge.tmpfiles.conf
cp SOURCES/systemd/axi-edge.service /etc/systemd/system/
axi setup computer watchdog journal clock chrony governor cores firewall || exit 10
axi setup computer watchdog || exit 11
systemctl daemon-reexec
echo "manager RuntimeWatchdogUSec: $(systemctl show -p RuntimeWatchdogUSec --value)"
echo "manager $(grep Cpus_allowed_list /proc/1/status)"
echo "firewall: $(systemctl show -p ExecStart --value nftables | grep -c nftables-axi.conf)"
echo "daemon CPUAffinity: $(systemctl show -p CPUAffinity --value axi-edge)"
systemctl restart systemd-journald
journalctl -b -u systemd-journald -o cat --no-pager | grep -o 'max 200.0M' | head -1
systemd-analyze cat-config systemd/timesyncd.conf | grep -c 10-axi.conf
chronyd -p | grep makestep
echo "machine password" > /password
axi setup share --password-file /password --no-start || exit 12
axi setup share --password-file /password --no-start || exit 13
grep -c axi-edge.conf /etc/samba/smb.conf
testparm -s 2>/dev/null | grep -A3 'axi-incoming'
printf '[global]\\nsmb ports = 4445\\ninterfaces = lo\\nbind interfaces only = yes\\n' >> /etc/samba/smb.conf
mkdir -p /run/samba /var/log/samba; smbd -D
for i in $(seq 100); do
  smbclient -p 4445 -U 'axi-machine%machine password' //127.0.0.1/axi-incoming -c ls > /dev/null 2>&1 && break
  sleep 0.1
done
mkdir -p /job; echo '{}' > /job/manifest.json; echo slice > /job/a.png
cd /job
smbclient -p 4445 -U 'axi-machine%machine password' //127.0.0.1/axi-incoming \\
  -c 'mkdir J1.tmp; cd J1.tmp; put manifest.json; put a.png; cd ..; rename J1.tmp J1; ls' || exit 14
smbclient -p 4445 -N //127.0.0.1/axi-incoming -c ls && exit 15
smbclient -p 4445 -U 'axi-machine%wrong' //127.0.0.1/axi-incoming -c ls && exit 16
stat -c '%a %U %G %n' /var/spool/axi-edge/incoming/J1 /var/spool/axi-edge/incoming/J1/*
runuser -u axi-edge -- mv /var/spool/axi-edge/incoming/J1 /var/spool/axi-edge/work/J1 && echo "the daemon may take it"
runuser -u axi-edge -- sh -c 'echo x >> /var/spool/axi-edge/work/J1/a.png' && echo "and write it"
"""


@pytest.fixture
def machine() -> Iterator[ThrowAwayMachine]:
    missing = [package for program, package in NEEDED.items() if not shutil.which(program, path="/usr/sbin:/usr/bin")]
    if why_not_here() or missing:
        pytest.skip(why_not_here() or f"not installed: apt-get install {' '.join(missing)}")
    with ThrowAwayMachine(with_=(f"{str(ROOT).lstrip('/')}:checkout",)) as machine:
        yield machine


@pytest.mark.systemd
def test_parts_and_share_take_effect_on_a_real_system(machine: ThrowAwayMachine) -> None:
    python = Path(sys.executable)
    inside = Path("/checkout") / python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    script = SCRIPT.replace("SOURCES", "/checkout").replace("PYTHON", str(inside))
    lay(["cores"], machine.root)  # the service manager takes its own from its first start on
    done = machine.boot([], script, seconds=180)
    said = done.stdout
    assert done.returncode == 0, said[-6000:] + done.stderr[-2000:]
    for line in (
        "manager RuntimeWatchdogUSec: 14s",
        "manager Cpus_allowed_list:\t0\n",
        "firewall: 1",
        "daemon CPUAffinity: 1-3",
        "max 200.0M",
        "makestep 1 3",
        "2770 axi-machine axi-edge /var/spool/axi-edge/incoming/J1\n",
        "660 axi-machine axi-edge /var/spool/axi-edge/incoming/J1/a.png",
        "the daemon may take it",
        "and write it",
    ):
        assert line in said, f"{line}: {said[-6000:]}"


def test_the_firewall_lets_in_what_is_needed_and_no_more() -> None:
    """The kernel's own, in a network of its own."""
    if os.geteuid() or not shutil.which("nft", path="/usr/sbin"):
        pytest.skip("needs root, and apt-get install nftables")
    rules = PARTS / "firewall/etc/nftables-axi.conf"
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", f"/usr/sbin/nft -f {rules} && /usr/sbin/nft list ruleset"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("policy drop") == 2
    assert {int(port) for port in re.findall(r"\b(?:22|445|8440|1883|8883)\b", done.stdout)} == {22, 445, 8440}


def test_the_governor_is_set_where_there_is_one(tmp_path: Path) -> None:
    laid = lay(["governor"], tmp_path)
    governors = [tmp_path / f"sys/devices/system/cpu/cpu{n}/cpufreq/scaling_governor" for n in range(2)]
    for path in governors:
        path.parent.mkdir(parents=True)
        path.write_text("powersave")
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={tmp_path}", laid[0].path.name], check=True)
    assert [path.read_text().strip() for path in governors] == ["performance"] * 2


def test_what_is_there_stays(tmp_path: Path) -> None:
    (first,) = lay(["watchdog"], tmp_path)
    assert not first.kept
    first.path.write_text("# mine\n")
    (second,) = lay(["watchdog"], tmp_path)
    assert second.kept
    assert first.path.read_text() == "# mine\n"


def test_every_part_is_offered_and_an_unknown_one_named(tmp_path: Path) -> None:
    assert set(APPLY) == {path.name for path in PARTS.iterdir() if path.is_dir()}
    with pytest.raises(UsageError, match="watchdogs: no such part; there are watchdog, journal"):
        lay(["watchdogs"], tmp_path)
