"""From the folder to the book: whatever waits is entered, filed, and told of where somebody should look."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.core.review import Review, Said
from edge.feedback.export import Truth, truth_of
from edge.feedback.intake import AHEAD, ASIDE, REJECTED, Intake, NoPost
from edge.feedback.ports import Entered, Heard, ReviewHeld

REPAIRED = b"""<BoardTestXMLExport testTime="2026-11-26T08:00" numberOfIndictedPins="1">
<BoardXML serialNumber="S1"/><StationXML testerName="T"/>
<IndictmentXML indictmentType="Void" jointType="BGA"><ComponentXML designator="U1" pin="3"/>
<RepairActionXML repairStatus="Repaired" repairOperator="op1" repairTime="TIME"/></IndictmentXML></BoardTestXMLExport>
"""
NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
TABLE = b"job_id,joint,decision,reviewer,time\nL7,J1,defect,r1,2026-11-26\nL7,J2,false_call,r1,2026-11-26\n"


class Folder:
    def __init__(self, **files: bytes) -> None:
        self.files = {Path(f"{name}.csv"): content for name, content in files.items()}
        self.done: list[str] = []
        self.rejected: dict[str, Sequence[str]] = {}
        self.stuck, self.full, self.kept = 0, False, 0

    def waiting(self) -> list[Path]:
        return [*self.files]

    def read(self, path: Path) -> bytes:
        if not self.files[path]:
            raise OSError(errno.EFBIG, "larger than 64 bytes")
        return self.files[path]

    def keep(self, content: bytes) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "no space left")
        self.kept += 1
        self.files[Path(f"broker.{self.kept}.jsonl")] = content

    def finish(self, path: Path) -> None:
        if self.stuck:
            self.stuck -= 1
            raise OSError("input/output error")
        del self.files[path]
        self.done.append(path.name)

    def reject(self, path: Path, problems: Sequence[str]) -> None:
        del self.files[path]
        self.rejected[path.name] = problems


class Book:
    """Knows joint J1 alone."""

    def __init__(self) -> None:
        self.reviews: dict[str, Review] = {}
        self.reconsidered: list[datetime | None] = []

    def enter(self, reviews: Sequence[Review], source: str, now: datetime) -> Entered:
        new = [review for review in reviews if review.review_id not in self.reviews]
        self.reviews |= {review.review_id: review for review in new}
        aside = tuple((review, "no such joint") for review in new if review.joint != "J1")
        return Entered(len(new), len(reviews) - len(new), aside)

    def reconsider(self, since: datetime | None, now: datetime) -> int:
        self.reconsidered.append(since)
        return 0


class Mail(NoPost):
    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.acknowledged: list[int] = []

    def take(self) -> Sequence[Heard]:
        heard, self.heard = self.heard, []
        return heard

    def put_back(self, heard: Sequence[Heard]) -> None:
        self.heard = [*heard, *self.heard]

    def acknowledge(self, heard: Sequence[Heard]) -> None:
        self.acknowledged += [message.number for message in heard]


class Line:
    def __init__(self, folder: Folder) -> None:
        self.folder, self.book, self.mail = folder, Book(), Mail()
        self.events: list[tuple[str, str]] = []
        self.troubles: list[str] = []
        self.intake = Intake(folder, self.book, self.mail, lambda: NOW, self)

    def event(self, code: str, text: str) -> None:
        self.events.append((code, text))

    def set(self, code: str, text: str, *, on: bool) -> None:
        if on:
            self.troubles.append(f"{code}: {text}")


def test_reviews_of_the_future_count_and_are_told_of_once_until_their_clock_is_right() -> None:
    ahead = TABLE.replace(b"r1,2026-11-26", b"r1,2026-11-28")
    line = Line(Folder(a=ahead, b=TABLE.replace(b"r1", b"r2"), c=ahead.replace(b"J1", b"J3")))
    line.intake.step()
    assert [text for code, text in line.events if code == AHEAD] == [
        "r1: a review of 2026-11-28, by a clock that is ahead of this device's; set both. It counts all the same"
    ]
    assert len(line.book.reviews) == 5
    assert line.folder.done == ["a.csv", "b.csv", "c.csv"]
    for name, content in (("d.csv", TABLE), ("e.csv", ahead)):
        line.folder.files[Path(name)] = content
        line.intake.step()
    assert sum(code == AHEAD for code, _ in line.events) == 2


def test_repairs_whose_time_nobody_can_read_hold_up_nothing() -> None:
    xml = REPAIRED.replace(b"TIME", b"11/26/2026 09:00")
    folder = Folder(b=TABLE)
    folder.files = {Path("a.xml"): xml, **folder.files}
    line = Line(folder)
    line.intake.step()
    assert line.folder.done == ["a.xml", "b.csv"]


def test_a_file_is_entered_and_filed_and_what_belongs_to_no_joint_is_told_of() -> None:
    line = Line(Folder(a=TABLE))
    line.intake.step()
    assert len(line.book.reviews) == 2
    assert line.folder.done == ["a.csv"]
    ((code, text),) = line.events
    assert code == ASIDE
    assert "1 of 2 reviews" in text


def test_a_file_that_could_not_be_filed_is_entered_again_and_counts_once() -> None:
    line = Line(Folder(a=TABLE))
    line.folder.stuck = 1
    line.intake.step()
    assert "reviews_stuck: a.csv: input/output" in line.troubles[0]
    line.intake.step()
    assert len(line.book.reviews) == 2
    assert line.folder.done == ["a.csv"]
    assert len(line.events) == len(line.troubles) == 1, "told once"


def test_a_file_that_cannot_be_filed_holds_up_no_other() -> None:
    line = Line(Folder(a=TABLE, b=TABLE.replace(b"L7", b"L8")))
    line.folder.stuck = 1
    line.intake.step()
    assert line.folder.done == ["b.csv"]
    assert len(line.book.reviews) == 4


def test_of_a_file_that_is_wrong_in_parts_the_rest_counts_and_it_is_kept_with_what_is_wrong() -> None:
    line = Line(Folder(a=TABLE.replace(b"J2,false_call", b"J2,good"), b=TABLE))
    line.intake.step()
    assert [problem.partition(":")[0] for problem in line.folder.rejected["a.csv"]] == ["line 3"]
    assert line.folder.done == ["b.csv"]
    assert [code for code, _ in line.events] == [REJECTED, ASIDE]


def message(number: int, review_id: bytes) -> Heard:
    said = b'"schema": "axi-review/1", "time": "2026-11-26", "decision": "defect", "reviewer": "r1", "joint": "J1"'
    return Heard(1, number, b'{\n"review_id": "%s",\r\n"event_id": "%s", %s}' % (review_id, review_id, said))


def test_messages_are_on_disk_before_they_are_acknowledged_and_come_in_as_a_file() -> None:
    line = Line(Folder())
    ids = [str(uuid.UUID(int=number)).encode() for number in (1, 2)]
    line.mail.heard = [message(7, ids[0]), Heard(1, 8, b"\xff\xfewhat?"), message(9, ids[1])]
    line.folder.full = True
    line.intake.step()
    assert "no space left" in line.troubles[0]
    assert not line.mail.acknowledged
    line.folder.full = False
    line.intake.step()
    assert line.mail.acknowledged == [7, 8, 9]
    assert sorted(line.book.reviews) == [one.decode() for one in ids]
    assert [*line.folder.rejected] == ["broker.2.jsonl"], "what spoils a file has one of its own"


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_taken() -> None:
    line = Line(Folder(a=b"", b=TABLE))
    line.intake.step()
    assert "larger than" in line.folder.rejected["a.csv"][0]
    assert line.folder.done == ["b.csv"]


def test_those_set_aside_are_all_looked_at_again_at_the_start_and_those_of_the_last_day_ever_after() -> None:
    line = Line(Folder())
    for _ in range(3):
        line.intake.step()
    assert line.book.reconsidered == [None, NOW - timedelta(days=1), NOW - timedelta(days=1)]


def held(event: int | None, decision: Said, reviewer: str = "r1", **changes: object) -> ReviewHeld:
    said = {
        "review_id": str(uuid.uuid4()),
        "received": "",
        "source": "",
        "decision": decision.value,
        "reviewer": reviewer,
        "time": "2026-11-26",
        "job_id": "L7",
        "serial": "SN",
        "joint": f"J{event}",
        "event_id": None if event is None else str(event),
        "problem": None,
        "board_type": "MB-7",
        "joint_type": "PTH",
        "p_defect": 0.5,
        "reason": None,
        "defect_class": None,
        "blind": False,
        "settled": False,
    }
    return ReviewHeld(**(said | changes))  # type: ignore[arg-type]


def test_the_truth_of_a_joint_is_what_the_graver_review_says_and_doubt_teaches_nothing() -> None:
    rows = truth_of(
        [
            held(1, Said.FALSE_CALL),
            held(2, Said.FALSE_CALL),
            held(2, Said.DEFECT, "r2"),
            held(2, Said.DEFECT, "r3", defect_class="short"),
            held(3, Said.UNSURE),
            held(None, Said.DEFECT),
            held(4, Said.FALSE_CALL, board_type=None),
            held(5, Said.DEFECT, defect_class="Normal"),
            held(6, Said.DEFECT, reason="job_refused"),
            held(7, Said.DEFECT),
            held(7, Said.FALSE_CALL, "lab", settled=True),
        ]
    )
    assert rows == [
        Truth("L7", "J1", "MB-7", 0, "normal", "r1", "2026-11-26"),
        Truth("L7", "J2", "MB-7", 1, "short", "r3", "2026-11-26"),
        Truth("L7", "J4", "unknown", 0, "normal", "r1", "2026-11-26"),
        Truth("L7", "J5", "MB-7", 1, "defect", "r1", "2026-11-26"),
        Truth("L7", "J7", "MB-7", 0, "normal", "lab", "2026-11-26"),
    ]
