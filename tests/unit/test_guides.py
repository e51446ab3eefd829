"""The guides say all that the code offers: reasons, alarms, topics, recipe keys, rooms, commands."""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import convert.cli
import edge.cli
from convert.conversion.recipe import Recipe
from convert.importing.kinds import KINDS
from convert.importing.mapping import Mapping, read_mapping
from edge.core import schemas
from edge.core.job import parse_manifest
from edge.core.payloads import PAYLOADS
from edge.core.verdict import Reason
from edge.jobs.joint_table import read_joint_table
from edge.jobs.result_xml import read_result_xml
from edge.jobs.vendors import JobDefaults

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
INTEGRATE, OWN_DATA, DEVELOP = (
    (GUIDES / f"{name}.md").read_text("utf-8") for name in ("integrate", "own-data", "develop")
)
_SHOWN = {kind: re.compile(rf"^```{kind}\n(.*?)^```", re.MULTILINE | re.DOTALL) for kind in ("json", "xml", "csv")}
_NEEDED = ("needed", "none")


def alarm_codes() -> set[str]:
    """The texts handed as ``code`` to whatever raises an alarm in the device's code."""
    return {code for path in (ROOT / "edge").rglob("*.py") for code in _codes(ast.parse(path.read_text("utf-8")))}


def _codes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and (
                node.func.attr in {"alarm", "event"}
                or (node.func.attr == "set" and any(word.arg == "on" for word in node.keywords))
            )
        ):
            yield from _texts(node.args[0])


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value=start), ast.FormattedValue(value=ast.IfExp() as either)]):
            yield from (f"{start}{end.value}" for end in (either.body, either.orelse) if isinstance(end, ast.Constant))


def test_the_exports_shown_are_read_as_the_guide_says() -> None:
    """The result XML with its boxes, and the table: the manifest's joint, under the ids that are said."""
    (xml,), (rois, table) = _SHOWN["xml"].findall(INTEGRATE), _SHOWN["csv"].findall(INTEGRATE)
    files = ["01015400.jpg", "01015401.jpg"]
    readings = (
        read_result_xml(xml.encode(), rois.encode(), files, JobDefaults()),
        read_joint_table(table.encode(), "F1", files, JobDefaults()),
    )
    jobs = [parse_manifest(json.dumps(reading.document).encode()).job for reading in readings]
    assert [reading.problem for reading in readings] == ["", ""]
    assert [job.job_id for job in jobs] == ["SN001_2026-11-21T08:15:30Z", "F1"]
    for job in jobs:
        (joint,), (view,) = job.joints, job.views
        assert (joint.id, joint.type, joint.view, tuple(joint.roi)) == ("J5.12", "PTH", "010154", (412, 300, 470, 358))
        assert [part.index for part in view.slices] == [0, 1]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    assert f"| `{reason.value}` |" in INTEGRATE


def test_every_alarm_is_explained() -> None:
    codes = alarm_codes()
    assert {"job_refused", "runtime_hung", "runtime_crashed", "disk_low", "clock_jump"} <= codes
    table = INTEGRATE[INTEGRATE.index("### Alarms") : INTEGRATE.index("## Ask it")]
    assert [code for code in sorted(codes) if f"`{code}`" not in table] == []


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.__name__)
def test_every_payload_has_an_example_that_its_own_reader_takes(payload: type[msgspec.Struct]) -> None:
    name = payload.__struct_defaults__[0]
    texts = [text for text in _SHOWN["json"].findall(INTEGRATE) if json.loads(text)["schema"] == name]
    assert texts, f"no example of {name}"
    for text in texts:
        read: Any = msgspec.json.decode(text, type=payload)
        again = msgspec.json.decode(msgspec.json.encode(read))
        assert json.loads(text).keys() <= again.keys()
    assert f"../schemas/{name.replace('/', '-')}.json" in INTEGRATE
    assert name.replace("/", "-") in schemas.json_schemas()


def test_every_key_of_a_mapping_is_explained() -> None:
    guide = (GUIDES / "import.md").read_text("utf-8")
    for section in msgspec.structs.fields(Mapping):
        assert f"**`[{section.name}]`**" in guide
        kind = section.type if isinstance(section.type, type) else None
        for field in msgspec.structs.fields(kind) if kind else ():
            assert re.search(rf"[`, ]{field.name}[`,]", guide), f"[{section.name}] {field.name}"
    for kind in KINDS:
        assert f"| `{kind}` |" in guide


def test_every_mapping_that_is_shown_is_one(tmp_path: Path) -> None:
    shown = re.findall(r"```toml\n(.*?)```", (GUIDES / "import.md").read_text("utf-8"), re.DOTALL)
    assert len(shown) >= 5
    for text in shown:
        (tmp_path / "mapping.toml").write_text(text, "utf-8")
        read_mapping(tmp_path / "mapping.toml")


def test_every_key_of_a_recipe_is_explained_with_its_default() -> None:
    table = OWN_DATA[OWN_DATA.index("| key | default | holds |") :]
    for section in msgspec.structs.fields(Recipe):
        start = table.index(f"| **`[{section.name}]`** |")
        rows = table[start : table.find("| **`[", start + 1)]
        for field in msgspec.structs.fields(section.type if isinstance(section.type, type) else Recipe):
            cell = re.search(rf"^\| `{field.encode_name}` \| ([^|]*) \|", rows, re.MULTILINE)
            assert cell, f"[{section.name}] {field.encode_name} is not explained"
            if field.name == "passes":
                continue
            assert default_of(field) == cell[1].strip("`"), f"[{section.name}] {field.encode_name}"


def default_of(field: Any) -> str:
    if field.default is msgspec.NODEFAULT:
        made = "needed" if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        return made if made == "needed" else json.dumps(made)
    return "none" if field.default is None else json.dumps(field.default)


def test_every_room_is_in_the_guide() -> None:
    rooms = DEVELOP[DEVELOP.index("## Rooms") :]
    packages = {path.parent.name for top in ("edge", "convert") for path in (ROOT / top).glob("*/__init__.py")}
    assert {"core", "lots"} <= packages
    assert [name for name in sorted(packages) if f"`{name}`" not in rooms] == []


@pytest.mark.parametrize(("parser", "page"), [(edge.cli.parser, "device.md"), (convert.cli.parser, "own-data.md")])
def test_every_command_is_in_its_guide(parser: Any, page: str) -> None:
    text = (GUIDES / page).read_text("utf-8")
    actions = parser()._actions
    commands = next(action.choices for action in actions if isinstance(action, argparse._SubParsersAction))
    program = parser().prog
    assert [name for name in commands if f"`{program} {name}" not in text and f"{program} {name} " not in text] == []


def test_the_site_shows_every_decision() -> None:
    site = (ROOT / "mkdocs.yml").read_text("utf-8")
    decisions = [f"decisions/{path.name}" for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert [page for page in sorted(decisions) if page not in site] == []
