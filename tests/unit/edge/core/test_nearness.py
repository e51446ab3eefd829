"""When defects that are nearly released have become more."""

from __future__ import annotations

import numpy as np

from edge.core.nearness import NearMisses

CAUGHT, NEAR, RELEASED = (False, False, False), (False, False, True), (False, True, True)
"""By three operating points: caught by all, released by the last, released by the last two."""


def _until_risen(misses: NearMisses, near: float, point: int = 1, most: int = 1_000) -> int:
    rng = np.random.default_rng(1)
    for number in range(most):
        if misses.risen(NEAR if rng.random() < near else CAUGHT, "", point):
            return number
    return most


def _learnt(near: int, total: int) -> NearMisses:
    misses = NearMisses(3)
    for number in range(total):
        misses.learn(NEAR if number < near else CAUGHT, "")
    return misses


def test_what_the_point_itself_releases_is_not_near_to_it() -> None:
    misses = _learnt(0, 100)
    for _ in range(100):
        misses.learn(RELEASED, "")
    assert _until_risen(misses, 0.4, point=1) < 50
    assert _until_risen(misses, 0.4, point=0) == 1_000, "half of them are near to the first"
    assert not any(misses.risen(RELEASED, "", 1) for _ in range(1_000))


def test_of_few_that_were_learnt_not_too_much_is_made() -> None:
    assert _until_risen(_learnt(0, 10), 0.12) == 1_000
    assert _until_risen(_learnt(0, 1_000), 0.12) < 200


def test_another_point_is_watched_from_the_start() -> None:
    misses = _learnt(5, 100)
    hits = 0
    while not misses.risen(NEAR, "", 1):
        hits += 1
    misses = _learnt(5, 100)
    for _ in range(hits):
        assert not misses.risen(NEAR, "", 1)
    assert not misses.risen(NEAR, "", 0)
    assert not misses.risen(NEAR, "", 1), "once more from the start"


def test_a_board_of_one_cause_counts_as_little_when_it_is_learnt() -> None:
    misses = _learnt(0, 100)
    for _ in range(200):
        misses.learn(NEAR, "MB-1")
    assert _until_risen(misses, 0.4) < 100
