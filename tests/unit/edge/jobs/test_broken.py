"""Exports that are broken: what may be missing is said, nothing takes minutes, and no bytes break the readers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.salvage import salvage
from edge.jobs.joint_table import read_joint_table
from edge.jobs.result_xml import read_result_xml
from edge.jobs.vendors import JobDefaults, Reading
from tests.support.exports import BOMB, FILES, ROIS, TABLE, XML, names, table, xml


@pytest.mark.parametrize(
    ("told", "unread"),
    [
        (xml(), ""),
        (table(), ""),
        (xml(XML[:-80]), "not well-formed XML"),
        (xml(XML.replace('"Open"', '"Open & shut"')), "not well-formed XML"),
        (xml(XML.replace("<ns1:Board", BOMB + "<ns1:Board", 1)), "document type declaration"),
        (xml(XML.replace("<ns1:BoardXML", '<ns1:BoardXML numberOfIndictedPins="3"')), "numberOfIndictedPins says 3"),
        (xml(XML.replace("<ns1:BoardXML", '<ns1:BoardXML numberofindictedpins="3"')), "numberOfIndictedPins says 3"),
        (xml(XML.replace(" testTime", ' numberOfIndictedPins="1,200" testTime')), "is no plain number"),
        (xml(XML.replace(" testTime", f' numberOfDefects="{"9" * 5_000}" testTime')), "is no plain number"),
        (xml(XML.replace('<ns1:ComponentXML designator="J6" pin="1"/>', "")), "1 of its IndictmentXML name no pin"),
        (xml(""), "not well-formed XML"),
        (table(""), "are missing"),
        (table(TABLE[TABLE.index("J5") :]), "are missing"),
        (table(TABLE.splitlines()[0] + "\n"), ""),
        (table(TABLE.replace("01015400.jpg\nJ5", "01015400.jpgJ5", 1)), "line 2: more cells than columns"),
        (table(TABLE.replace("J7", "J7\0")), "line 5: a zero byte"),
        (table(TABLE.replace("J7,normal,1", "J7,normal,one")), ""),
    ],
)
def test_where_joints_may_be_missing_that_is_said(told: Reading, unread: str) -> None:
    assert bool(told.unread) == bool(unread)
    assert unread in told.unread


def test_a_table_that_was_cut_within_a_row_says_so_wherever_that_was() -> None:
    """Cut after a row's end, with its line break, it looks like a shorter table: that nobody can see."""
    for cut in range(1, len(TABLE)):
        told = table(TABLE[:cut])
        assert told.problem or TABLE[cut - 1] == "\n"
        assert told.unread or TABLE[cut - 1] == "\n"
    for cut in range(1, len(ROIS)):
        assert xml(rois=ROIS[:cut]).problem or ROIS[cut - 1] == "\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"<" + b"A" * 400_000,
        b"<a " + b"A" * 400_000 + b">",
        b"<a '" * 100_000,
        b'<a b="' * 100_000,
        b"<BoardTestXMLExport>" + b'<BoardXML serialNumber="1"/>' * 20_000,
        b"," * 100_000 + b"\n" + b"a\n" * 20_000,
        (
            TABLE.splitlines()[0] + "\n" + "".join(f"J5,x,{i},2,9000000,4,01015400.jpg\n" for i in range(20_000))
        ).encode(),
        TABLE.splitlines()[0].encode() + b"\n" + b'J5","x\n' * 100_000,
        b'{"joints": [' + b'{"id": 0},' * 40_000 + b'{"id": 0}]}',
        b"{" + b",".join([b'"joints":[{}]'] * 200_000) + b"}",
        json.dumps({"joints": [{"id": "N" * 240 + f"{i % 8_000:016}"} for i in range(16_000)]}).encode(),
    ],
    ids=[
        "open tag",
        "attribute",
        "quotes",
        "values",
        "boards",
        "columns",
        "one component",
        "quoted",
        "one id",
        "one key",
        "long ids",
    ],
)
def test_the_time_that_reading_takes_grows_as_the_document_does(raw: bytes) -> None:
    """Each would take minutes where a reader looks at everything once more for each thing that it finds."""
    read_result_xml(raw, raw, FILES, JobDefaults())
    read_joint_table(raw, "L7", FILES, JobDefaults())
    salvage(raw)


@given(st.binary(max_size=400))
def test_no_bytes_break_the_readers(raw: bytes) -> None:
    for told in (
        read_result_xml(raw, raw, FILES, JobDefaults()),
        read_joint_table(raw, "x", FILES, JobDefaults()),
        read_result_xml(XML.encode()[: len(raw)] + raw, ROIS.encode() + raw, FILES, JobDefaults()),
        read_joint_table(TABLE.encode() + raw, "x", FILES, JobDefaults()),
    ):
        names(told)
