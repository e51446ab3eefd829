"""Files of reviews: JSON lines of contract ``axi-review/1``, a table, or a result XML whose indictments were repaired.

What is wrong with one review hides none of the others.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edge.core.review import Review, ReviewError, Said, read_payload, with_own_id, wrong_time
from edge.files import as_utf8
from edge.jobs.repairs import read_repairs
from edge.jobs.tables import Row, read_table

COLUMNS = ("joint", "decision", "reviewer", "time")
"""Those that a table must have, and one of the next."""
PLACES = ("event_id", "job_id", "serial")
OTHERS = ("review_id", "defect_class", "station", "seconds", "blind")
_STATUS = {"repaired": Said.DEFECT, "false call": Said.FALSE_CALL}
_OPEN = {"", "active", "none"}
"""Of an indictment that nobody has looked at yet."""
_YES = {"1": True, "true": True, "yes": True, "": False, "0": False, "false": False, "no": False}
_LONGEST = 256
_MOST_PROBLEMS = 100


class Reading(NamedTuple):
    """The reviews in a file, and what is wrong with the rest of it, line by line."""

    reviews: list[Review]
    problems: list[str]


SETTLED = ".settled"
"""In the name of a file before its ending: what it says is the truth, from a better source than a look."""


def read_reviews(name: str, raw: bytes) -> Reading:
    """What a file holds; its name's ending says in which words, and whether it settles what joints were."""
    found = _read(name, raw)
    if SETTLED in [part.casefold() for part in Path(name).suffixes[:-1]]:
        return found._replace(reviews=[with_own_id(one._replace(review_id="", settled=True)) for one in found.reviews])
    return found


def _read(name: str, raw: bytes) -> Reading:
    ending = name.casefold().rpartition(".")[2]
    if ending in {"jsonl", "json"}:
        return _gathered(_json_lines(raw))
    if ending == "csv":
        return _table(raw)
    if ending == "xml":
        return _repairs(raw)
    kinds = ".jsonl (axi-review/1), .csv or .xml (V810 repairs)"
    return Reading([], [f"unknown kind of file; it must be {kinds}: a workbook, for example, saved as CSV in UTF-8"])


def _gathered(parts: Iterator[Review | str]) -> Reading:
    found = Reading([], [])
    for part in parts:
        if not isinstance(part, str):
            found.reviews.append(with_own_id(part))
        elif len(found.problems) < _MOST_PROBLEMS:
            found.problems.append(part)
        else:
            found.problems.append(f"more than {_MOST_PROBLEMS} lines are wrong, what comes behind them was not read")
            break
    return found


def _json_lines(raw: bytes) -> Iterator[Review | str]:
    text = as_utf8(raw)
    for number, line in enumerate(io.BytesIO(text), 1):
        if line.strip():
            try:
                yield read_payload(line)
            except ReviewError as error:
                yield f"line {number}: {error}"
    if not text.endswith(b"\n") and text.strip():
        yield "its last line has no end, as that of a file that was cut; export it whole, a line break at its end"


def _table(raw: bytes) -> Reading:
    if not raw.strip():
        return Reading([], ["empty; a table has a line of column names, and a line for each review"])
    table = read_table(raw, COLUMNS)
    if table.problem:
        return Reading([], [table.problem])
    if not set(PLACES) & set(table.columns):
        return Reading([], [f"no column of {', '.join(PLACES)}; one must say which joint is meant"])
    found = _gathered(_of_row(row) for row in table.rows)
    if table.doubt:
        found.problems.append(table.doubt)
    return found


def _of_row(row: Row) -> Review | str:
    cells = {name: row.cells.get(name, "") for name in (*COLUMNS, *PLACES, *OTHERS)}
    problem = row.problem or _wrong_cells(cells)
    if problem:
        return f"line {row.line}: {problem}"
    return Review(
        review_id=cells["review_id"].lower(),
        time=cells["time"],
        decision=Said(cells["decision"].casefold()),
        reviewer=cells["reviewer"],
        event_id=cells["event_id"].lower(),
        job_id=cells["job_id"],
        serial=cells["serial"],
        joint=cells["joint"],
        defect_class=cells["defect_class"] or None,
        station=cells["station"],
        seconds=float(cells["seconds"]) if cells["seconds"] else None,
        blind=_YES[cells["blind"].casefold()],
    )


def _wrong_cells(cells: dict[str, str]) -> str:
    long = next((name for name, text in cells.items() if len(text) > _LONGEST), "")
    if long:
        return f"{long}: longer than {_LONGEST} characters"
    missing = [name for name in ("decision", "reviewer", "time") if not cells[name]]
    if missing:
        return f"{missing[0]}: empty; every review has one"
    if cells["decision"].casefold() not in {said.value for said in Said}:
        return f"decision: {cells['decision']!r}; one of {', '.join(Said)}"
    if not cells["event_id"] and not (cells["joint"] and (cells["job_id"] or cells["serial"])):
        return "which joint is meant: give event_id, or joint with job_id or serial"
    if cells["blind"].casefold() not in _YES:
        return f"blind: {cells['blind']!r}; true or false"
    return wrong_time(cells["time"]) or _wrong_seconds(cells["seconds"])


def _wrong_seconds(text: str) -> str:
    try:
        right = not text or 0 <= float(text) < 1e9
    except ValueError:
        right = False
    return "" if right else f"seconds: {text!r}; a number of seconds, or nothing"


def _repairs(raw: bytes) -> Reading:
    """Whatever was neither repaired nor called false is a review that is not sure."""
    said = read_repairs(raw)
    reviews = [
        Review(
            review_id="",
            time=repair.time or said.created,
            decision=_STATUS.get(repair.status.casefold(), Said.UNSURE),
            reviewer=repair.operator,
            job_id=said.job_id,
            serial=said.serial,
            joint=repair.joint,
            station=said.station,
        )
        for repair in said.repairs
        if repair.status.casefold() not in _OPEN
    ]
    nameless = [
        f"RepairActionXML of {one.joint}: no repairOperator; export who looked at it"
        for one in reviews
        if not one.reviewer
    ]
    kept = [with_own_id(review) for review in reviews if review.reviewer]
    return Reading(kept, [*said.problems, *nameless])
