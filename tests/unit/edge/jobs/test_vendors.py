"""Result XML and tables of joints, told as a document of contract axi-job/1."""

from __future__ import annotations

import json

import pytest

from edge.core.job import Job, parse_manifest
from edge.jobs.joint_table import read_joint_table
from edge.jobs.result_xml import read_result_xml
from edge.jobs.vendors import JobDefaults, Reading
from tests.support.exports import BOMB, FILES, NINE, PANEL, ROIS, TABLE, XML, names, table, xml


def job_of(told: Reading) -> Job:
    assert told.problem == ""
    return parse_manifest(json.dumps(told.document).encode()).job


def test_a_result_xml_and_its_boxes_make_a_job() -> None:
    job = job_of(xml())
    assert (job.job_id, job.created) == ("SN001_2026-11-21T08:15:30Z", "2026-11-21T08:15:30Z")
    assert (job.board.serial, job.board.type, job.station.name) == ("SN001", "MB-7", "V810-8086S2")
    first, second = job.joints
    assert (first.id, first.refdes, first.pin, first.type, first.view) == ("J5.12", "J5", "12", "PTH", "010154")
    assert tuple(first.roi) == (412, 300, 470, 358)
    assert first.machine_call is not None
    assert first.machine_call.name == "Insufficient, Void", "all that the machine says of it"
    assert (second.id, second.type) == ("J6.1", "unknown"), "what does not say its type is judged by nobody"
    assert [(view.id, [(part.index, part.file) for part in view.slices]) for view in job.views] == [
        ("010154", [(0, "01015400.jpg"), (1, "01015401.jpg")]),
        ("010155", [(0, "01015500.JPG")]),
    ]


def test_a_board_without_indictments_is_a_job_without_joints() -> None:
    start, end = XML.index("  <ns1:TestXML"), XML.index("</ns1:BoardTestXMLExport>")
    assert job_of(xml(XML[:start] + XML[end:])).joints == ()
    assert job_of(xml(XML[:start] + XML[end:], rois=None)).joints == (), "no joint, no box"


def test_a_table_without_rows_is_a_job_without_joints() -> None:
    assert job_of(table(TABLE.splitlines()[0] + "\n")).joints == ()


def test_a_table_of_joints_makes_a_job() -> None:
    job = job_of(table(unsaid=JobDefaults("PTH", "solder_bright")))
    assert (job.job_id, job.board.serial, job.image.polarity) == ("L7-5", "L7-5", "solder_bright")
    assert [(joint.id, joint.view, joint.type) for joint in job.joints] == [
        ("J5", "010154", "PTH"),
        ("J5#2", "010154", "PTH"),
        ("J7", "010155", "PTH"),
    ]
    assert [len(view.slices) for view in job.views] == [2, 1]


def test_a_slice_that_a_table_names_and_nobody_sent_is_seen_to_be_missing() -> None:
    job = job_of(read_joint_table(TABLE.encode(), "L7-5", FILES[:1] + FILES[2:], JobDefaults("PTH")))
    assert [part.file for part in job.views[0].slices] == ["01015400.jpg", "01015401.jpg"]


def test_a_pin_and_a_name_that_look_alike_stay_two_joints() -> None:
    text = XML.replace('designator="J6" pin="1"', 'designator="J5.12" pin=""')
    job = job_of(xml(text, ROIS.replace("J6, 1", "J5.12, ")))
    assert [joint.id for joint in job.joints] == ["J5.12", "J5.12#2"]


def test_a_table_may_name_pins_types_and_the_board() -> None:
    heading = "component,pin,type,defect_type,xmin,ymin,xmax,ymax,image,serial,board_type"
    job = job_of(table(heading + "\nJ5,3,BGA,x,1,2,3,4,01015400.jpg,S,T\n"))
    assert [(joint.id, joint.pin, joint.type) for joint in job.joints] == [("J5.3", "3", "BGA")]
    assert (job.board.serial, job.board.type) == ("S", "T")


