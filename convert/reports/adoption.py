"""An adoption for people: what the lot proves and lacks, and the learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import pyplot as plt

from convert.evaluation.beside import Beside
from convert.evaluation.defects import Group
from convert.evaluation.learning import Learnt, Start, mean_of
from convert.reports.pages import Page, Picture, Table, write_page
from convert.reports.style import INK, save
from edge.core.rules import Rate

_FILE = "learning-curve.png"
_NAMES: dict[Start, str] = {"reference": "from the reference", "scratch": "from scratch"}


def write_adoption(
    folder: Path, words: Sequence[str], learnt: Sequence[Learnt], refused: str, tables: Sequence[Table] = ()
) -> Path:
    """Write ``adoption.md``, ``adoption.html`` and the curve into ``folder``; the HTML page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures: tuple[Picture, ...] = ()
    if learnt:
        draw_learning(folder / _FILE, learnt)
        pictures = (Picture(_FILE, "recognition on held-out joints against the number of labelled joints"),)
    verdict = refused or "The gate passed; report.html, beside this page, holds all that was measured."
    page = Page("Adoption", verdict, tuple(words), pictures, (*tables, *([_table(learnt)] if learnt else [])))
    return write_page(page, folder, "adoption")[1]


def by_type(ours: Beside, untouched: Beside) -> Table:
    """Board by board type: what was called of its defects, and of its good joints."""
    rows = tuple(
        (one.value, str(one.joints), *(_called(rate) for each in (one, other) for rate in _rates(each)))
        for one, other in zip(ours.types, untouched.types, strict=True)
    )
    note = (
        "Of each board type's held-out joints the share called a defect, at the default operating point; the "
        "network that comes with axi-edge untouched, at a threshold chosen on the same validation joints."
    )
    heading = ("board type", "joints", "defects called", "good called", "untouched: defects", "untouched: good")
    return Table("By board type", note, heading, rows)


def _rates(of: Group) -> tuple[Rate | None, Rate | None]:
    return of.recall, of.false_positive_rate


def _called(rate: Rate | None) -> str:
    return f"{rate.hits} of {rate.total}" if rate else "none"


def _table(learnt: Sequence[Learnt]) -> Table:
    rows = tuple(
        (_NAMES[start], str(size), f"{auroc:.4f}", f"{fpr:.4f}")
        for start in _NAMES
        for size, (auroc, fpr) in mean_of(learnt, start).items()
    )
    seeds = len({one.seed for one in learnt})
    note = f"Means over {seeds} draws of joints, short trainings of as many steps each, measured on the held-out lot."
    return Table("How much data is enough", note, ("network", "joints", "AUROC", "FPR at 95 % recall"), rows)


def draw_learning(path: Path, learnt: Sequence[Learnt]) -> None:
    """AUROC and false positive rate against joints: each training a dot, their means a line."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    for colour, start in zip(INK, _NAMES, strict=False):
        means = mean_of(learnt, start)
        some = [one for one in learnt if one.start == start]
        for axes, values, of in (
            (left, [one.auroc for one in some], 0),
            (right, [one.fpr for one in some], 1),
        ):
            axes.plot([one.joints for one in some], values, "o", color=colour, ms=3, alpha=0.5)
            axes.plot(list(means), [value[of] for value in means.values()], "-", color=colour, label=_NAMES[start])
    sizes = sorted({one.joints for one in learnt})
    left.set(ylabel="AUROC", ylim=(min(0.5, *(one.auroc for one in learnt)) - 0.02, 1.01))
    right.set(ylabel="false positive rate at 95 % recall", ylim=(-0.02, 1.02))
    for axes in (left, right):
        axes.set(xscale="log", xlabel="labelled joints")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8)
    save(figure, path)
