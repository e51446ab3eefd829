"""``make screenshots``: what the guides show, taken in a real browser from a running demo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from convert.demo.device import BASE
from tests.support.mosquitto import Mosquitto
from tests.support.node_red import NodeRed, missing
from tests.support.station import CHROMIUM

OUT = Path(__file__).parents[2] / "docs" / "guides" / "pictures"
_SIZE = {"width": 1366, "height": 768}
_WHERE = re.compile(r"review station: (\S+)\s+name: (\S+)\s+password: (\S+)")


def main() -> None:
    OUT.mkdir(exist_ok=True)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        (work / "broker").mkdir()
        broker = Mosquitto(work / "broker")
        broker.start()
        stack.callback(broker.stop)
        browser = stack.enter_context(_browser())
        wall = _wall(stack, browser, work, broker)
        station, name, password = stack.enter_context(_demo(work / "demo", broker.port))
        if wall is not None:
            wall.get_by_text("licensed", exact=True).first.wait_for()
            _take(wall, "node-red")
        _of_the_station(browser, station, name, password)


@contextmanager
def _browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])


def _wall(stack: ExitStack, browser: Any, work: Path, broker: Mosquitto) -> Any:
    """The dashboard, before the line begins; None where Node-RED is not installed."""
    if missing():
        print(missing(), file=sys.stderr)
        return None
    node_red = NodeRed(work / "node-red", broker.port, BASE)
    stack.callback(node_red.close)
    page = browser.new_page(viewport=_SIZE)
    page.goto(node_red.address)
    page.wait_for_selector(".axi-tile.flagged")
    return page


@contextmanager
def _demo(work: Path, port: int) -> Iterator[tuple[str, str, str]]:
    """Address, name and password of its station, once it is kept up."""
    environment = {**os.environ, "DEMO_KEEP": "1", "MQTT_URL": f"mqtt://127.0.0.1:{port}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "convert.demo", str(work)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    assert process.stdout
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
            if found := _WHERE.search(line):
                yield found[1], found[2], found[3]
                return
        raise SystemExit("the demo ended without a review station")
    finally:
        process.terminate()
        process.wait(60)


def _of_the_station(browser: Any, address: str, name: str, password: str) -> None:
    page = browser.new_page(viewport=_SIZE)
    page.goto(address)
    page.fill("#name", name)
    page.fill("#password", password)
    page.keyboard.press("Enter")
    page.wait_for_selector("#joints")
    _take(page, "queue")
    serial = page.inner_text("tbody td a")
    page.goto(f"{address}line")
    page.wait_for_selector("body[data-drawn]")
    _take(page, "line")
    page.goto(f"{address}board?serial={serial}")
    page.wait_for_load_state("networkidle")
    _take(page, "board")
    page.goto(f"{address}review?serial={serial}")
    page.wait_for_selector("body[data-shown] #joint:not([hidden]) .slices figure")
    _take(page, "joint")


def _take(page: Any, name: str) -> None:
    path = OUT / f"{name}.png"
    page.screenshot(path=path)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
