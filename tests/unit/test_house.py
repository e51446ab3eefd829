"""Rules of the house that only a fresh interpreter, or the documents beside the code, can show."""

from __future__ import annotations

import ast
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from edge.core.schemas import json_schemas
from edge.logs import EventFormatter
from tests.tools.write_schemas import features_page

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "docs" / "schemas"
DOORS = {
    "edge": {"start", "arguments", "cli", "config", "toml", "files", "logs"},
    "convert": {"start", "cli", "building"},
}
"""What may stand at the top of a package: how one comes in, and what every room shares."""
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 300, 45


def test_the_device_side_brings_no_tensorflow_keras_or_workstation_package() -> None:
    """Every module of edge is imported; none may drag these along, installed though they are here."""
    code = (
        "import pkgutil, sys, edge\n"
        "for module in pkgutil.walk_packages(edge.__path__, 'edge.'):\n"
        "    __import__(module.name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "edge" in loaded
    assert not loaded & {"tensorflow", "keras", "convert", "scipy", "rich", "matplotlib", "amqtt"}


def test_the_convert_command_starts_without_tensorflow() -> None:
    code = "import sys, convert.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras"} & set(done.stdout.split())


def test_lots_metrics_and_evaluation_are_numbers_and_bring_no_tensorflow() -> None:
    """Every module of theirs is imported; the import contract looks into functions, too."""
    code = (
        "import pkgutil, sys, convert.lots, convert.metrics, convert.evaluation\n"
        "for room in (convert.lots, convert.metrics, convert.evaluation):\n"
        "    for module in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
        "        __import__(module.name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras"} & set(done.stdout.split())


@pytest.mark.parametrize("package", sorted(DOORS))
def test_only_doors_stand_at_the_top_of_a_package(package: str) -> None:
    """Every other module has a room; so does the one that was just written."""
    assert {path.stem for path in (ROOT / package).glob("*.py")} == {"__init__", *DOORS[package]}


def sources() -> list[Path]:
    return [path for top in ("edge", "convert", "tests") for path in sorted((ROOT / top).rglob("*.py"))]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_fit_a_screen_or_a_few(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= MOST_LINES, "split the module by what it is about"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MOST_LINES_OF_A_FUNCTION, f"{node.name}: give its steps names"


@pytest.mark.parametrize(
    "room",
    sorted(path.parent for path in (*ROOT.glob("edge/**/__init__.py"), *ROOT.glob("convert/**/__init__.py"))),
    ids=lambda room: str(room.relative_to(ROOT)),
)
def test_every_room_says_in_a_sentence_what_it_is(room: Path) -> None:
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8")))
    assert said
    assert said.splitlines()[0].endswith(".")


def test_the_published_features_are_those_of_the_code() -> None:
    assert (SCHEMAS.parent / "features.md").read_text("utf-8") == features_page(), "run: make schemas"


@pytest.mark.parametrize("name", sorted(json_schemas()))
def test_the_published_schema_is_that_of_the_code(name: str) -> None:
    generated = json.loads(json.dumps(json_schemas()[name]))
    assert json.loads((SCHEMAS / f"{name}.json").read_text()) == generated, "run: make schemas"


def test_no_schema_is_left_over() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(json_schemas())


def test_a_log_event_is_one_line_with_its_fields() -> None:
    record = logging.makeLogRecord({"msg": "slice\nrefused", "levelname": "WARNING", "problem": 'a "b"', "n": 3})
    assert EventFormatter(journald=True).format(record) == '<4>slice\\nrefused problem="a \\"b\\"" n=3'
    assert EventFormatter(journald=False).format(record).startswith("warning slice")