@pytest.mark.parametrize(
    ("told", "problem", "joints"),
    [
        (xml(rois=None), "rois.csv: missing", 2),
        (xml(rois=ROIS.replace("J6, 1", "J6, 2")), "rois.csv: no row for J6.1", 2),
        (xml(rois=ROIS.replace("xmin", "left")), "column 'xmin' is missing", 2),
        (xml(rois=ROIS.replace("412", "4.5e2")), "not whole numbers", 2),
        (xml(XML[:-80]), "not well-formed XML", 2),
        (xml(XML.replace("<ns1:Board", BOMB + "<ns1:Board", 1)), "document type declaration", 2),
        (xml(XML.replace('"Open"', '"Open & shut"')), "not well-formed XML", 2),
        (xml(XML.replace("testerName", "\x01 testerName")), "not well-formed XML", 2),
        (xml(XML.replace('J5" pin="12" ', '" pin="12" ')), "designator: missing", 3),
        (xml(XML.replace('jointType="PTH">\n', 'jointType="SMT">\n', 1)), "J5.12 is of two types, SMT and PTH", 2),
        (
            xml(XML.replace("<ns1:StationXML", '<ns1:BoardXML serialNumber="SN002"/><ns1:StationXML')),
            "boards SN001, SN002",
            2,
        ),
        (xml(XML.replace("<ns1:StationXML", "<ns1:BoardXML/><ns1:StationXML")), "serialNumber: missing", 2),
        (
            xml(XML.replace("<ns1:BoardXML", '<ns1:BoardXML numberOfIndictedPins="3"')),
            "numberOfIndictedPins says 3, but 2",
            2,
        ),
        (xml(XML.replace(" testTime", ' numberOfDefects="8" testTime')), "numberOfDefects says 8, but 3", 2),
        (xml("<html/>"), "no BoardTestXMLExport", 0),
        (xml(rois=ROIS.replace("412, 300, 470", "412, 300, 412")), "box of J5.12: (412, 300, 412, 358) is empty", 2),
        (xml(rois=ROIS.replace("10, 20, 40", "1_0, 20, 40")), "not whole numbers", 2),
        (xml(rois=ROIS.replace("6, 1, 010155", "6, 1, 010199")), "view 010199: no picture is named", 2),
        (xml(files=[*FILES, "01015400.PNG"]), "are the same slice; keep one of them", 2),
        (xml("<a>" * 100), "nested deeper", 0),
        (xml(XML.replace("serialNumber", "serial")), "serialNumber: missing", 2),
        (xml(XML.replace("testTime", "time")), "testTime: missing", 2),
        (xml(""), "not well-formed XML", 0),
        (xml(XML.replace("UTF-8", "GB2312")), "not well-formed XML", 2),
        (xml(XML.replace("UTF-8", "no-such")), "not well-formed XML", 2),
        (xml(XML.replace('<ns1:ComponentXML designator="J6" pin="1"/>', "")), "without ComponentXML", 1),
        (xml(rois=ROIS + "J5, 12, 010154, 1, 2, 3, 4\n"), "J5.12 has two boxes", 2),
        (xml(rois=ROIS[:-2]), "rois.csv: its last line has no end", 2),
        (table(TABLE[:-1]), "its last line has no end", 3),
        (table(TABLE.replace("358,01015401", "35")), "line 3: fewer cells than columns", 4),
        (table(TABLE.replace("image\n", "image,serial\n").replace("5400.jpg\n", "5400.jpg,SN1\n")), "line 3: fewer", 4),
        (
            table(
                TABLE.replace("\n", ",SN1\n").replace("image,SN1", "image,serial").replace("500.JPG,SN1", "500.JPG,")
            ),
            "serial: empty in some rows",
            3,
        ),
        (xml(PANEL), "boards PANEL7, PANEL7 in one job", 4),
        (xml(XML.replace('pin="1"', 'pin="1" Pin="2"')), "ns1:ComponentXML says designator pin Pin twice", 2),
        (xml(XML.replace('SN001"', 'SN001" SerialNumber="SN002"')), "twice; export each once", 2),
        (xml(XML.replace("IndictmentXML", "DefectXML")), "3 of its ComponentXML stand in no IndictmentXML", 0),
        (
            xml(XML.replace("testTime", 'numberOfIndictedPins="1" testTime').replace("boardRev", NINE)),
            "numberOfIndictedPins says 9, but 2 are named",
            2,
        ),
        (table(""), "columns 'component', 'defect_type', 'image', 'xmin'", 0),
        (table(TABLE.replace("xmax", "XMIN")), "column 'xmin' stands there twice", 4),
        (xml(rois=ROIS.replace("ymax", "xmin")), "rois.csv: column 'xmin' stands there twice", 2),
        (table(TABLE.replace(",", ";")), "are missing; its columns are separated by ';'", 4),
        (table(TABLE.replace("01015500.JPG", "left.JPG")), "<view><two-digit slice>", 3),
        (table(TABLE + 'J8,"open\n'), "line 6", 4),
        (table(TABLE.replace("J5,short", 'J5,"short', 1)), "line 2", 4),
        (table(TABLE.replace("J7", '"J7" 1')), "quote texts from comma to comma", 3),
        (table(TABLE.replace("J7", "J7\0")), "line 5: a zero byte", 3),
        (table(TABLE.replace("J5,short,412,300", "J5,short, or so,412,300", 1)), "line 2: more cells than columns", 4),
        (table(TABLE.replace("J7", "")), "line 5: component: empty", 3),
        (table(TABLE.replace("image\nJ5", "imageJ5", 1)), "column 'image' is missing", 3),
        (
            table(TABLE.replace("01015400.jpg\nJ5,short", '"01015400.jpg\nJ5,short"', 1)),
            "line 2: unexpected end of data",
            4,
        ),
        (table(TABLE.replace(",01015500.JPG", "")), "line 5: fewer cells than columns", 3),
        (xml(XML.replace("Open", "&#" + "9" * 5_000 + ";")), "not well-formed XML", 2),
        (
            table(TABLE.replace("image", "image,serial").replace(".JPG", ".JPG,S2").replace(".jpg", ".jpg,S1")),
            "boards S1, S2",
            3,
        ),
        (
            table(TABLE.replace("image", "image,type").replace("00.jpg", "00.jpg,PTH").replace("01.jpg", "01.jpg,SMT")),
            "J5 is of two types, PTH and SMT",
            3,
        ),
        (table(TABLE.replace("J7,normal,1", "J7,normal,one")), "not whole numbers", 3),
    ],
)
def test_what_is_wrong_is_said_and_every_joint_that_was_named_is_kept(told: Reading, problem: str, joints: int) -> None:
    assert problem in told.problem
    assert len(names(told)) == joints


