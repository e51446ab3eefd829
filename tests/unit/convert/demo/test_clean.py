"""A demo starts clean, and removes only what a demo made."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.demo.__main__ import clean
from edge.core.errors import UsageError


def test_what_an_earlier_demo_left_is_gone(tmp_path: Path) -> None:
    work = clean(tmp_path / "build" / "demo")
    (work / "line").mkdir()
    (work / "line" / "truth.csv").write_text("old")
    assert [path.name for path in clean(work).iterdir()] == [".axi-demo"]


def test_what_no_demo_made_stays(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="holds something that no demo made"):
        clean(tmp_path)
    assert (tmp_path / "thesis.tex").exists()
