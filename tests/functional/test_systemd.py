"""The unit under a real systemd, installed as the guide says, against a real broker."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from convert.lots.truth import read_truth
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.nspawn import ThrowAwayMachine, why_not_here

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "axi-edge.service"
STATION = ROOT / "systemd" / "axi-station.service"
FOLLOW = ROOT / "systemd" / "axi-edge-follow.service"

pytestmark = pytest.mark.systemd

SCRIPT = """
for c in memory pids cpu cpuacct; do mount -o remount,bind,rw /sys/fs/cgroup/$c 2>/dev/null; done
systemctl daemon-reexec
systemd-sysusers /etc/sysusers.d/axi-edge.conf && systemd-tmpfiles --create /etc/tmpfiles.d/axi-edge.conf || exit 10
ip link set lo up 2>/dev/null
systemctl start axi-edge || { systemctl status axi-edge; journalctl -u axi-edge --no-pager; cat /run/axi.log; exit 11; }
echo "active: $(systemctl is-active axi-edge)"
/opt/axi-edge/bin/axi-edge status || exit 12
systemd-sysusers /etc/sysusers.d/axi-station.conf || exit 13
systemctl start axi-station || { systemctl status axi-station; journalctl -u axi-station --no-pager; exit 14; }
for i in $(seq 100); do
  echo "correct horse battery" | runuser -u axi-station -- /opt/axi-edge/bin/axi-edge station user add anna && break
  sleep 0.1
done
cp -r /lot/. /var/spool/axi-edge/incoming/ && chown -R axi-edge:axi-edge /var/spool/axi-edge/incoming
for i in $(seq 300); do
  [ "$(ls /var/spool/axi-edge/done | wc -l)" = 4 ] && break
  sleep 0.1
done
ls /var/spool/axi-edge/done
/opt/axi-edge/bin/python /see-a-joint || {
  journalctl -u axi-station -u axi-edge --no-pager; /opt/axi-edge/bin/axi-edge status; exit 15; }
pid=$(systemctl show -p MainPID --value axi-station)
echo "station: $(systemctl is-active axi-station) $(stat -c %U /proc/$pid)"
systemctl stop axi-station
before=$(systemctl show -p MainPID --value axi-edge)
kill -STOP $before
for i in $(seq 300); do
  now=$(systemctl show -p MainPID --value axi-edge)
  [ "$now" != "$before" ] && [ "$now" != 0 ] && [ "$(systemctl is-active axi-edge)" = active ] && break
  sleep 0.1
done
echo "watchdog: $(systemctl show -p Result -p NRestarts --value axi-edge | tr '\\n' ' ')"
before=$(systemctl show -p MainPID --value axi-edge)
# Another program's lock on the journal is no hang: the daemon waits for longer than its watchdog has patience.
/opt/axi-edge/bin/python - <<'END' &
import pathlib, sqlite3, time
db = sqlite3.connect("/var/lib/axi-edge/journal.db", isolation_level=None)
db.execute("BEGIN IMMEDIATE")
pathlib.Path("/run/journal-locked").touch()
time.sleep(12)
END
until [ -e /run/journal-locked ]; do sleep 0.05; done
cp -r /lot/$(ls /lot | head -1) /var/spool/axi-edge/again
mv /var/spool/axi-edge/again /var/spool/axi-edge/incoming/again
chown -R axi-edge:axi-edge /var/spool/axi-edge/incoming
wait $!
for i in $(seq 100); do
  [ -d /var/spool/axi-edge/done/again ] && break
  sleep 0.1
done
echo "locked: $(systemctl show -p NRestarts --value axi-edge) $(ls -d /var/spool/axi-edge/done/again)"
# A loop that hangs: its threads are stopped, the main one goes on.
/opt/axi-edge/bin/python /hang-loops $before &
for i in $(seq 400); do
  now=$(systemctl show -p MainPID --value axi-edge)
  [ "$now" != "$before" ] && [ "$now" != 0 ] && [ "$(systemctl is-active axi-edge)" = active ] && break
  sleep 0.1
done
echo "hung loop: $(systemctl show -p NRestarts --value axi-edge)"
/opt/axi-edge/bin/axi-edge audit | tail -1
systemctl reload axi-edge && echo "reload: $(systemctl is-active axi-edge)"
group=$(systemctl show -p ControlGroup --value axi-edge)
memory="/sys/fs/cgroup/memory$group/memory.limit_in_bytes /sys/fs/cgroup$group/memory.max"
echo "memory limit: $(cat $memory 2>/dev/null)"
echo "task limit: $(cat /sys/fs/cgroup/pids$group/pids.max /sys/fs/cgroup$group/pids.max 2>/dev/null)"
echo "tasks: $(cat /sys/fs/cgroup/pids$group/pids.current /sys/fs/cgroup$group/pids.current 2>/dev/null)"
pid=$(systemctl show -p MainPID --value axi-edge)
echo "user: $(stat -c %U /proc/$pid)"
grep -i -E 'NoNewPrivs|Seccomp:' /proc/$pid/status
systemctl stop axi-edge
echo "stopped: $(systemctl show -p Result --value axi-edge) $(systemctl is-active axi-edge)"
exit 0
"""


# Stops every thread but the main one of the process that is named, and stays until it is gone.
HANG_LOOPS = """
import contextlib, ctypes, os, pathlib, sys, time
SEIZE, INTERRUPT, ALL_KINDS = 0x4206, 0x4207, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
pid = sys.argv[1]
for task in pathlib.Path("/proc", pid, "task").iterdir():
    if task.name != pid:
        for request in (SEIZE, INTERRUPT):
            if libc.ptrace(request, int(task.name), None, None):
                sys.exit(f"ptrace: {ctypes.get_errno()}")
