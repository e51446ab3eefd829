"""A robot reviews while its station is killed at random instants, again and again."""

from __future__ import annotations

import random
import threading
from typing import Any, NamedTuple

import httpx2 as httpx

from tests.support.review_line import Line
from tests.support.station import Robot


class Killed(NamedTuple):
    """``saved``: event by review, as the station told the robot that it is on disk; ``reviews`` by their ids, as the
    broker has them; ``tried``: events that the robot decided on, whether or not it heard an answer.
    """

    kills: int
    saved: dict[str, str]
    tried: set[str]
    reviews: dict[str, dict[str, Any]]

    @property
    def lost(self) -> list[str]:
        """Reviews that were on disk and never arrived, or as others."""
        return [one for one, event in self.saved.items() if self.reviews.get(one, {}).get("event_id") != event]

    @property
    def doubled(self) -> int:
        """The robot is one reviewer, who says something of a joint once."""
        events = [one["event_id"] for one in self.reviews.values()]
        return len(events) - len(set(events))

    @property
    def invented(self) -> set[str]:
        return {one["event_id"] for one in self.reviews.values()} - self.tried


def killed_while_reviewing(line: Line, kills: int, rng: random.Random, pause_s: float = 0.0) -> Killed:
    """``pause_s``: between decisions at most, so that joints last as long as the kills do."""
    saved, tried, done = dict[str, str](), set[str](), threading.Event()

    def kill_again_and_again() -> None:
        for _ in range(kills):
            done.wait(rng.uniform(0.1, 0.8))
            line.station.kill()
            line.station.start()
        done.set()

    killer = threading.Thread(target=kill_again_and_again)
    killer.start()
    robot = Robot(line.station.address)
    while len(tried) < line.joints and not (done.is_set() and len(saved) >= line.joints / 2):
        try:
            for one in robot.claimed():
                tried.add(one["event_id"])
                answer = robot.decide(one["event_id"])
                if answer.status_code == 200:
                    saved[answer.json()["review_id"]] = one["event_id"]
                threading.Event().wait(rng.uniform(0, pause_s))
        except (httpx.HTTPError, KeyError):
            threading.Event().wait(0.05)
            robot.log_in("anna", again=True)
    robot.close()
    killer.join()
    line.listener.wait_for(lambda one: set(saved) <= {said["review_id"] for said in one.payloads("/review")}, 60)
    return Killed(kills, saved, tried, line.reviews())
