"""Reviews as people and machines send them: what can be read counts, and what cannot is named by its line."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.review import Review, Said, gravest, read_payload, with_own_id
from edge.feedback.reading import read_reviews

EVENT, REVIEW = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
SAID = {
    "schema": "axi-review/1",
    "review_id": REVIEW,
    "time": "2026-11-26T08:20:11Z",
    "event_id": EVENT,
    "job_id": "L7-000123",
    "board": {"serial": "SN001", "type": "MB-7"},
    "joint": "J5.12",
    "decision": "defect",
    "defect_class": "insufficient",
    "reviewer": "r17",
    "station": "review1",
    "seconds": 4.2,
    "blind": True,
}
AS_READ = Review(
    review_id=REVIEW,
    time="2026-11-26T08:20:11Z",
    decision=Said.DEFECT,
    reviewer="r17",
    event_id=EVENT,
    job_id="L7-000123",
    serial="SN001",
    joint="J5.12",
    defect_class="insufficient",
    station="review1",
    seconds=4.2,
    blind=True,
)


def line(**changes: object) -> bytes:
    return json.dumps(SAID | changes).encode() + b"\n"


def test_every_field_of_the_contract_is_read() -> None:
    assert read_payload(line()) == AS_READ
    assert read_reviews("a.jsonl", line()) == ([AS_READ], [])


def test_what_is_wrong_with_a_line_is_said_with_its_number_and_the_others_count() -> None:
    raw = line() + b"\n" + line(decision="scrap") + line(review_id=str(uuid.UUID(int=3))) + b"{]\n"
    reviews, problems = read_reviews("a.jsonl", raw)
    assert len(reviews) == 2
    assert [problem.partition(":")[0] for problem in problems] == ["line 3", "line 5"]
    assert "decision" in problems[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "axi-review/2"},
        {"review_id": "7"},
        {"event_id": ""},
        {"reviewer": ""},
        {"seconds": -1},
        {"time": ""},
        {"joint": "x" * 300},
    ],
)
def test_a_review_that_breaks_the_contract_is_refused_by_its_field(changes: dict[str, object]) -> None:
    ((), (problem,)) = read_reviews("a.jsonl", line(**changes))
    assert next(iter(changes)) in problem


def test_a_file_that_was_cut_is_not_taken_for_whole() -> None:
    reviews, problems = read_reviews("a.jsonl", (line() + line())[:-1])
    assert len(reviews) == 2
    assert "cut" in problems[0]


CSV = "serial,joint,decision,reviewer,time,blind\nSN1,J1.1,False_Call,r1,2026-11-26T08:20:11Z,yes\n"


def test_a_table_needs_no_ids_and_gives_the_same_ones_whenever_it_is_read() -> None:
    ((found,), problems) = read_reviews("a.CSV", CSV.encode())
    assert not problems
    assert found == with_own_id(
        Review("", "2026-11-26T08:20:11Z", Said.FALSE_CALL, "r1", serial="SN1", joint="J1.1", blind=True)
    )
    assert read_reviews("b.csv", ("\ufeff" + CSV).encode()).reviews == [found]
    ((other,), _) = read_reviews("a.csv", CSV.replace("r1", "r2").encode())
    assert other.review_id != found.review_id


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("decision", "call", "'decision' is missing"),
        ("serial,", "board,", "event_id, job_id, serial"),
        ("False_Call", "", "decision: empty"),
        ("False_Call", "good", "line 2: decision: 'good'"),
        ("SN1", "", "which joint is meant"),
        ("yes", "perhaps", "blind"),
        (",", ";", "export it with commas"),
        ("11Z,yes\n", "11Z,yes", "cut"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_a_remedy(old: str, new: str, said: str) -> None:
    assert any(said in problem for problem in read_reviews("a.csv", CSV.replace(old, new).encode()).problems)


XML = """<ns1:BoardTestXMLExport xmlns:ns1="x" numberOfIndictedPins="3" testTime="2026-11-26T08:00:00">
<ns1:BoardXML serialNumber="SN1" boardType="MB-7"/><ns1:StationXML testerName="axi-7"/>
{}
</ns1:BoardTestXMLExport>
"""


def indictment(pin: str, status: str, operator: str = "r1") -> str:
    repair = f'<ns1:RepairActionXML repairStatus="{status}" repairOperator="{operator}" repairTime="2026-11-26T09:00"/>'
    return (
        f'<ns1:TestXML name="J1"><ns1:IndictmentXML indictmentType="Insufficient">{repair}'
        f'<ns1:ComponentXML designator="J1" pin="{pin}"/></ns1:IndictmentXML></ns1:TestXML>'
    )


def test_repairs_of_a_result_xml_are_reviews_of_the_job_that_its_machine_handed_over() -> None:
    parts = [indictment("1", "Repaired"), indictment("2", "False Call"), indictment("3", "Variation OK")]
    reviews, problems = read_reviews("SN1.xml", XML.format("".join(parts)).encode())
    assert not problems
    assert [(one.joint, one.decision) for one in reviews] == [
        ("J1.1", Said.DEFECT),
        ("J1.2", Said.FALSE_CALL),
        ("J1.3", Said.UNSURE),
    ]
    assert {(one.job_id, one.serial, one.reviewer, one.time, one.station) for one in reviews} == {
        ("SN1_2026-11-26T08:00:00", "SN1", "r1", "2026-11-26T09:00", "axi-7")
    }


def test_what_nobody_has_looked_at_yet_is_no_review() -> None:
    parts = [indictment("1", "Active"), indictment("2", ""), indictment("3", "False Call", operator="")]
    reviews, problems = read_reviews("SN1.xml", XML.format("".join(parts)).encode())
    assert not reviews
    assert "repairOperator" in problems[0]


def test_an_export_that_was_cut_says_so_and_what_can_be_read_counts() -> None:
    whole = XML.format("".join(indictment(str(pin), "Repaired") for pin in (1, 2, 3)))
    reviews, problems = read_reviews("SN1.xml", whole[: whole.rindex("<ns1:TestXML")].encode())
    assert [one.joint for one in reviews] == ["J1.1", "J1.2"]
    assert problems


def test_of_reviewers_who_do_not_agree_the_graver_counts() -> None:
    assert gravest([Said.FALSE_CALL, Said.UNSURE]) is Said.UNSURE
    assert gravest([Said.UNSURE, Said.DEFECT, Said.FALSE_CALL]) is Said.DEFECT


@given(st.sampled_from(["a.jsonl", "a.csv", "a.xml", "a.txt"]), st.binary(max_size=300))
def test_whatever_is_dropped_is_read_or_said_to_be_wrong(name: str, raw: bytes) -> None:
    reviews, problems = read_reviews(name, raw)
    assert not reviews
    if raw.strip() and name != "a.jsonl":
        assert problems