print("loops stopped", flush=True)
while pathlib.Path("/proc", pid).exists():
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG | ALL_KINDS)  # a thread that died is gone only when its tracer has taken note
    time.sleep(0.05)
"""


# Logs in, waits for a joint, and looks at one of its pictures.
SEE_A_JOINT = """
import http.cookiejar, json, re, time, urllib.error, urllib.parse, urllib.request
BASE = "http://127.0.0.1:8440"
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
def token():
    return re.search(r'name="token" content="([^"]+)"', browser.open(BASE + "/login").read().decode())[1]
for _ in range(200):
    try:
        said = {"name": "anna", "password": "correct horse battery", "token": token()}
        browser.open(BASE + "/login", urllib.parse.urlencode(said).encode())
        break
    except OSError:
        time.sleep(0.1)
late = time.monotonic() + 120
while time.monotonic() < late:
    asked = urllib.request.Request(BASE + "/api/claim", b"{}", {"x-token": token()})
    said = json.load(browser.open(asked))
    joints = said["joints"]
    if joints and joints[0]["slices"]:
        break
    time.sleep(0.1)
else:
    raise SystemExit(f"no joint with pictures: {said}")
picture = browser.open(BASE + joints[0]["slices"][0])
print("picture:", picture.headers["content-type"], picture.read(8)[1:4])
"""


@pytest.mark.parametrize("unit", [UNIT, STATION, FOLLOW], ids=["device", "station", "follow"])
def test_the_unit_is_valid_and_hardened(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    # Verification looks for the program on this machine; the installed path is the device's.
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/axi-edge/bin/axi-edge", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", str(here)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(unit)]
    scored = subprocess.run(security, capture_output=True, text=True, check=False)
    assert scored.returncode == 0, scored.stdout.splitlines()[-1]


@pytest.mark.broker
def test_verdicts_arrive_from_under_a_real_systemd(bundle: Path, lots: Path, mosquitto: Mosquitto) -> None:
    if why_not_here():
        pytest.skip(why_not_here())
    subscriber = Subscriber(mosquitto.port)
    with ThrowAwayMachine() as machine:
        _install(machine, bundle, lots / "evaluate", mosquitto.port)
        done = machine.boot([machine.root / "units" / UNIT.name, STATION], SCRIPT, seconds=400)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "active: active" in done.stdout
    assert "user: axi-edge" in done.stdout
    assert "NoNewPrivs:\t1" in done.stdout
    assert "Seccomp:\t2" in done.stdout
    assert "picture: image/png b'PNG'" in done.stdout, done.stdout
    assert "station: active axi-station" in done.stdout, done.stdout
    assert "watchdog: success 1" in done.stdout, done.stdout
    assert "locked: 1 /var/spool/axi-edge/done/again" in done.stdout, done.stdout
    assert "hung loop: 2" in done.stdout, done.stdout
    assert "every joint is accounted for" in done.stdout, done.stdout
    assert "reload: active" in done.stdout
    assert f"memory limit: {2 * 1024**3}" in done.stdout, done.stdout
    assert "task limit: 64" in done.stdout, done.stdout
    assert "stopped: success inactive" in done.stdout
    expected = set(read_truth(lots / "evaluate"))
    subscriber.wait_for(lambda s: len(s.payloads("/verdict/")) >= len(expected))
    arrived = subscriber.payloads("/verdict/")
    assert {(verdict["job_id"], verdict["joint"]) for verdict in arrived} == expected
    assert len({verdict["event_id"] for verdict in arrived}) == len(expected)
    states = [state for state, _ in itertools.groupby(payload["state"] for payload in subscriber.payloads("/status"))]
    hang = ["online", "offline"]
    assert states == [*hang, *hang, "online", "stopped"], "a hang ends in the Will, a stop does not"
    subscriber.close()


def _install(machine: ThrowAwayMachine, bundle: Path, lot: Path, port: int) -> None:
    """What the guide tells the IT engineer to do, inside the throw-away machine."""
    root = machine.root
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    sources = root / "src" / "axi-edge"
    shutil.copytree(ROOT, sources, ignore=shutil.ignore_patterns(".venv", ".git", "*.egg-info", ".*_cache", "build"))
    machine.run("/usr/bin/python3", "-m", "venv", "/opt/axi-edge")
    install = ["/opt/axi-edge/bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    machine.run(*install, "-c", "/src/axi-edge/constraints.txt", "/src/axi-edge[station]")
    config = (sources / "firmware_cfg/devices/x86-64-box.toml").read_text()
    config = config.replace("/var/lib/axi-edge/bundles/current", f"/var/lib/axi-edge/bundles/{bundle.name}")
    config = config.replace("port = 1883", f"port = {port}").replace("stall_s = 20.0", "stall_s = 2.0")
    for path, text in (
        ("hang-loops", HANG_LOOPS),
        ("see-a-joint", SEE_A_JOINT),
        ("etc/sysusers.d/axi-station.conf", (sources / "systemd/axi-station.sysusers.conf").read_text()),
        ("etc/axi-edge/axi-edge.toml", config),
        ("etc/sysusers.d/axi-edge.conf", (sources / "systemd/axi-edge.sysusers.conf").read_text()),
        ("etc/tmpfiles.d/axi-edge.conf", (sources / "systemd/axi-edge.tmpfiles.conf").read_text()),
        # A hang must be seen within a test's patience.
        (f"units/{UNIT.name}", UNIT.read_text().replace("WatchdogSec=30", "WatchdogSec=4")),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    shutil.copytree(bundle, root / "var/lib/axi-edge/bundles" / bundle.name)
    shutil.copytree(lot, root / "lot", ignore=shutil.ignore_patterns("truth.csv"))
