"""The review station in a real browser, with a real device and a real broker."""

from __future__ import annotations

import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from convert.demo.ports import free_port
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.bundle.shipped import WORD, bundle_folder
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.station import CHROMIUM, PASSWORD, Robot, StationProcess

pytestmark = [pytest.mark.slow, pytest.mark.broker]
JOINTS, JUDGED = 120, 100
DASHBOARDS = Path(__file__).parents[2] / "firmware_cfg" / "dashboards"
TELLING = ("audit", "learning", "unjudged", "p_defect", "verdict", "threshold", "unfamiliar", "recall-")
"""What would tell what the network thinks of a joint, or that it is drawn for the audit."""


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("line") / "lot"
    list(
        simulate_lot(
            out, LotPlan(boards=6, joints=JOINTS, seed=31, types=3, first_type=900, defect_share=0.2), workers=2
        )
    )
    return out


class Line:
    """A device whose every joint waits for a specialist, and a station beside it."""

    def __init__(self, work: Path, mosquitto: Mosquitto, lot: Path) -> None:
        self.device = DaemonProcess(work, bundle_folder(WORD), mosquitto.port)
        text = self.device.config.read_text().replace('policy = "card"', 'policy = "advise"')
        self.device.config.write_text(text)
        self.station = StationProcess(self.device.config, extra="undo_s = 0.0\nshortest_s = 0.0")
        for name in ("anna", "ben"):
            self.station.add_user(name)
        self.station.start()
        self.listener = Subscriber(mosquitto.port)
        self.device.start()
        jobs = sorted(path for path in lot.iterdir() if path.is_dir())
        for job in jobs:
            self.device.submit(job)
        self.listener.wait_for(lambda one: len(one.payloads("/board/")) == len(jobs), 120)
        self.robot = Robot(self.station.address)
        self.robot.log_in("ben")
        self.robot.until(lambda: self.robot.waiting() == JOINTS)

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        return self.listener.payloads("/verdict/")

    def reviews(self) -> dict[str, dict[str, Any]]:
        """By their ids: what is sent twice counts once."""
        return {one["review_id"]: one for one in self.listener.payloads("/review")}

    def close(self) -> None:
        self.robot.close()
        self.station.kill()
        self.device.kill()
        self.listener.close()


@pytest.fixture
def line(tmp_path: Path, mosquitto: Mosquitto, lot: Path) -> Iterator[Line]:
    found = Line(tmp_path, mosquitto, lot)
    yield found
    found.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """Without what a test before left open."""
    yield chromium
    for context in chromium.contexts:
        context.close()


def recorded(page: Any, heard: list[str]) -> None:
    """Note what the station says to a page, but for pictures and how many joints wait."""

    def passed_on(route: Any) -> None:
        if route.request.url.endswith(("/0", "/1", "/2", "/3", "/4", "/5", "/api/events")):
            route.continue_()
            return
        answer = route.fetch(max_redirects=0)
        heard.append(answer.text())
        route.fulfill(response=answer)

    page.route("**/*", passed_on)


def logged_in(browser: Any, line: Line, name: str) -> Any:
    page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    page.goto(line.station.address)
    page.wait_for_function("document.activeElement.id === 'name'")
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#joints")
    page.wait_for_load_state("load")  # and so its scripts listen
    return page


def joint_on(page: Any) -> str:
    page.wait_for_selector("#joint:not([hidden]) .slices figure")
    return str(page.inner_text("#about"))


