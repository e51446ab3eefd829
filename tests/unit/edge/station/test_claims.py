"""A joint is open in one page at most."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.station.claims import Claims


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_one_session_holds_no_other_gets_until_it_lets_go() -> None:
    claims = Claims(60, Clock())
    assert claims.take("anna", ["a", "b"]) == ["a", "b"]
    assert claims.take("ben", ["b", "c"]) == ["c"]
    assert set(claims.held_by_others("ben")) == {"a", "b"}
    claims.release("ben", ["a"])
    assert claims.holder("a") == "anna"
    claims.release("anna", ["a"])
    assert (claims.holder("a"), claims.holder("b")) == ("", "anna")
    claims.release("anna")
    assert claims.take("ben", ["a", "b"]) == ["a", "b"]


def test_a_page_that_no_longer_asks_loses_its_joints() -> None:
    clock = Clock()
    claims = Claims(60, clock)
    claims.take("anna", ["a"])
    clock.now = 59
    claims.take("anna", ["a"])
    clock.now = 118
    assert claims.take("ben", ["a"]) == []
    clock.now = 120
    assert claims.take("ben", ["a"]) == ["a"]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abcde"), st.booleans(), st.floats(0, 30))))
def test_no_joint_is_ever_held_twice(steps: list[tuple[str, str, bool, float]]) -> None:
    clock = Clock()
    claims, holders = Claims(40, clock), dict[str, tuple[str, float]]()
    for session, event, take, later in steps:
        clock.now += later
        if take:
            holder, until = holders.get(event, ("", 0.0))
            free = holder in {"", session} or until <= clock.now
            assert claims.take(session, [event]) == ([event] if free else [])
            if free:
                holders[event] = session, clock.now + 40
        else:
            claims.release(session, [event])
            if holders.get(event, ("", 0.0))[0] == session:
                del holders[event]
