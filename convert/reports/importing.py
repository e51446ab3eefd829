"""What an import found, for people: counts, what is wrong, what is there twice, and pictures of joints."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from matplotlib import pyplot as plt
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from convert.importing.folding import folded
from convert.importing.found import Problem
from convert.importing.frames import Frame
from convert.importing.kinds import KINDS
from convert.importing.run import Imported, Looked, Sample
from convert.reports.pages import Page, Picture, Table, write_page
from convert.reports.style import INK, save, write_png
from edge.core.card import NORMAL

_MOST_ROWS, _MOST_PLACES, _LEAST_BOARDS = 200, 20, 3
_KNOWN = (NORMAL, "insufficient", "missing", "short", "voided")
"""Classes that the shipped network tells apart."""
_COLUMNS, _LONGEST, _MOST_LETTERS = 10, 40, 24
_UNNAMED = "(none)"
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def counts_of(done: Imported) -> list[Table]:
    """What there is, and what is there twice."""
    return [table for table in (*_counts(done), *_twice(done)) if table.rows]


def write_import(done: Imported, lot: Path | None, out: Path, tiles: tuple[int, int] = (1, 1)) -> list[Path]:
    """Write ``import.md``, ``import.html``, some whole pictures and a sheet of joints for each class into ``out``; the
    pages' paths. ``tiles``: boards that a picture shows side by side, columns and rows.
    """
    out.mkdir(parents=True, exist_ok=True)
    pictures = tuple(
        _sheet(number, name, samples, out) for number, (name, samples) in enumerate(sorted(done.samples.items()))
    )
    pictures = (*(_frame(number, frame, tiles, out) for number, frame in enumerate(done.frames)), *pictures)
    wrong = [_problems(done.problems)] if done.problems else []
    tables = (*wrong, *counts_of(done))
    page = Page(f"Import of {done.source.name}", verdict(done, lot), tuple(facts_of(done)), pictures, tables)
    return write_page(page, out, "import")


def verdict(done: Imported, lot: Path | None) -> str:
    """One sentence: was it written, and if not, why."""
    joints, defects = len(done.joints), sum(looked.joint.name != NORMAL for looked in done.joints)
    found = f"{joints} joints of {done.boards} boards, {defects} of them defects"
    wrong = f"{len(done.problems)} problem{'s' * (len(done.problems) != 1)}"
    if lot is None:
        return f"Read, not written: {found}; {wrong}."
    if done.written:
        return f"Written to {lot.name}: {found}{'; ' + wrong + ', left out' if done.problems else ''}."
    return f"Nothing was written: {wrong}." if done.problems else "Nothing was written: no joint has a class."


def facts_of(done: Imported) -> Iterator[str]:
    yield f"source: {done.source.name}, read as {KINDS[done.kind].words}"
    types = Counter(looked.board.board_type for looked in done.joints)
    if done.joints and "" in types:
        yield (
            f"{types['']} joints have no board type: a network can then be measured on other boards or days only, "
            "not on other board types, which says less of boards that are new"
        )
    elif len(types) == 1:
        yield "one board type only: figures will say nothing about other types"
    boards = len({looked.board.serial for looked in done.joints})
    if 0 < boards < _LEAST_BOARDS:
        yield (
            f"{boards} board{'s' * (boards != 1)}: adopt and split need {_LEAST_BOARDS} that share nothing; of a "
            "picture of several boards say [source] tiles"
        )
    yield from _of_what(done)
    kinds = sorted({looked.joint.found.joint_type for looked in done.joints})
    if kinds:
        yield f"joint types: {', '.join(kinds)}; where the export says none, [source] joint_type does"
    for name in sorted({*done.classes} - {*_KNOWN}):
        near = difflib.get_close_matches(name.casefold(), _KNOWN, n=1, cutoff=0.7)
        if near:
            yield f"class {name!r} is a new one; is it {near[0]!r}, which the shipped network knows?"
    yield from done.doubts
    for why, count in done.outside.items():
        yield f"{count} joints are not in it: {why.value}"
    contents = done.alike
    if contents:
        yield f"{sum(map(len, contents))} joints show the same pixels as another; a split keeps them together"


def _of_what(done: Imported) -> Iterator[str]:
    """What shows days that were read in another order, and labels that were mapped to one side."""
    days = sorted({looked.board.time[:10] for looked in done.joints} - {""})
    if days:
        yield f"boards of {days[0]} to {days[-1]}" if len(days) > 1 else f"boards of {days[0]}"
    if done.joints and len({name == NORMAL for name in done.classes}) == 1:
        what, other = ("a good joint", "defects") if NORMAL in done.classes else ("a defect", "good joints")
        yield f"every joint is {what}: nothing can be learnt without {other}; look at [labels]"


def _problems(problems: Sequence[Problem]) -> Table:
    faults = folded(problems)
    more = f"The first {_MOST_ROWS} of {len(faults)}." if len(faults) > _MOST_ROWS else ""
    rows = tuple(
        (fault.first.where, fault.first.text, str(1 + len(fault.others)), _some(fault.others))
        for fault in faults[:_MOST_ROWS]
    )
    return Table("What is wrong", more, ("where", "what, and what to do", "how often", "where else"), rows)


def _some(places: Sequence[str]) -> str:
    more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
    return ", ".join(places[:_MOST_PLACES]) + more


def _counts(done: Imported) -> Iterator[Table]:
    classes = sorted(done.classes, key=lambda name: (name != NORMAL, name))
    by_type = dict[str, list[Looked]]()
    for looked in done.joints:
        by_type.setdefault(looked.board.board_type or _UNNAMED, []).append(looked)
    rows = []
    for board_type, joints in sorted(by_type.items()):
        found = Counter(looked.joint.name for looked in joints)
        boards = len({looked.board.serial for looked in joints})
        rows.append((board_type, str(boards), str(len(joints)), *(str(found[name]) for name in classes)))
    yield Table("Joints", "By board type and class.", ("board type", "boards", "joints", *classes), tuple(rows))
    yield Table(
        "Pictures and boxes",
        "Sides of boxes in pixels, means of width and height.",
        ("board type", "joint types", "slices of a view", "smallest box", "median", "largest"),
        tuple((name, *_sizes(joints)) for name, joints in sorted(by_type.items())),
    )


def _sizes(joints: Sequence[Looked]) -> tuple[str, ...]:
    kinds = ", ".join(sorted({looked.joint.found.joint_type for looked in joints}))
    slices = Counter(looked.slices for looked in joints)
    sides = sorted(looked.side for looked in joints)
    listed = ", ".join(f"{number} ({count} joints)" for number, count in sorted(slices.items()))
    return kinds, listed, f"{sides[0]:.0f}", f"{median(sides):.0f}", f"{sides[-1]:.0f}"


def _twice(done: Imported) -> Iterator[Table]:
    alike = done.alike
    boards = [group for group in alike if len({looked.board.serial for looked in group}) > 1]
    against = [group for group in alike if len({looked.joint.name for looked in group}) > 1]
    yield Table(
        "The same pixels on several boards",
        "Copies, or one picture under several names. Split by board type or serial, they would be in two lots.",
        ("joints",),
        tuple((_listed(group),) for group in islice(boards, _MOST_ROWS)),
    )
    yield Table(
        "Labels that contradict each other",
        "The same pixels under two classes, or a joint of which two things were said (the graver counts).",
        ("joints", "classes"),
        (
            *((_listed(group), _classes(group)) for group in islice(against, _MOST_ROWS)),
            *((joint.found.where, f"{joint.name}, not {joint.against}") for joint in islice(done.against, _MOST_ROWS)),
        ),
    )


def _classes(group: Sequence[Looked]) -> str:
    return ", ".join(sorted({looked.joint.name for looked in group}))


def _listed(group: Sequence[Looked]) -> str:
    shown = [f"{looked.joint.found.joint} of {looked.board.serial}" for looked in group[:4]]
    return ", ".join(shown) + (f" and {len(group) - 4} more" if len(group) > 4 else "")


def _end_of(name: str) -> str:
    """Names tell each other apart at their ends."""
    return name if len(name) <= _MOST_LETTERS else f"...{name[-_MOST_LETTERS:]}"


def _frame(number: int, frame: Frame, tiles: tuple[int, int], out: Path) -> Picture:
    """A whole picture with all boxes, a colour for each class, and lines between boards."""
    height, width = frame.picture.shape
    figure, axes = plt.subplots(figsize=(11, 11 * height / width + 0.4))
    axes.imshow(frame.picture, cmap="gray", vmin=0, vmax=255)
    names = sorted({boxed.name for boxed in frame.boxes}, key=lambda name: (name != NORMAL, name))
    for colour, name in zip(cycle(INK), names, strict=False):
        inside = [boxed.box for boxed in frame.boxes if boxed.name == name]
        shapes = [Rectangle((x - 0.5, y - 0.5), right - x, below - y) for x, y, right, below in inside]
        axes.add_collection(PatchCollection(shapes, facecolor="none", edgecolor=colour, linewidth=1.2))
        axes.plot([], [], "s", mfc="none", mec=colour, label=f"{name}: {len(inside)}")
    for at in range(1, tiles[0]):
        axes.axvline(at * width / tiles[0] - 0.5, color=INK[4], lw=1.4, ls="--")
    for at in range(1, tiles[1]):
        axes.axhline(at * height / tiles[1] - 0.5, color=INK[4], lw=1.4, ls="--")
    axes.set_axis_off()
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False, fontsize=9)
    save(figure, out / (file := f"frame-{number}.png"))
    lines = "; between the lines, a board each" if tiles != (1, 1) else ""
    caption = f"{frame.name}, as the network sees it, solder dark: does each box hold its joint{lines}?"
    return Picture(file, caption)


def _sheet(number: int, name: str, samples: Sequence[Sample], out: Path) -> Picture:
    """Joints of one class with their boxes."""
    rows = -(-len(samples) // _COLUMNS)
    figure, grid = plt.subplots(rows, _COLUMNS, figsize=(1.35 * _COLUMNS, 1.6 * rows), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, sample in zip(grid.flat, sorted(samples, key=lambda one: (one.serial, one.joint)), strict=False):
        side = sample.picture.shape[0]
        axes.imshow(sample.picture, cmap="gray", vmin=0, vmax=255)
        wide, high = (side * share for share in sample.box)
        box = Rectangle(((side - wide) / 2, (side - high) / 2), wide, high, fill=False, edgecolor=INK[4], linewidth=1)
        axes.add_patch(box)
        axes.set_title(f"{_end_of(sample.joint)}\n{_end_of(sample.serial)}", fontsize=6)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=1 - 0.27 / (1.6 * rows), wspace=0.08, hspace=0.28)
    file = f"joints-{number}-{_ODD.sub('-', name)[:_LONGEST]}.png"
    write_png(figure, out / file, dpi=110)
    return Picture(
        file, f"{name}: {len(samples)} joints, each in its box, solder dark; do the boxes sit on joints of that class?"
    )
