"""Rules of the house that only a fresh interpreter, or the documents beside the code, can show."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from edge.core.schemas import json_schemas
from edge.logs import EventFormatter
from tests.tools.write_schemas import features_page

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


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
