"""The flow that ships, in a real Node-RED, with a real device behind a real broker, in a real browser."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.core.payloads import AnswerPayload
from edge.station.alarms import MOMENTS
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.node_red import FLOW, NodeRed, missing
from tests.unit.edge.station.test_figures import LICENCE

pytestmark = [pytest.mark.slow, pytest.mark.broker]
BASE = "acme/line3/axi1"
HOSTILE = '<img src=x onerror="window.pwned=1">'


@pytest.fixture
def node_red(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[NodeRed]:
    if missing():
        pytest.skip(missing())
    found = NodeRed(tmp_path / "node-red", mosquitto.port, BASE)
    yield found
    found.close()


@pytest.fixture
def page(node_red: NodeRed, browser: Any) -> Any:
    found = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    found.goto(node_red.address)
    found.wait_for_selector(".axi-tile.flagged")
    return found


def counted(page: Any, name: str, count: int) -> None:
    page.wait_for_function(
        "([name, count]) => document.querySelector(`.axi-tile.${name} b`).textContent === count",
        arg=[name, str(count)],
        timeout=120_000,
    )


def first_of(line: Subscriber, page: Any) -> dict[str, Any]:
    """A verdict that is said until the flow has heard it, and so whatever comes behind; it counts once."""
    said = {"schema": "axi-verdict/1", "event_id": "0", "time": "2026-11-30T08:00:00Z", "board": {"serial": HOSTILE}}
    said |= {"joint": HOSTILE, "machine_call": None, "verdict": "unjudged", "route": "specialist", "reason": "learning"}
    said["link"] = f"https://line3.example/{HOSTILE}"
    for _ in range(100):
        line.publish(f"{BASE}/verdict/odd", msgspec.json.encode(said))
        if page.inner_text(".axi-tile.flagged b") == "1":
            return said
        page.wait_for_timeout(200)
    raise AssertionError("the flow hears nothing")


@pytest.fixture
def line(mosquitto: Mosquitto) -> Iterator[Subscriber]:
    found = Subscriber(mosquitto.port)
    yield found
    found.close()


def test_the_flow_counts_each_joint_once_and_shows_what_the_device_does(
    page: Any, line: Subscriber, shipped: DaemonProcess, reviewed_lot: Path
) -> None:
    odd = first_of(line, page)
    shipped.start()
    jobs = sorted(path for path in reviewed_lot.iterdir() if path.is_dir())
    for job in jobs:
        shipped.submit(job)
    line.wait_for(lambda one: len(one.payloads("/board/")) == len(jobs), 120)
    verdicts = {one["event_id"]: one for one in (odd, *line.payloads("/verdict/"))}
    said = Counter(word for one in verdicts.values() for word in (one["verdict"], one["route"]))
    counted(page, "flagged", len(verdicts))
    counted(page, "released", said["release"])
    for name in ("specialist", "normal", "defect", "unjudged"):
        counted(page, name, said[name])
    assert page.locator(".axi-verdicts tbody tr").count() == 50
    page.get_by_text("online", exact=True).wait_for()
    assert "slicenet" in page.inner_text(".axi-device")
    shipped.stop()
    page.get_by_text("stopped", exact=True).wait_for()


def test_the_flow_shows_alarms_and_has_the_device_reload(
    page: Any, line: Subscriber, shipped: DaemonProcess, tmp_path: Path
) -> None:
    first_of(line, page)
    shipped.start()
    page.get_by_text("online", exact=True).wait_for()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("no manifest")
    shipped.submit(broken)
    page.get_by_text("job_refused", exact=True).wait_for()
    page.get_by_role("button", name="Reload").click()
    page.locator(".axi-answer").get_by_text(re.compile("begun")).wait_for()


def test_the_flow_shows_what_others_wrote_as_text_and_asks_nobody_else(page: Any, line: Subscriber) -> None:
    wrong, asked = list[str](), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    first_of(line, page)
    for number, state in enumerate(("licensed", "learning")):
        payload = msgspec.structs.replace(LICENCE, board_type=f"{HOSTILE}{number}", state=state)
        line.publish(f"{BASE}/licence/odd{number}/PTH", msgspec.json.encode(payload), retain=True)
    line.publish(f"{BASE}/cmd/reload/response/node-red", answer(HOSTILE))
    page.get_by_text("licensed", exact=True).wait_for()
    page.locator(".axi-answer").get_by_text(HOSTILE).wait_for()
    page.get_by_text(HOSTILE, exact=True).first.wait_for()
    assert page.evaluate("window.pwned") is None
    assert page.locator("img[src=x]").count() == 0
    assert not [url for url in asked if "127.0.0.1" not in url and not url.startswith(("data:", "blob:"))]
    assert not wrong


def answer(text: str) -> bytes:
    return msgspec.json.encode(AnswerPayload(op="reload", ok=True, text=text, time="2026-11-30T08:00:00Z"))


def test_the_flow_knows_which_alarms_have_no_end() -> None:
    (body,) = [node["func"] for node in json.loads(FLOW.read_text()) if node.get("name") == "Raised or over"]
    (listed,) = re.findall(r"const once = \[(.*?)\]", body, re.DOTALL)
    assert set(re.findall('"([a-z_]+)"', listed)) == MOMENTS
