"""A result XML and a table of joints, whole, and what the readers make of them."""

from __future__ import annotations

import json

from edge.core.salvage import salvage
from edge.jobs.joint_table import read_joint_table
from edge.jobs.result_xml import read_result_xml
from edge.jobs.vendors import JobDefaults, Reading

FILES = ["01015400.jpg", "01015401.jpg", "01015500.JPG", "Thumbs.db", "result.xml", "rois.csv"]
XML = """<?xml version="1.0" encoding="UTF-8"?>
<ns1:BoardTestXMLExport xmlns:ns1="http://tempuri.org/BoardTestXMLExport.xsd" testTime="2026-11-21T08:15:30Z">
  <ns1:BoardXML serialNumber="SN001" boardType="MB-7" boardRevision="B"/>
  <ns1:StationXML testerName="V810-8086S2" stage="v810"/>
  <ns1:TestXML name="J5">
    <ns1:IndictmentXML algorithm="PTH" indictmentType="Insufficient" jointType="PTH">
      <ns1:RepairActionXML repairStatus="False Call"/>
      <ns1:ComponentXML designator="J5" pin="12" packageId="DIP"/>
    </ns1:IndictmentXML>
  </ns1:TestXML>
  <ns1:TestXML name="J6">
    <ns1:IndictmentXML indictmentType="Open">
      <ns1:ComponentXML designator="J6" pin="1"/>
    </ns1:IndictmentXML>
  </ns1:TestXML>
  <ns1:TestXML name="J5"><ns1:IndictmentXML indictmentType="Void" jointType="PTH">
      <ns1:ComponentXML designator="J5" pin="12"/></ns1:IndictmentXML></ns1:TestXML>
</ns1:BoardTestXMLExport>
"""
ROIS = """Designator, Pin, View, xmin, ymin, xmax, ymax
J5, 12, 010154, 412, 300, 470, 358
J6, 1, 010155, 10, 20, 40, 50
J9, 9, 010155, 1, 2, 3, 4
"""
TABLE = """component,defect_type,xmin,ymin,xmax,ymax,image
J5,short,412,300,470,358,01015400.jpg
J5,short,412,300,470,358,01015401.jpg
J5,missing,10,20,40,50,01015400.jpg
J7,normal,1,2,3,4,01015500.JPG
"""
NINE = 'numberOfIndictedPins="9" boardRev'
SECOND = XML[XML.index("  <ns1:BoardXML") : XML.index("</ns1:BoardTestXMLExport>")]
PANEL = XML.replace("</ns1:BoardTestXMLExport>", SECOND + "</ns1:BoardTestXMLExport>").replace("SN001", "PANEL7")
"""Two boards under the panel's one bar code, with the same pins on both."""
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


def names(told: Reading) -> list[str]:
    return [joint.id for joint in salvage(json.dumps(told.document).encode()).joints]


def xml(text: str = XML, rois: str | None = ROIS, files: list[str] = FILES) -> Reading:
    return read_result_xml(text.encode(), None if rois is None else rois.encode(), files, JobDefaults())


def table(text: str = TABLE, unsaid: JobDefaults = JobDefaults("PTH")) -> Reading:  # noqa: B008 - frozen
    return read_joint_table(text.encode(), "L7-5", FILES, unsaid)
