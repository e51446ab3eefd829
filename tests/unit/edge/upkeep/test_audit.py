"""What an audit must notice, one lie at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge.commands.audit import as_text
from edge.core.job import NamedJoint
from edge.core.places import JobState, Place
from edge.core.salvage import Salvage
from edge.upkeep.audit import audit
from edge.upkeep.ports import FoundJob, JobHeld, VerdictHeld

JOINTS = ("J1", "J2")


def verdict(joint: str, *, acknowledged: bool = True) -> VerdictHeld:
    return VerdictHeld(f"event-{joint}", "normal", "release", acknowledged, not acknowledged)


class World:
    """One finished job, decided, acknowledged and delivered; to be bent."""

    def __init__(self) -> None:
        self.found = [FoundJob(Place.DONE, "L7", "sha256:a", Salvage("L7", "SN", tuple(NamedJoint(j) for j in JOINTS)))]
        self.held = {"sha256:a": JobHeld("L7", JobState.DECIDED, 2, {joint: verdict(joint) for joint in JOINTS})}
        self.delivered: list[dict[str, Any]] = [
            {"event_id": f"event-{j}", "job_id": "L7", "joint": j, "verdict": "normal", "route": "release"}
            for j in JOINTS
        ]

    @property
    def job(self) -> JobHeld:
        return self.held["sha256:a"]

    def codes(self) -> list[str]:
        return [problem.code for problem in audit(self.found, self.held, self.delivered).problems]


def test_a_sound_world_has_no_problems_and_every_joint_in_one_state() -> None:
    world = World()
    world.delivered += world.delivered  # at least once
    world.held["sha256:b"] = JobHeld(
        "L8", JobState.OPEN, 2, {"J1": verdict("J1", acknowledged=False)._replace(event_id="e")}
    )
    world.found.append(world.found[0]._replace(place=Place.WORK, name="L8", content="sha256:b"))
    world.found.append(world.found[0]._replace(place=Place.INCOMING, name="L9", content="sha256:c"))
    account = audit(world.found, world.held, world.delivered)
    assert account.problems == ()
    assert (account.jobs, account.waiting, account.queued, account.acknowledged) == (3, 3, 1, 2)
    assert account.delivered == 2


def test_waiting_jobs_that_may_not_be_read_are_counted() -> None:
    world = World()
    for place in (Place.INCOMING, Place.WORK):
        world.found.append(FoundJob(place, "L8", "", Salvage(None, None, ()), "Permission denied for this user"))
    account = audit(world.found, world.held, None)
    assert account.unreadable == 2
    assert "2 waiting jobs, for this user" in as_text(account)
    assert "unreadable" not in as_text(audit(World().found, world.held, None))


def test_a_job_whose_verdicts_were_forgotten_is_accounted_for() -> None:
    world = World()
    world.held["sha256:a"] = JobHeld("L7", JobState.DECIDED, 2, {}, forgotten=True)
    world.delivered.clear()
    assert world.codes() == []


def lose_verdict(world: World) -> None:
    del world.job.verdicts["J1"]


def forget_job(world: World) -> None:
    world.held.clear()


def reopen(world: World) -> None:
    world.held["sha256:a"] = world.job._replace(state=JobState.OPEN)


def lose_folder(world: World) -> None:
    reopen(world)
    world.found.clear()


def strike_unsent(world: World) -> None:
    world.job.verdicts["J1"] = verdict("J1")._replace(acknowledged=False)


def release_a_defect(world: World) -> None:
    world.job.verdicts["J1"] = verdict("J1")._replace(verdict="defect")
    world.delivered[0]["verdict"] = "defect"


def lose_message(world: World) -> None:
    del world.delivered[0]


def change_message(world: World) -> None:
    world.delivered[0]["verdict"] = "defect"


def contradict(world: World) -> None:
    world.delivered.append(world.delivered[0] | {"verdict": "unjudged", "route": "specialist"})


def invent(world: World) -> None:
    world.delivered.append(world.delivered[0] | {"event_id": "event-of-nobody"})


def leave_unread(world: World) -> None:
    world.found[0] = world.found[0]._replace(unread="it is cut")


@pytest.mark.parametrize(
    ("lie", "codes"),
    [
        (lose_verdict, ["joint_lost", "job_incomplete", "not_in_journal"]),
        (forget_job, ["job_unknown", "joint_lost", "joint_lost", "not_in_journal", "not_in_journal"]),
        (reopen, ["job_not_closed", "job_vanished"]),
        (lose_folder, ["job_vanished"]),
        (strike_unsent, ["verdict_adrift"]),
        (release_a_defect, ["wrong_route"]),
        (lose_message, ["not_delivered"]),
        (change_message, ["delivered_otherwise"]),
        (contradict, ["event_contradicts"]),
        (invent, ["not_in_journal"]),
        (leave_unread, ["joints_unread"]),
    ],
)
def test_every_lie_is_noticed(lie: Callable[[World], None], codes: list[str]) -> None:
    world = World()
    lie(world)
    assert world.codes() == codes
