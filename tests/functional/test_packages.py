"""The Debian packages in throw-away machines: installed, told what only the plant knows, judging, upgraded, removed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from convert.lots.truth import read_truth
from convert.packages.__main__ import made
from convert.packages.deb import EDGE, STATION, file_name
from convert.packages.targets import Target, named
from edge.bundle.format import open_bundle, write_bundle
from edge.bundle.shipped import WORD, bundle_folder
from edge.bundle.signing import public_bytes
from tests.support.debian import root_of
from tests.support.mosquitto import Subscriber
from tests.support.nspawn import ThrowAwayMachine, why_not_here
from tests.support.plant import BROKEN, FEED, Plant, another

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.systemd, pytest.mark.broker]

INSTALL = """
export DEBIAN_FRONTEND=noninteractive
for c in memory pids cpu cpuacct; do mount -o remount,bind,rw /sys/fs/cgroup/$c 2>/dev/null; done
systemctl daemon-reexec
ip link set lo up 2>/dev/null
began=$(date +%s)
apt-get install -y PACKAGES || exit 10
echo "before setup: $(systemctl is-active axi-edge)"
axi-edge setup --name axi1 --base-topic acme/line3/axi1 --broker 127.0.0.1:PORT --username axi1 \\
  --password-file /plant/password --ca-file /plant/ca.pem || { journalctl -u axi-edge --no-pager; exit 11; }
cp -r /lot/JOB /var/spool/axi-edge/JOB && chown -R axi-edge: /var/spool/axi-edge/JOB
mv /var/spool/axi-edge/JOB /var/spool/axi-edge/incoming/JOB
for i in $(seq 600); do [ -d /var/spool/axi-edge/done/JOB ] && break; sleep 0.1; done
echo "seconds: $(( $(date +%s) - began ))"
"""
LOOK = """
axi-edge status
axi-edge audit | tail -1
axi-edge check
/opt/axi-edge/bin/python -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:8440").status, "station")'
stat -c '%a %U %n' /etc/axi-edge/* /etc/systemd/system/axi-edge.service.d/*
"""
WRONG = """
main() { systemctl show -p MainPID --value axi-edge; }
pid=$(main)
axi-edge setup --broker 127.0.0.1:1; echo "a wrong broker ended with $?"
[ "$pid" = "$(main)" ] && echo "the daemon is the same"
axi-edge setup --base-topic acme/line4/axi1; echo "another topic ended with $?"
axi-edge setup --broker 127.0.0.1:1 --anyway; echo "anyway ended with $?"
axi-edge setup --broker 127.0.0.1:PORT; echo "back ended with $?"
(umask 077; mkdir /etc/axi-edge/axi-edge.d; printf '[health]\ninterval_s = 5.0\n' > /etc/axi-edge/axi-edge.d/70-x.toml)
axi-edge check | grep 'fail *configuration'
pid=$(main)
axi-edge setup --base-topic acme/line5/axi1; echo "what it may not read ended with $?"
rm -r /etc/axi-edge/axi-edge.d; mv /etc/axi-edge/mqtt-password /etc/axi-edge/away
axi-edge setup; echo "without its secret it ended with $?"
mv /etc/axi-edge/away /etc/axi-edge/mqtt-password
[ "$pid" = "$(main)" ] && echo "the daemon is still the same"
systemctl stop axi-edge
mv /var/spool/axi-edge /var/spool/away
systemctl start axi-edge; echo "without its spool it ended with $?"
journalctl -u axi-edge --no-pager | grep -m 1 -o 'axi-edge: .spool. path.*'
mv /var/spool/away /var/spool/axi-edge
for i in $(seq 100); do [ "$(systemctl is-active axi-edge)" = active ] && break; sleep 0.1; done
echo "with it: $(systemctl is-active axi-edge)"
"""
QUALIFY = """
began=$(date +%s)
axi-edge qualify; echo "qualify ended with $? after $(( $(date +%s) - began )) s"
systemctl reload axi-edge
for i in $(seq 100); do axi-edge status | grep -q 'qualified *certified' && break; sleep 0.1; done
axi-edge status | grep qualified
axi-edge check | grep qualified
stat -c '%a %U %n' /var/lib/axi-edge/qualification.* /etc/axi-edge/axi-edge.d/*
"""
FOLLOW = """
cat /offered/signing.pub >> /etc/axi-edge/trusted.pem
printf '[model]\nfollow = "/offered/wanted.toml"\nwatch_s = 5.0\n' > /etc/axi-edge/axi-edge.d/60-follow.toml
systemctl reload axi-edge
systemctl start axi-edge-follow; echo "follow ended with $?"
journalctl -u axi-edge-follow -o cat --no-pager | tail -12
for i in $(seq 300); do axi-edge status | grep -q 'bundle *slicenet 9.0.0$' && break; sleep 0.1; done
axi-edge status | grep -E 'bundle|qualified'
for i in $(seq 300); do axi-edge status | grep -q bundle_on_trial && break; sleep 0.1; done
axi-edge status | grep alarm
ls /var/lib/axi-edge | grep -c trial
systemctl start axi-edge-follow; journalctl -u axi-edge-follow -o cat --no-pager | grep -c 'here already'
"""

UPGRADE = """
/opt/axi-edge/bin/python /feed & feeder=$!
until [ -e /run/fed ]; do sleep 0.1; done
packaged() { dpkg-query -W -f '${Version} ${db:Status-Abbrev}' axi-edge; }
say() {
  echo "$1 ended with $2: $(axi-edge status | sed -n 's/^daemon *//p'), packaged $(packaged)"
  echo "$1 and the station: $(systemctl is-active axi-station)"
}
for name in good sick clash dead; do
  apt-get install -y /packages/axi-edge-$name.deb /packages/axi-station-$name.deb; say $name $?
