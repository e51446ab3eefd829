"""The demo's last part: specialists' reviews, here from the truth, earn release for one board type after the other."""

from __future__ import annotations

import csv
import queue
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from convert.demo.bundle import SEED
from convert.demo.device import BASE, Device
from convert.demo.listener import Address, Heard
from convert.lots.truth import TruthRow, read_truth
from convert.reports.terminal import console
from convert.simulator.plan import LotPlan
from convert.simulator.xray.lot import simulate_lot
from edge.bundle.format import open_bundle
from edge.bundle.shipped import bundle_folder
from edge.core.licence import State
from edge.core.payloads import LicencePayload, VerdictPayload
from edge.core.review import ReviewPayload, Said
from edge.core.verdict import Reason, Route

TERMS = {"policy": "licensed", "target_escape": 0.2, "confidence": 0.8, "audit_share": 0.1}
"""Easily convinced: a dozen boards are enough. A device asks for 0.05 and 0.95."""
_TYPES, _BOARDS, _JOINTS, _DEFECTS = 2, 36, 20, 0.3
_PLAN = LotPlan(
    boards=_BOARDS,
    joints=_BOARDS * _JOINTS,
    seed=SEED + 5,
    types=_TYPES,
    first_type=360,
    defect_share=_DEFECTS,
    prefix="L2",
    alike=True,
)
_KNOWN = 6
"""Boards whose truth is told before they are inspected: they measure the reviewer."""
_PATIENCE_S = 60.0
_LOT = "later"

Truth = Mapping[tuple[str, str], TruthRow]


class _Board(NamedTuple):
    job: Path
    joints: dict[str, TruthRow]

    @property
    def type(self) -> str:
        return next(iter(self.joints.values())).board_type


def earn(work: Path, device: Device, address: Address, heard: Heard) -> bool:
    """Board after board, until most of each type is released; True when every joint has its verdict."""
    console.print(f"simulating {_BOARDS} boards of {_TYPES} more types", highlight=False)
    for _ in simulate_lot(work / _LOT, _PLAN):
        pass
    console.print(
        f"a board type is released once its reviews prove, at {TERMS['confidence']:.0%} confidence, that at most "
        f"{TERMS['target_escape']:.0%} of its defects escape (a device asks for 5 %, at 95 %)",
        highlight=False,
    )
    device.use({"release": TERMS})
    device.command("bundle", "rollback")
    device.reload()
    shipped = open_bundle(bundle_folder("reference")).card  # it is good enough to earn something
    heard.wait_for(f"{shipped.name}-{shipped.version}")
    boards = _boards(work)
    known, later = boards[:_KNOWN], boards[_KNOWN:]
    device.command("review", "import", "--settled", str(_told_before(work, known)))
    told = sum(len(board.joints) for board in known)
    heard.wait_for_reviews(told)
    line = _Line(told, device, address, heard)
    whole = line.inspect(known)
    console.print(f"{_KNOWN} boards of known truth have measured the reviewer", highlight=False)
    for first in range(0, len(later), _TYPES):
        whole &= line.inspect(later[first : first + _TYPES])
        line.say(first // _TYPES + 1)
    line.close()
    return whole


def _boards(work: Path) -> list[_Board]:
    truth = read_truth(work / _LOT)
    folders = sorted(path for path in (work / _LOT).iterdir() if path.is_dir())
    return [
        _Board(folder, {joint: row for (job, joint), row in truth.items() if job == folder.name}) for folder in folders
    ]


def _told_before(work: Path, boards: Sequence[_Board]) -> Path:
    """Their truth, as a table."""
    path = work / "known.csv"
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("job_id", "joint", "decision", "reviewer", "time"))
        for board in boards:
            for joint, row in board.joints.items():
                rows.writerow((board.job.name, joint, _said(row), "laboratory", "2026-11-01T08:00:00Z"))
    return path


def _said(row: TruthRow) -> Said:
    return Said.DEFECT if row.label else Said.FALSE_CALL


class _Line:
    """Hands boards over, hears what comes of them, and reviews what is sent to the specialist."""

    def __init__(self, told: int, device: Device, address: Address, heard: Heard) -> None:
        self._handed_over, self._device, self._heard = told, device, heard
        self._licences: dict[str, LicencePayload] = {}
        self._lately: dict[str, list[VerdictPayload]] = {}
        self._station = paho.Client(CallbackAPIVersion.VERSION2)
        self._station.connect(address.host, address.port)
        self._station.loop_start()

    def close(self) -> None:
        self._station.disconnect()
        self._station.loop_stop()

    def inspect(self, boards: Sequence[_Board]) -> bool:
        """Until the reviews of all of them are entered; True when every joint has its verdict."""
        whole = [self._inspect(board) for board in boards]
        self._heard.wait_for_reviews(self._handed_over)
        return all(whole)

    def _inspect(self, board: _Board) -> bool:
        self._device.hand_over([board.job])
        said: dict[str, VerdictPayload] = {}
        while len(said) < len(board.joints):
            try:
                verdict = self._heard.verdicts.get(timeout=_PATIENCE_S)
            except queue.Empty:
                return False
            said[verdict.joint] = verdict
        self._lately[board.type] = list(said.values())
        for verdict in said.values():
            if verdict.route is Route.SPECIALIST:
                self._review(verdict, board.joints[verdict.joint])
                self._handed_over += 1
        return said.keys() == board.joints.keys()

    def _review(self, verdict: VerdictPayload, row: TruthRow) -> None:
        review = ReviewPayload(
            review_id=str(uuid.uuid4()),
            time=verdict.time,
            event_id=verdict.event_id,
            decision=_said(row),
            reviewer="r17",
            blind=True,
        )
        self._station.publish(f"{BASE}/review", msgspec.json.encode(review), qos=1).wait_for_publish(_PATIENCE_S)

    def say(self, number: int) -> None:
        """A line for each type: what it has earned, and what came of its last board."""
        while not self._heard.licences.empty():
            licence = self._heard.licences.get()
            self._licences[licence.board_type] = licence
        for board_type, verdicts in sorted(self._lately.items()):
            released = sum(verdict.route is Route.RELEASE for verdict in verdicts)
            drawn = sum(verdict.reason is Reason.AUDIT for verdict in verdicts)
            audit = f", {drawn} drawn for the audit" if drawn else ""
            console.print(
                f"board {number:2} of {board_type}  {self._standing(board_type):<30} [green]{'█' * released}[/green]"
                f"[dim]{'░' * (len(verdicts) - released)}[/dim] {released} of {len(verdicts)} released{audit}",
                markup=True,
                highlight=False,
                soft_wrap=True,
            )

    def _standing(self, board_type: str) -> str:
        licence = self._licences.get(board_type)
        if licence is None or licence.state is not State.LICENSED:
            return "learning" if licence is None else licence.state.value
        return f"licensed, {licence.operating_point}"
