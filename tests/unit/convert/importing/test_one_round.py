"""All that is wrong with an export is said at once, with the lines of the mapping that mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.importing.folding import folded
from convert.importing.mapping import read_mapping
from convert.importing.run import import_lot
from convert.lots.truth import read_truth
from convert.reports.importing import facts_of
from edge.core.errors import ConfigError, UsageError
from tests.unit.convert.importing.test_broken_exports import HEAD, ROWS, imported, write

FRENCH = (
    "image;board_type;serial;time;joint;label;xmin;ymin;xmax;ymax",
    "a.png;MB-1;S1;26/01/2026 08:15;J1;bon;10;10;40;40",
    "a.png;MB-1;S1;26/01/2026 08:15;J2;brasure sèche;60;60;90;90",
    "b.png;MB-2;S2;27/01/2026 09:00;J1;bon;10;10;40;40",
    "b.png;MB-2;S2;27/01/2026 09:00;J2;;60;60;90;90",
)


def french(source: Path) -> None:
    write(source)
    (source / "joints.csv").write_bytes(("\r\n".join(FRENCH) + "\r\n").encode("cp1252"))


def test_all_that_is_wrong_with_an_export_is_said_in_one_round(tmp_path: Path) -> None:
    """Characters, times, labels and empty cells, each with the line of the mapping that mends it."""
    french(tmp_path / "export")
    done = import_lot(tmp_path / "export", read_mapping(None), tmp_path / "lot")
    said = "\n".join(map(str, folded(done.problems)))
    assert (
        'joints.csv: line 3: not UTF-8 text; say in the mapping how it is written: [source] encoding = "cp1252"' in said
    )
    assert '[source] times = "%d/%m/%Y %H:%M"' in said
    for label in ("bon", "brasure sèche"):
        assert f'below [labels]: "{label}" = "..."' in said
    assert 'line 5: label: empty; every joint needs it; or say in the mapping, below [labels]: "" = "left-out"' in said
    assert len(said.splitlines()) == 5
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[source]\nencoding = "cp1252"\ntimes = "%d/%m/%Y %H:%M"\n'
        '[labels]\n"bon" = "normal"\n"brasure sèche" = "cold"\n"" = "left-out"\n'
    )
    done = import_lot(tmp_path / "export", read_mapping(mapping), tmp_path / "lot")
    assert (done.problems, done.written) == ([], True)
    assert {(row.truth, row.job_id) for row in read_truth(tmp_path / "lot").values()} == {
        ("normal", "S1_2026-01-26T08:15:00"),
        ("cold", "S1_2026-01-26T08:15:00"),
        ("normal", "S2_2026-01-27T09:00:00"),
    }


@pytest.mark.parametrize(
    ("time", "ways"),
    [
        ("05/06/2026", '"%d/%m/%Y" or "%m/%d/%Y", whichever it is'),
        ("26.03.05 14:30", '"%d.%m.%y %H:%M" or "%y.%m.%d %H:%M", whichever it is'),
        ("20260305143000", '"%Y%m%d%H%M%S"'),
    ],
)
def test_every_way_that_a_time_may_be_written_in_is_named(time: str, ways: str, tmp_path: Path) -> None:
    write(tmp_path / "export", tuple(f"{row},{time}" for row in ROWS), f"{HEAD},time")
    assert f"[source] times = {ways}" in str(imported(tmp_path).problems[0])


def test_a_way_of_writing_that_does_not_fit_is_said_to_be_so(tmp_path: Path) -> None:
    french(tmp_path / "export")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[source]\nencoding = "cp1252"\ntimes = "%m.%d.%Y"\n')
    said = "\n".join(map(str, import_lot(tmp_path / "export", read_mapping(mapping), None).problems))
    assert "neither ISO 8601 nor as [source] times = '%m.%d.%Y'" in said


def test_the_encoding_that_makes_a_word_of_letters_is_named_first_and_what_others_would_make_of_it(
    tmp_path: Path,
) -> None:
    write(tmp_path / "export")
    rows = [HEAD, *ROWS[:2], ROWS[2].replace("good", "mało lutu"), ROWS[3]]
    (tmp_path / "export" / "joints.csv").write_bytes("\n".join([*rows, ""]).encode("cp1250"))
    said = str(import_lot(tmp_path / "export", read_mapping(None), None).problems[0])
    assert "encoding = \"cp1250\", if 'mało' is right there" in said
    assert "\"cp1252\" is 'ma³o'" in said


def test_one_label_in_several_spellings_is_one(tmp_path: Path) -> None:
    write(tmp_path / "export", tuple(row.replace("void", "Lunker" if "a.png" in row else "LUNKER") for row in ROWS))
    (problem,) = import_lot(tmp_path / "export", read_mapping(None), None).problems
    assert "label 'Lunker', of 2 joints" in problem.text
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[labels]\n"Lunker" = "voided"\n"LUNKER" = "voided"\n')
    assert import_lot(tmp_path / "export", read_mapping(mapping), None).problems == []
    mapping.write_text('[labels]\n"Lunker" = "voided"\n"LUNKER" = "normal"\n')
    with pytest.raises(ConfigError, match="in two spellings, as two classes"):
        read_mapping(mapping)


def test_what_shows_a_mistake_at_a_glance_is_told(tmp_path: Path) -> None:
    write(tmp_path / "export", tuple(f"{row},2005-03-26" for row in ROWS), f"{HEAD},time")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[labels]\n"good" = "dobry"\n"void" = "voided"\n')
    said = list(facts_of(import_lot(tmp_path / "export", read_mapping(mapping), None)))
    assert "boards of 2005-03-26" in said
    assert "every joint is a defect: nothing can be learnt without good joints; look at [labels]" in said


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('encoding = "cp-1252x"', "no encoding; name one such as cp1252"),
        ('encoding = "ascii"', "no text in ascii; correct [source] encoding"),
        ('times = "%Q"', "give it as strftime does"),
        ('times = "today"', "give it as strftime does"),
        ('names = "(?P<time>.*)"\n[labels]\n"" = "normal"', "an empty cell says nothing of a joint"),
    ],
)
def test_ways_of_writing_that_nobody_knows_are_refused(source: str, says: str, tmp_path: Path) -> None:
    french(tmp_path / "export")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(f"[source]\n{source}\n")
    try:
        said = str(import_lot(tmp_path / "export", read_mapping(mapping), None).problems[0])
    except ConfigError as error:
        said = str(error)
    assert says in said


def test_all_that_is_wrong_with_a_mapping_is_said_at_once(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[source]\nnames = "("\n[image]\nwindow = [9, 1]\n[labels]\n"x" = "a b"\n')
    with pytest.raises(ConfigError) as refused:
        read_mapping(mapping)
    for key in ("[source] names", "[image] window", '[labels] "x"'):
        assert key in str(refused.value)


def test_all_columns_that_are_missing_are_said_at_once(tmp_path: Path) -> None:
    write(tmp_path / "export", head=HEAD.replace("image", "picture").replace("label", "word").replace("xmin", "left"))
    said = [problem.text for problem in imported(tmp_path).problems]
    assert [text.partition(";")[0] for text in said[:2]] == ["no column 'image'", "no column 'label'"]
    assert "no columns say where joints lie" in said[2]


def test_an_address_is_no_export() -> None:
    with pytest.raises(UsageError, match="an address: fetch what lies there first"):
        import_lot(Path("https://plant.example/exports"), read_mapping(None), None)
