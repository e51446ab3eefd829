"""``axi-edge sample``: something to see on a device that no machine has exported to yet."""

from __future__ import annotations

import re
import stat

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.lines import wait_until
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker


def test_a_sample_is_judged_as_on_record_again_and_again(shipped: DaemonProcess, mosquitto: Mosquitto) -> None:
    listener = Subscriber(mosquitto.port)
    shipped.start()
    wait_until(lambda: "daemon        running" in shipped.command("status").stdout)
    for _ in range(2):
        done = shipped.command("sample")
        assert done.returncode == 0, done.stdout + done.stderr
        first, *joints = done.stdout.splitlines()
        assert re.fullmatch(r"SAMPLE-\S+ is handed over: \d+ golden joints of slicenet 1\.0\.0", first)
        assert len(joints) == int(first.split(": ")[1].split()[0])
        assert all(re.fullmatch(r"S1\.\d: (normal|defect), to \w+; the broker has it", line) for line in joints), joints
    said = listener.payloads("/verdict/")
    scores = [one["p_defect"] for one in said]
    assert scores[: len(scores) // 2] == scores[len(scores) // 2 :], "the same joints"
    assert {one["board"]["type"] for one in said} == {"sample"}
    modes = {path: path.stat().st_mode for path in (shipped.spool / "done").iterdir()}
    assert all(stat.S_IMODE(mode) == 0o770 for mode in modes.values())
    listener.close()


def test_without_a_spool_or_a_daemon_it_says_what_to_do(shipped: DaemonProcess) -> None:
    done = shipped.command("sample")
    assert (done.returncode, done.stdout) == (1, "no daemon runs that could judge it: systemctl start axi-edge\n")
    assert not list(shipped.incoming.iterdir())
    shipped.start()
    wait_until(lambda: "daemon        running" in shipped.command("status").stdout)
    shipped.config.write_text(shipped.config.read_text().replace("/spool", "/nowhere"))
    done = shipped.command("sample")
    assert done.returncode == 3
    assert "run this as root, or as the daemon's user" in done.stderr