def test_calls_of_one_joint_are_gathered() -> None:
    assert [joint.machine_call and joint.machine_call.name for joint in job_of(xml()).joints] == [
        "Insufficient, Void",
        "Open",
    ]
    twice = TABLE.replace("short,412,300,470,358,01015401", "missing,412,300,470,358,01015401")
    assert [joint.machine_call and joint.machine_call.name for joint in job_of(table(twice)).joints] == [
        "short, missing",
        "missing",
        "normal",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_may_be_utf_16_or_begin_with_a_byte_order_mark(encoding: str) -> None:
    read = read_joint_table(TABLE.encode(encoding), "L7-5", FILES, JobDefaults("PTH"))
    assert job_of(read) == job_of(table())
    assert job_of(
        read_result_xml(
            XML.replace("UTF-8", encoding[:6]).encode(encoding), ROIS.encode(encoding), FILES, JobDefaults()
        )
    ) == job_of(xml())


@pytest.mark.parametrize("encoding", ["latin-1", "gbk"])
def test_joints_of_another_encoding_are_named_and_not_judged(encoding: str) -> None:
    word = {"latin-1": "Bauteilhöhe", "gbk": "焊点"}[encoding]
    for read in (
        read_joint_table(TABLE.replace("missing", word).encode(encoding), "L7-5", FILES, JobDefaults("PTH")),
        read_result_xml(XML.replace("Open", word).encode(encoding), ROIS.encode(), FILES, JobDefaults()),
    ):
        assert read.problem
        assert len(names(read)) in {2, 3}
