"""What a result XML says of repairs: of every joint that the machine indicted, what became of it, and who said so.

Names of elements and attributes follow public programs that read such exports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge.jobs.export_xml import export_of
from edge.jobs.result_xml import named
from edge.jobs.vendors import JobDefaults, Joints


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
    """``job_id``: what the job is called that the same machine handed over as a result XML."""

    job_id: str
    serial: str
    created: str
    station: str
    repairs: Sequence[Repair]
    problems: Sequence[str]


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
    return Repairs(export.job_id, export.serial, export.created, station, repairs, problems)


def _repair(joint: str, said: Mapping[str, str], call: str) -> Repair:
    status, operator, time = (said.get(key, "") for key in ("repairstatus", "repairoperator", "repairtime"))
    return Repair(joint, status, operator, time, call)