def test_a_hundred_joints_are_judged_by_keys_alone(
    browser: Any, line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    page = logged_in(browser, line, "anna")
    problems = list[str]()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.keyboard.press("Enter")
    seen, took, keys = list[str](), list[float](), [" ", "1", " ", "4", " ", "u"]
    for number in range(JUDGED):
        page.wait_for_function("want => (document.body.dataset.shown ?? '0') === want", arg=str(number + 1))
        seen.append(joint_on(page))
        page.keyboard.press(keys[number % len(keys)])
        page.wait_for_function("want => document.body.dataset.saved === want", arg=str(number + 1))
        took.append(float(page.evaluate("document.body.dataset.ms ?? 0")))
    line.listener.wait_for(lambda one: len({said["review_id"] for said in one.payloads("/review")}) == JUDGED)
    said = list(line.reviews().values())
    wanted = {
        " ": ("false_call", None),
        "1": ("defect", "insufficient"),
        "4": ("defect", "voided"),
        "u": ("unsure", None),
    }
    assert [(one["decision"], one["defect_class"]) for one in said] == [
        wanted[keys[number % len(keys)]] for number in range(JUDGED)
    ]
    waiting = [one["event_id"] for one in line.verdicts]
    assert [one["event_id"] for one in said] == waiting[:JUDGED]
    assert all(
        f"board {one['board']['serial']}" in text.replace("\n", " ") for one, text in zip(said, seen, strict=True)
    )
    assert {one["reviewer"] for one in said} == {"anna"}
    assert all(one["blind"] and one["seconds"] >= 0 for one in said)
    assert not problems
    with capsys.disabled():
        ordered = sorted(took)
        print(
            f"\nstation: from key to next joint, median {ordered[len(took) // 2]:.0f} ms, longest {ordered[-1]:.0f} ms"
        )


def test_two_people_have_different_joints_and_nobody_hears_what_the_network_says(browser: Any, line: Line) -> None:
    heard = list[str]()
    pages = [logged_in(browser, line, name) for name in ("anna", "ben")]
    for page in pages:
        recorded(page, heard)
        page.keyboard.press("Enter")
    shown = [joint_on(page) for page in pages]
    assert shown[0] != shown[1]
    for page in pages:
        heard.append(page.content())
        page.keyboard.press("l")
        page.keyboard.press("i")
    code = [text for text in heard if "export function" in text or 'from "./' in text]
    spoken = " ".join(text for text in heard if text not in code)
    assert '"event_id"' in spoken
    assert not [word for word in TELLING if word in spoken]


def test_what_is_left_or_taken_back_waits_again(browser: Any, line: Line) -> None:
    anna = logged_in(browser, line, "anna")
    anna.keyboard.press("Enter")
    first = joint_on(anna)
    anna.keyboard.press("Escape")
    anna.wait_for_selector("#joints")
    anna.wait_for_load_state("load")
    ben = logged_in(browser, line, "ben")
    ben.keyboard.press("Enter")
    assert joint_on(ben) == first


@pytest.mark.parametrize("size", [(1366, 768), (820, 1180), (1920, 1080)])
def test_everything_a_reviewer_needs_is_on_the_screen(size: tuple[int, int], browser: Any, line: Line) -> None:
    page = logged_in(browser, line, "anna")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.keyboard.press("Enter")
    joint_on(page)
    for selector in ("#large canvas", ".decisions button", "#about", "#undo"):
        box = page.locator(selector).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]
        assert box["y"] + min(box["height"], size[1] / 3) <= size[1]


def test_prometheus_scrapes_the_station_and_takes_the_alerts(line: Line, tmp_path: Path) -> None:
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("prometheus is not installed here: apt-get install prometheus")
    shutil.copytree(DASHBOARDS, tmp_path / "prometheus")
    config = tmp_path / "prometheus" / "prometheus.yml"
    text = config.read_text().replace("localhost:8440", f"127.0.0.1:{line.station.port}")
    config.write_text(text.replace("scrape_interval: 15s", "scrape_interval: 1s"))
    checked = subprocess.run(["promtool", "check", "config", str(config)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    port, robot = free_port(), line.robot
    words = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/tsdb"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*words, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    asked = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5)

    def value(expression: str) -> float | None:
        try:
            found = asked.get("/api/v1/query", params={"query": expression}).json()["data"]["result"]
        except (httpx.HTTPError, KeyError, ValueError):
            return None
        return float(found[0]["value"][1]) if found else None

    try:
        robot.until(lambda: value("axi_waiting_joints") == JOINTS)
        robot.until(lambda: value("axi_device_online") == 1)
        robot.until(lambda: (value('sum(axi_joints_total{line="line3"})') or 0) >= 0)
        for one in robot.claimed():
            robot.decide(one["event_id"])
        robot.until(lambda: value('axi_reviews_total{decision="false_call"}') == 3)
    finally:
        asked.close()
        process.terminate()
        process.wait(30)


def test_no_review_is_lost_or_doubled_over_a_station_that_is_killed(line: Line) -> None:
    """A robot reviews; what it was told is saved is on the broker once, whenever the station died."""
    rng, saved, tried = random.Random(5), dict[str, str](), set[str]()
    done = threading.Event()

    def kill_again_and_again() -> None:
        for _ in range(12):
            done.wait(rng.uniform(0.1, 0.8))
            line.station.kill()
            line.station.start()
        done.set()

    killer = threading.Thread(target=kill_again_and_again)
    killer.start()
    robot = Robot(line.station.address)
    while not done.is_set() or len(saved) < 60:
        try:
            for one in robot.claimed():
                tried.add(one["event_id"])
                answer = robot.decide(one["event_id"])
                if answer.status_code == 200:
                    saved[answer.json()["review_id"]] = one["event_id"]
        except (httpx.HTTPError, KeyError):
            done.wait(0.05)
            robot.log_in("anna", again=True)
        if len(tried) == JOINTS and done.is_set():
            break
    robot.close()
    killer.join()
    line.listener.wait_for(lambda one: set(saved) <= {said["review_id"] for said in one.payloads("/review")}, 60)
    reviews = line.reviews()
    assert {review: reviews[review]["event_id"] for review in saved} == saved
    events = [one["event_id"] for one in reviews.values()]
    assert len(events) == len(set(events)), "one reviewer, one joint, one review"
    assert set(events) <= tried
    assert len(saved) >= 60
