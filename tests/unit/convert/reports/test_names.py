"""Names of users' joints, classes and files are shown as they are, on a terminal and on a page."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from convert.reports import pages, terminal

NAMES = ("[cold]", ":bug:", "a[/x]", "[bold]J5[/bold]", "J5|6", "<b>J5</b>")


def table_of(name: str) -> pages.Table:
    return pages.Table(f"of {name}", f"note {name}", ("class", f"n {name}"), ((name, "1"),))


@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_shows_a_name_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    results = terminal.wide_results()
    results.print(name)
    terminal.show([table_of(name)], results)
    assert capsys.readouterr().out.count(name) == 5


@pytest.mark.parametrize("name", NAMES)
def test_a_bar_shows_a_name_as_it_is(name: str) -> None:
    shown = io.StringIO()
    with terminal.bar(name, 1, Console(file=shown, width=200)) as bar:
        bar.tell(f"loss of {name}")
    assert shown.getvalue().count(name) == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_page_keeps_a_row_of_two_cells_whatever_is_in_them(name: str, tmp_path: Path) -> None:
    page = pages.Page("title", "warning", (), (), (table_of(name),))
    pages.write_page(page, tmp_path, "page")
    (row,) = [line for line in (tmp_path / "page.md").read_text().splitlines() if line.endswith("| 1 |")]
    assert row.replace("\\|", "").count("|") == 3
    assert "<b>" not in (tmp_path / "page.html").read_text()


def test_a_table_that_is_too_wide_stands_on_its_side() -> None:
    wide = pages.Table("t", "", tuple(f"figure {n}" for n in range(9)), (tuple(f"0.99 ({n})" for n in range(9)),))
    for width, upright in ((40, False), (200, True)):
        shown = io.StringIO()
        terminal.show([wide], Console(file=shown, width=width))
        lines = shown.getvalue().splitlines()
        assert (len(lines) < 9) == upright
        assert all(f"figure {n}" in shown.getvalue() and f"0.99 ({n})" in shown.getvalue() for n in range(9))


def test_columns_that_say_nothing_are_left_out() -> None:
    table = pages.Table("t", "", ("a", "b", "c", "d"), (("", "1", "-", ""), ("", "-", "-", "-")))
    assert pages.trimmed(table) == table._replace(heading=("a", "b"), rows=(("", "1"), ("", "-")))
    assert pages.trimmed(table._replace(rows=())).heading == table.heading