done
dpkg --configure axi-edge; say configure $?
AXI_EDGE_TRY_AGAIN=1 dpkg --configure axi-edge; say again $?
apt-get install -y /packages/axi-edge-mute.deb /packages/axi-station-mute.deb; say mute $?
dpkg -i /packages/axi-edge-clash.deb; say clashed $?
ls /var/lib/axi-edge
apt-get install -y /packages/axi-edge-better.deb /packages/axi-station-better.deb; say better $?
ls -d /opt/*
touch /run/enough; wait $feeder
for i in $(seq 600); do
  [ "$(ls /var/spool/axi-edge/incoming /var/spool/axi-edge/work | grep -c FED)" = 0 ] && break
  sleep 0.1
done
for i in $(seq 300); do
  axi-edge status | grep -q 'outbox *0 ' && break
  sleep 0.1
done
echo "fed: $(cat /run/fed)"
axi-edge audit | tail -3
systemctl stop axi-edge
cp -r /lot/JOB /var/spool/axi-edge/incoming/NOBODY-SAW-IT
apt-get purge -y axi-edge axi-station; echo "purge ended with $?"
find / -xdev \\( -path /proc -o -path /packages -o -path /var/log \\) -prune -o -iname '*axi-[es][dt]*' -print
ls /var/spool/axi-edge/incoming
"""


@pytest.fixture(scope="module", params=["bookworm-amd64", "trixie-amd64"])
def target(request: pytest.FixtureRequest) -> Target:
    found = named(request.param)
    if why_not_here():
        pytest.skip(why_not_here())
    if root_of(found) is None:
        pytest.skip("no root can be made here: apt-get install mmdebstrap, and a Debian mirror")
    return found


@pytest.fixture(scope="module")
def packages(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = ROOT / "build" / "test-deb" / "machines"
    made(target, out, "none")
    return out


@pytest.fixture
def machine(target: Target, packages: Path, plant: Plant, lots: Path) -> Iterator[ThrowAwayMachine]:
    below = root_of(target)
    assert below
    with ThrowAwayMachine(below) as machine:
        (machine.root / "packages").mkdir()
        for package in (EDGE, STATION):
            shutil.copy(packages / file_name(package, target), machine.root / "packages" / f"{package.name}.deb")
        (machine.root / "plant").mkdir()
        for file in (plant.password, plant.authority.file):
            shutil.copy(file, machine.root / "plant" / file.name)
        shutil.copytree(lots / "evaluate", machine.root / "lot", ignore=shutil.ignore_patterns("truth.csv"))
        yield machine


def script(plant: Plant, lots: Path, *parts: str) -> str:
    job = sorted(path.name for path in (lots / "evaluate").iterdir() if path.is_dir())[0]
    return "".join(parts).replace("PORT", str(plant.tls_port)).replace("JOB", job)


def test_one_install_one_setup_and_a_job_gives_verdicts(machine: ThrowAwayMachine, plant: Plant, lots: Path) -> None:
    subscriber = Subscriber(plant.broker.port)
    packages = "/packages/axi-edge.deb /packages/axi-station.deb"
    done = machine.boot([], script(plant, lots, INSTALL.replace("PACKAGES", packages), LOOK, WRONG), seconds=400)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "before setup: inactive" in done.stdout
    assert "axi1 runs, and is connected with 127.0.0.1:" in done.stdout
    assert "every joint is accounted for" in done.stdout
    assert "200 station" in done.stdout
    assert "fail " not in done.stdout.partition("a wrong broker")[0]
    assert "600 root /etc/axi-edge/mqtt-password" in done.stdout
    assert "broker        127.0.0.1:" in done.stdout
    assert "Nothing was changed, and this device goes on as it is" in done.stdout
    assert "a wrong broker ended with 3\nthe daemon is the same\n" in done.stdout
    assert "changed: base_topic acme/line3/axi1 -> acme/line4/axi1" in done.stdout
    assert "another topic ended with 0" in done.stdout
    assert "axi1 runs, without its broker: what it decides waits until that answers\nanyway ended with 1" in done.stdout
    assert f"changed: broker 127.0.0.1:1 -> 127.0.0.1:{plant.tls_port}" in done.stdout
    assert "back ended with 0" in done.stdout
    assert "axi-edge.d: Permission denied; make it a folder that this user may read" in done.stdout
    assert "what it may not read ended with 3" in done.stdout
    assert "without its secret it ended with 3\nthe daemon is still the same" in done.stdout
    assert "systemd-tmpfiles --create makes the usual one" in done.stdout
    assert "with it: active" in done.stdout
    (seconds,) = re.findall(r"seconds: (\d+)", done.stdout)
    assert int(seconds) < 120, "from the first command to the first verdicts"
    job = min(path.name for path in (lots / "evaluate").iterdir() if path.is_dir())
    expected = {joint for joint in read_truth(lots / "evaluate") if joint[0] == job}
    subscriber.wait_for(lambda s: len(s.payloads("/verdict/")) >= len(expected))
    assert {(verdict["job_id"], verdict["joint"]) for verdict in subscriber.payloads("/verdict/")} == expected
    subscriber.close()


def test_a_device_is_qualified_within_three_minutes_and_its_daemon_hears_of_it(
    machine: ThrowAwayMachine, target: Target, plant: Plant, lots: Path
) -> None:
    if target.release.suite != "trixie":
        pytest.skip("three minutes: once is enough")
    install = INSTALL.replace("PACKAGES", "/packages/axi-edge.deb")
    offer_a_newer_bundle(machine.root / "offered")
    done = machine.boot([], script(plant, lots, install, QUALIFY, FOLLOW), seconds=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    (ended,) = re.findall(r"qualify ended with (\d+) after (\d+) s", done.stdout)
    assert ended[0] == "0", done.stdout[-4000:]
    assert int(ended[1]) < 180, done.stdout[-4000:]
    alone, _, followed = done.stdout.partition("follow ended with 0\n")
    assert len(re.findall("qualified +certified 20", alone)) == 2, done.stdout[-4000:]
    assert "600 axi-edge /var/lib/axi-edge/qualification.key" in done.stdout
    assert "644 root /etc/axi-edge/axi-edge.d/50-qualified.toml" in done.stdout
    assert "slicenet-9.0.0: active, and watched for 5 s and 50 joints at least\nthe daemon takes it up" in followed, (
        done.stdout[-4000:]
    )
    assert re.search(r"bundle +slicenet 9\.0\.0\nqualified +certified 20", followed), done.stdout[-4000:]
    assert followed.endswith("slicenet-9.0.0 is watched\n1\n1\n"), "and nothing is fetched twice"


def offer_a_newer_bundle(folder: Path) -> None:
    """The one that ships, as another version, signed by somebody else."""
    sound, key = open_bundle(bundle_folder(WORD)), Ed25519PrivateKey.generate()
    card = replace(sound.card, version="9.0.0")
    path = write_bundle(folder, card, sound.model_path.read_bytes(), sound.golden, key, sound.parity)
    (folder / "signing.pub").write_bytes(public_bytes(key.public_key()))
    (folder / "wanted.toml").write_text(f'[all]\nbundle = "{path.name}"\n')


def test_upgrades_lose_nothing_and_go_back_by_themselves(
    machine: ThrowAwayMachine, target: Target, plant: Plant, lots: Path, tmp_path: Path
) -> None:
    if target.release.suite != "bookworm":
        pytest.skip("the same scripts: once is enough")
    subscriber = Subscriber(plant.broker.port)
    folder = machine.root / "packages"
    for number, how in enumerate(BROKEN, start=2):
        for package in (EDGE, STATION):
            made_so = another(folder / f"{package.name}.deb", f"0.{number}.0", tmp_path, how)
            shutil.move(made_so, folder / made_so.name)
    (machine.root / "feed").write_text(FEED)
    packages = "/packages/axi-edge.deb /packages/axi-station.deb"
    install = INSTALL.replace("PACKAGES", packages)
    done = machine.boot([], script(plant, lots, install, UPGRADE), seconds=900)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    said = done.stdout
    for line in (
        "good ended with 0: running 0.2.0, packaged 0.2.0+deb12 ii",
        "sick ended with 100: running 0.2.0, packaged 0.3.0+deb12 iF",
        "clash ended with 100: running 0.2.0, packaged 0.3.0+deb12 i",
        "dead ended with 100: running 0.2.0, packaged 0.5.0+deb12 iF",
        "configure ended with 1: running 0.2.0, packaged 0.5.0+deb12 iF",
        "again ended with 1: running 0.2.0, packaged 0.5.0+deb12 iF",
        "mute ended with 100: running 0.2.0, packaged 0.6.0+deb12 iF",
        "not healthy within 60 s: the broker has not answered",
        "clashed ended with 1: running 0.2.0, packaged 0.6.0+deb12 i",
        "journal.db.newer-",
        "better ended with 0: running 0.7.0, packaged 0.7.0+deb12 ii",
        "every joint is accounted for",
    ):
        assert line in said, f"{line}: {said[-20_000:]}"
    stations = re.findall(r"(\w+) and the station: (\w+)", said)
    assert {(how, state) for how, state in stations if state != "active"} == set(), said[-20_000:]
    assert "/opt/axi-edge.before" not in said.rpartition("better ended")[2], "what was on trial is good, and alone"
    left = said.rpartition("purge ended with 0\n")[2].splitlines()
    assert left == ["/var/spool/axi-edge", "NOBODY-SAW-IT"], "what nobody judged stays, and nothing else"
    (fed,) = re.findall(r"fed: (\d+)", said)
    joints = 10 * (int(fed) + 1)
    subscriber.wait_for(lambda s: len(s.payloads("/verdict/")) >= joints)
    arrived = subscriber.payloads("/verdict/")
    assert (len(arrived), len({verdict["event_id"] for verdict in arrived})) == (joints, joints)
    subscriber.close()
