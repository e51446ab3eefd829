"""The review station in a real browser, with a real device and a real broker."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.support.review_line import Line, joint_on, logged_in, recorded

pytestmark = [pytest.mark.slow, pytest.mark.broker]
JUDGED = 100
TELLING = ("audit", "learning", "unjudged", "p_defect", "verdict", "threshold", "unfamiliar", "recall-")
"""What would tell what the network thinks of a joint, or that it is drawn for the audit."""


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
    spoken = " ".join(heard)
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


def test_a_focused_button_keeps_its_own_key(browser: Any, line: Line) -> None:
    page = logged_in(browser, line, "anna")
    page.keyboard.press("Enter")
    joint_on(page)
    page.focus("[data-decision=unsure]")
    page.keyboard.press("Space")
    line.listener.wait_for(lambda one: one.payloads("/review"))
    assert [one["decision"] for one in line.reviews().values()] == ["unsure"]


def test_digits_count_where_they_lie_on_the_keyboard(browser: Any, line: Line) -> None:
    """On a French one they are typed with Shift."""
    page = logged_in(browser, line, "anna")
    page.keyboard.press("Enter")
    joint_on(page)
    press = "key => dispatchEvent(new KeyboardEvent('keydown', key))"
    page.evaluate(press, {"key": "&", "code": "Digit1", "ctrlKey": True})
    page.evaluate(press, {"key": "1", "code": "Digit1", "shiftKey": True, "metaKey": True})
    page.evaluate(press, {"key": "-", "code": "Digit4"})
    line.listener.wait_for(lambda one: one.payloads("/review"))
    assert [one["defect_class"] for one in line.reviews().values()] == ["voided"]


def test_of_a_joint_without_a_picture_one_can_only_be_unsure(browser: Any, line: Line) -> None:
    page = logged_in(browser, line, "anna")
    first = line.verdicts[0]["job_id"]
    done = line.device.spool / "done"
    (folder,) = [path for path in done.iterdir() if f'"{first}"' in (path / "manifest.json").read_text()]
    shutil.rmtree(folder)
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem:not([hidden])")
    assert "No picture" in page.inner_text("#problem")
    assert page.inner_text("#large figcaption") == "no picture"
    for key in ("Space", "1", "u"):
        page.keyboard.press(key)
    line.listener.wait_for(lambda one: one.payloads("/review"))
    assert [one["decision"] for one in line.reviews().values()] == ["unsure"]


def test_what_could_not_be_saved_is_said_and_decided_on_again(browser: Any, line: Line) -> None:
    page = logged_in(browser, line, "anna")
    page.keyboard.press("Enter")
    first = joint_on(page)
    line.station.kill()
    page.keyboard.press("Space")
    page.wait_for_function("document.getElementById('problem').textContent.includes('Not saved')", timeout=60_000)
    page.keyboard.press("Space")
    line.station.start()
    assert joint_on(page) == first
    assert not line.reviews()
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem", state="hidden")
    page.keyboard.press("1")
    line.listener.wait_for(lambda one: one.payloads("/review"))
    assert [one["decision"] for one in line.reviews().values()] == ["defect"]


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
