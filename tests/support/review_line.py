"""A line whose every joint waits for a specialist, a station beside it, and its pages in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.bundle.shipped import WORD, bundle_folder
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.station import PASSWORD, Robot, StationProcess

JOINTS = 120


class Line:
    """Its device judges a lot of so many joints and releases none."""

    def __init__(self, work: Path, mosquitto: Mosquitto, lot: Path, joints: int = JOINTS) -> None:
        self.joints = joints
        self.device = DaemonProcess(work, bundle_folder(WORD), mosquitto.port)
        text = self.device.config.read_text().replace('policy = "card"', 'policy = "advise"')
        self.device.config.write_text(text)
        self.station = StationProcess(self.device.config, extra="undo_s = 0.0\nshortest_s = 0.0\nknown_share = 0.5")
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
        self.robot.until(lambda: self.robot.waiting() == joints)

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


def recorded(page: Any, heard: list[str]) -> None:
    """Note what the station says to a page, but for pictures, code, and how many joints wait."""

    def passed_on(route: Any) -> None:
        address = route.request.url
        if address.endswith(("/0", "/1", "/2", "/3", "/4", "/5", "/api/events")) or "/static/" in address:
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


def follow(page: Any, link: str) -> None:
    """Clicks, and waits until the page behind the link is there: what is read at once could else be of the old one."""
    with page.expect_navigation():
        page.click(link)


def joint_on(page: Any) -> str:
    page.wait_for_selector("#joint:not([hidden]) .slices figure")
    return str(page.inner_text("#about"))
