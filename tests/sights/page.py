"""What became of right and wrong pictures, in a table and a drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib import pyplot as plt

from convert.reports.style import INK, save

PAGE = Path("docs/views.md")
Types = dict[tuple[str, str], tuple[int, tuple[str, ...]]]
"""(board type, view) -> boards that it took to be learnt (0: it was not), and what it cannot tell."""


_HEAD = (
    "| wrong pictures | joints | released without it | released | defects released without it | defects released "
    "| said most often |"
)


class Outcome(NamedTuple):
    """Of a view, joint by joint: is it a defect, and does the network call it normal? ``doubt``: the view's."""

    labels: tuple[int, ...]
    normal: tuple[bool, ...]
    doubt: str


class Share(NamedTuple):
    hits: int
    total: int

    def __str__(self) -> str:
        return f"{self.hits / self.total:.4f}" if self.total else "none"


def released(outcomes: Sequence[Outcome], *, known: bool, defects: bool = False) -> Share:
    """Joints, or defects alone, called normal; ``known``: and whose views are not doubted."""
    hits = total = 0
    for one in outcomes:
        for label, normal in zip(one.labels, one.normal, strict=True):
            if label or not defects:
                total += 1
                hits += normal and not (known and one.doubt)
    return Share(hits, total)


def page(
    known: Types,
    boards: int,
    honest: Sequence[Outcome],
    wrong: Mapping[str, Sequence[Outcome]],
    none: Mapping[str, Sequence[Outcome]],
) -> str:
    """The page; its drawing is written beside it."""
    _draw(honest, wrong)
    right = [released(honest, known=known_, defects=defects) for known_ in (False, True) for defects in (False, True)]
    doubted = [one for one in honest if one.doubt]
    about = (
        "Written by `make views`. Boards of types that the shipped network never saw, from one drawing each "
        f"(`axi-convert simulate --alike`), learnt as devices learn them; then {boards} boards as they are, and some "
        "of them with pictures that are not what they claim to be, through the device's own judging and comparing. "
        "*Released* would be what the network calls normal at its own operating point on a board type with a licence."
    )
    honesty = (
        f"Right pictures, {len(honest)} views: {len(doubted)} doubted{_why(doubted)}. Released of the joints "
        f"{right[2]} (without the comparison {right[0]}), of the defects {right[3]} ({right[1]})."
    )
    views = [
        f"| {kind} | {view} | {count or 'never'} | {', '.join(missed) or 'none'} |"
        for (kind, view), (count, missed) in known.items()
    ]
    total = _row("all of these", [one for some in wrong.values() for one in some])
    blocks = (
        "# Are wrong pictures told from right ones?",
        about,
        _table("| board type | view | boards until it was known | mistakes not told there |", views),
        honesty,
        "![Share of joints released, by kind of wrong picture](views.png)",
        _table(_HEAD, [*(_row(name, some) for name, some in wrong.items()), total]),
        "Pictures of no joint, over and over, all over the frame, in three sizes:",
        _table("| pictures | boxes | normal by the network | released |", _no_joint(none)),
    )
    return "\n\n".join(blocks) + "\n"


def _table(head: str, rows: Sequence[str]) -> str:
    return "\n".join((head, "|" + "---|" * (head.count("|") - 1), *rows))


def _no_joint(none: Mapping[str, Sequence[Outcome]]) -> list[str]:
    rows = []
    for name, some in _by_name(none).items():
        normal, after = (released(some, known=known) for known in (False, True))
        rows.append(f"| {name} | {normal.total} | {normal.hits} | {after.hits} |")
    return rows


def _why(doubted: Sequence[Outcome]) -> str:
    return f" ({'; '.join(sorted({one.doubt for one in doubted}))})" if doubted else ""


def _row(name: str, some: Sequence[Outcome]) -> str:
    shares = [released(some, known=known, defects=defects) for defects in (False, True) for known in (False, True)]
    said = Counter(one.doubt for one in some if one.doubt).most_common(1)
    return f"| {name} | {shares[0].total} | {' | '.join(map(str, shares))} | {said[0][0] if said else 'nothing'} |"


def _by_name(none: Mapping[str, Sequence[Outcome]]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for name, some in none.items():
        found.setdefault(name.rpartition(", extent")[0], []).extend(some)
    return found


def _draw(honest: Sequence[Outcome], wrong: Mapping[str, Sequence[Outcome]]) -> None:
    rows = {"right pictures": honest, **wrong}
    figure, axes = plt.subplots(figsize=(8, 0.24 * len(rows) + 1.2))
    for place, (name, some) in enumerate(reversed(rows.items())):
        before, after = (released(some, known=known) for known in (False, True))
        axes.barh(place, before.hits / before.total, color=INK, alpha=0.25, height=0.7)
        axes.barh(place, after.hits / after.total, color=INK, height=0.7)
        axes.text(-0.01, place, name, ha="right", va="center", fontsize=7)
    axes.set_yticks([])
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the joints released: light without, dark with the comparison of views")
    save(figure, PAGE.with_suffix(".png"))
