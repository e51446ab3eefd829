"""The line's page and boards' maps in a real browser, and joints of known truth on a real device."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convert.lots.truth import read_truth
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.adapters.journal.view import reviews
from edge.station.truths import all_told
from tests.support.mosquitto import Mosquitto, find_mosquitto
from tests.support.review_line import JOINTS, Line, follow, logged_in
from tests.support.station import Robot

pytestmark = [pytest.mark.slow, pytest.mark.broker]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, reviewed_lot: Path) -> Iterator[Line]:
    """A line of which three joints were reviewed, to be looked at."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed here: apt-get install mosquitto")
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    line = Line(tmp_path_factory.mktemp("watched"), broker, reviewed_lot)
    for one in line.robot.claimed():
        line.robot.decide(one["event_id"])
    line.listener.wait_for(lambda one: len({said["event_id"] for said in one.payloads("/review")}) == 3)
    yield line
    line.close()
    broker.stop()


def figures(page: Any) -> dict[str, str]:
    names, values = (page.locator(f".figures {tag}").all_inner_texts() for tag in ("dt", "dd"))
    return {name: value.split()[0] for name, value in zip(names, values, strict=True)}


def test_the_line_page_draws_what_the_device_did(browser: Any, watched: Line) -> None:
    page = logged_in(browser, watched, "anna")
    problems = list[str]()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    for span in ("Today", "7 days", "8 weeks"):
        follow(page, "text=Line")
        follow(page, f"text={span}")
        page.wait_for_selector("body[data-drawn]")
        shown = figures(page)
        assert (shown["flagged by the machine"], shown["released"]) == (str(JOINTS), "0")
        assert (shown["wait now"], shown["reviewed"]) == (str(JOINTS - 3), "3")
        labels = [canvas.get_attribute("aria-label") for canvas in page.locator("[role=img].uplot").all()]
        assert any(f"released 0, sent {JOINTS}" in (label or "") for label in labels)
    assert page.inner_text(".state-online") == "online"
    for width, height in ((1366, 768), (820, 1180)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not problems


def test_a_boards_map_lies_on_its_own_pictures(browser: Any, watched: Line) -> None:
    page = logged_in(browser, watched, "anna")
    follow(page, "tbody td a")
    page.wait_for_function("() => document.querySelector('.map img').naturalWidth")
    serial = page.inner_text("h1").removeprefix("Board ")
    wanted = [one["joint"] for one in watched.verdicts if one["board"]["serial"] == serial]
    assert page.locator(".map a[href^='/joint/']").count() == len(wanted)
    boxes = {name: page.locator(f".map rect.is-{name}").count() for name in ("waits", "good", "released")}
    assert boxes == {"waits": len(wanted) - 3, "good": 3, "released": 0}
    box = page.locator(".map svg").first.get_attribute("viewBox").split()
    size = page.evaluate("(one => [one.naturalWidth, one.naturalHeight])(document.querySelector('.map img'))")
    assert [int(side) for side in box[2:]] == size


def test_one_click_on_a_verdicts_link_shows_its_joint_and_one_key_has_it_reviewed(browser: Any, watched: Line) -> None:
    """Also from a dashboard elsewhere, which sends no cookies that are for our own pages alone."""
    said = {one["event_id"] for one in watched.reviews().values()}
    verdict = next(one for one in reversed(watched.verdicts) if one["event_id"] not in said)
    page = logged_in(browser, watched, "anna")
    problems = list[str]()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto("about:blank")
    page.set_content(f'<a href="{verdict["link"]}">look</a>')
    follow(page, "text=look")
    page.wait_for_selector("body[data-drawn]")
    assert page.inner_text("h1") == verdict["joint"]
    captions = page.locator("#slices figcaption").all_inner_texts()
    assert captions == [f"slice {number}" for number in range(1, len(verdict["files"]) + 1)]
    facts = page.inner_text(".facts")
    assert verdict["files"][0] in facts
    assert ", ".join(map(str, verdict["roi"])) in facts
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    page.keyboard.press("Enter")
    page.wait_for_selector("#joint:not([hidden]) .slices figure")
    assert f"joint {verdict['joint']}" in page.inner_text("#about").replace("\n", " ")
    page.keyboard.press("Escape")
    page.wait_for_selector("#joints")
    assert not problems


def test_joints_of_known_truth_come_back_among_others_and_reach_the_device_as_settled_first(
    line: Line, tmp_path: Path, reviewed_lot: Path
) -> None:
    serial = line.verdicts[0]["board"]["serial"]
    known = {one["joint"]: one for one in line.verdicts if one["board"]["serial"] == serial}
    truth = read_truth(reviewed_lot)
    table = tmp_path / "known.csv"
    with table.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("serial", "joint", "decision", "reviewer", "time"))
        for joint, one in known.items():
            said = "defect" if truth[one["job_id"], joint].label else "false_call"
            rows.writerow((serial, joint, said, "laboratory", "2026-11-30T08:00:00Z"))
    done = line.station.command("known", str(table))
    assert done.returncode == 0, done.stderr
    defects = sum(truth[one["job_id"], joint].label for joint, one in known.items())
    assert f"of known truth from now on: {defects} defective and {len(known) - defects} good" in done.stdout
    robot = Robot(line.station.address)
    robot.log_in("anna")
    assert robot.waiting() == JOINTS - len(known)
    robot.decide(robot.claimed()[0]["event_id"])
    robot.until(lambda: all_told(line.device.spool))
    more = tmp_path / "more"
    list(simulate_lot(more, LotPlan(boards=3, joints=60, seed=77, types=3, first_type=900, prefix="L9")))
    for job in sorted(path for path in more.iterdir() if path.is_dir()):
        line.device.submit(job)
    robot.until(lambda: robot.waiting() == JOINTS - 1 + 60)
    seen = set[str]()
    while claimed := robot.claimed():
        for one in claimed:
            assert not one["second_look"]
            seen.add(one["event_id"])
            assert robot.decide(one["event_id"]).status_code == 200
    robot.close()
    assert {one["event_id"] for one in known.values()} <= seen
    line.listener.wait_for(lambda one: len({said["event_id"] for said in one.payloads("/review")}) == JOINTS + 60)
    journal = line.device.work / "journal.db"
    line.robot.until(lambda: len(reviews(journal)) == JOINTS + 60 + len(known))
    order = [(one.event_id, one.settled) for one in reviews(journal)]
    for one in known.values():
        assert order.index((one["event_id"], True)) < order.index((one["event_id"], False))


def test_a_reviewers_page_is_for_engineers(browser: Any, watched: Line) -> None:
    watched.station.add_user("eva", "engineer")
    page = logged_in(browser, watched, "eva")
    follow(page, "text=Reviewers")
    (row,) = page.locator("tbody tr").all_inner_texts()
    assert re.match(r"ben\s+3\s+0", row)
    assert json.loads(page.evaluate("JSON.stringify(document.title)")) == "Reviewers - review1"
