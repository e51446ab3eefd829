"""What a result XML says of repairs: of every joint that the machine indicted, what became of it, and who said so.

Names of elements and attributes follow public programs that read such exports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge.jobs.export_xml import export_of
from edge.jobs.result_xml import named
from edge.jobs.vendors import JobDefaults, Joints

_OUTCOMES = ("falsecall", "repairlater", "repaired", "variationok", "active")
_COUNT = re.compile(r"[0-9]{1,7}")


class Repair(NamedTuple):
    """``status``: as it is written, "Repaired" or "False Call"; empty where nobody has looked at it. ``call``: what the
    machine indicted.
    """

    joint: str
    status: str
    operator: str
    time: str
    call: str = ""


class Repairs(NamedTuple):
    """``job_id``: what the job is called that the same machine handed over as a result XML. ``miscounted``: where the
    repair station counts more of an outcome than it names joints; one of the problems, too.
    """

    job_id: str
    serial: str
    created: str
    station: str
    repairs: Sequence[Repair]
    problems: Sequence[str]
    miscounted: str = ""


def read_repairs(xml: bytes) -> Repairs:
    """One for each word on each indictment: a joint may have several."""
    export, problem = export_of(xml)
    problems = [problem] if problem else export.wrong()
    joints = Joints(JobDefaults())
    repairs = [
        _repair(joint["id"], said, indictment.call)
        for indictment, joint, _ in named(export, joints)
        for said in indictment.repairs or ({},)
    ]
    unread = problem or export.unread(len(joints.by_id))
    if unread and unread not in problems:
        problems.append(unread)
    station = export.station.get("testername", "")
    miscounted = _miscounted(export.events, [*export.outcomes, *("active" for one in repairs if not one.status)])
    problems += [miscounted] if miscounted else []
    return Repairs(export.job_id, export.serial, export.created, station, repairs, problems, miscounted)


def _miscounted(events: Sequence[Mapping[str, str]], outcomes: Sequence[str]) -> str:
    """Why joints may be missing: a RepairEventXML counts more of an outcome than the export names.

    How its counts are spelt was not seen but in part, so an outcome is told by its letters. A station may look at a
    board several times: each event counts by itself, and what it counts may be named in any.
    """
    named = {outcome: sum(outcome in _letters(one) for one in outcomes) for outcome in _OUTCOMES}
    for event in events:
        for name, text in event.items():
            outcome = next((outcome for outcome in _OUTCOMES if outcome in _letters(name)), None)
            if outcome and _COUNT.fullmatch(text) and int(text) > named[outcome]:
                return f"RepairEventXML says {name} {text}, but {named[outcome]} are named; export all of them"
    return ""


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalpha())


def _repair(joint: str, said: Mapping[str, str], call: str) -> Repair:
    status, operator, time = (said.get(key, "") for key in ("repairstatus", "repairoperator", "repairtime"))
    return Repair(joint, status, operator, time, call)
