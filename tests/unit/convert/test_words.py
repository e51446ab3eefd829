"""What the workstation's commands say to numbers and names as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.cli import main
from convert.importing.mapping import read_mapping
from edge.core.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["arrays", "lot", "--out", "o", "--margin", "1,5"], "'1,5': no number; write it with a point, 1.5"),
        (["adopt", "lot", "--out", "o", "--curve-seeds", "-1"], "a whole number from 0 to 20"),
        (["simulate", "--out", "o", "--boards", "x"], "'x': no whole number, such as 3"),
    ],
)
def test_numbers_that_are_none_are_said_to_be_so(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert says in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('"Dobry" = 0', "[labels]: text, in quotes is expected"),
        ('"Dobry" = "left out"', "write 'left-out'"),
        ('"Dobry" = "?"', "or 'left-out' for joints that are passed over"),
    ],
)
def test_labels_that_stand_for_no_class_are_said_to_be_so(line: str, says: str, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(f"[labels]\n{line}\n")
    with pytest.raises(ConfigError) as refused:
        read_mapping(mapping)
    assert says in str(refused.value)


def test_a_version_that_is_none_is_said_to_be_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adopt", str(tmp_path), "--out", str(tmp_path / "o"), "--version", "1"]) == 2
    assert "--version 1: give MAJOR.MINOR.PATCH, such as 1.0.0" in capsys.readouterr().err
