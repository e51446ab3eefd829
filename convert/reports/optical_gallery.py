"""The gallery of optical joints: by grade, and whole views, for an engineer's eye."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from convert.simulator.optical.board_type import OpticalType, optical_type
from convert.simulator.optical.experts import disputed, grade_at
from convert.simulator.optical.optics import Image
from convert.simulator.optical.view import OpticalView, simulate_optical_view
from edge.core.grades import GRADES, in_words
from edge.core.job import Roi
from edge.core.preprocess import crop_of

SEED = 2026
_TYPES = (0, 1, 2, 5, 11)
_MIDDLES = (0.1, 0.3, 0.5, 0.7, 0.9)
_STREAM = 0x6A12
_BOX = "#ffd166"
_LETTERS = "P poor, AP acceptable poor, G good, AE acceptable excessive, E excessive; ? experts disagree"
_SHORT = ("P", "AP", "G", "AE", "E")
PAGE = """# Gallery of simulated optical joints

Drawn by `axi-convert gallery`, all from board types of seed {seed}. Simulated: no real board is shown, and light,
shapes and experts are our reconstruction ([why](../decisions/0018-quality-index.md)).

## By grade

A row a board type, a joint a grade, each in the middle of its class, as the device cuts it out: the lead comes from
above, its toe points down. Look at the dark step at the lead's tip and how solder levels it out, at how far the bright
fillet runs over the pad, and at solder that climbs back over the lead.

![Joints by grade](optical-grades.png)

## Whole views

The boxes that the device is given, and each joint's grade by the amount of solder; a question mark where experts
disagree.

![Views](optical-views.png)

| type | picture | pitch | foot, toe, heel | pads | light: coaxial, ring, oblique | pixel |
|---|---|---|---|---|---|---|
{rows}
"""


def draw_optical_gallery(out: Path) -> list[Path]:
    """Write optical.md and its two pictures into ``out``; the same bytes each time on one machine."""
    out.mkdir(parents=True, exist_ok=True)
    kinds = [optical_type(SEED, number) for number in _TYPES]
    page, grades, views = (out / name for name in ("optical.md", "optical-grades.png", "optical-views.png"))
    _draw_grades(grades, kinds)
    _draw_views(views, kinds)
    page.write_text(PAGE.format(seed=SEED, rows="\n".join(map(_row, kinds))), "utf-8")
    return [page, grades, views]


def _row(kind: OpticalType) -> str:
    pads = "copper" if kind.copper_pads else "tinned"
    return (
        f"| {kind.name} | {'colour' if kind.colour else 'grey'} | {kind.pitch_mm:.2f} mm "
        f"| {kind.foot_mm:.2f}, {kind.toe_mm:.2f}, {kind.heel_mm:.2f} mm | {pads} "
        f"| {kind.coaxial:.2f}, {kind.ring:.2f}, {kind.oblique:.2f} | {1e3 * kind.pixel_mm:.1f} um |"
    )


def _draw_grades(path: Path, kinds: list[OpticalType]) -> None:
    """A row a board type, a joint a grade, each in the middle of its class."""
    figure, table = _figure(len(kinds), len(GRADES), 11, 2.25 * len(kinds) + 0.5)
    for row, kind in zip(table, kinds, strict=True):
        view = _view(kind, (0.5, *_MIDDLES, 0.5), 1)  # the outer two are neighbours only
        for axes, joint in zip(row, view.joints[1:-1], strict=True):
            _show(axes, _crop(view.image, joint.roi))
            axes.set_xlabel(f"solder {joint.state.solder:.1f}", fontsize=11)
        row[0].set_ylabel(f"{kind.name}\n{'colour' if kind.colour else 'grey'}", fontsize=13)
    for axes, grade in zip(table[0], GRADES, strict=True):
        axes.set_title(in_words(grade), fontsize=15)
    _save(figure, path)


def _draw_views(path: Path, kinds: list[OpticalType]) -> None:
    """Whole views with the boxes given to the device and each joint's grade."""
    figure, table = _figure(len(kinds), 1, 12, 3.3 * len(kinds))
    for axes, kind in zip(table, kinds, strict=True):
        amounts = np.random.default_rng([SEED, _STREAM]).permutation(np.linspace(0.05, 0.95, kind.leads))
        view = _view(kind, amounts.tolist(), 2)
        _show(axes, view.image)
        for joint in view.joints:
            _mark(axes, joint.roi, joint.state.solder)
        axes.set_title(f"{kind.name}. {_LETTERS}", fontsize=14, loc="left")
    _save(figure, path)


def _mark(axes: Any, roi: Roi, solder: float) -> None:
    """A joint's box and short grade, with a question mark where experts disagree."""
    from matplotlib.patches import Rectangle

    corner = (roi.xmin - 0.5, roi.ymin - 0.5)
    axes.add_patch(Rectangle(corner, roi.xmax - roi.xmin, roi.ymax - roi.ymin, fill=False, edgecolor=_BOX))
    text = _SHORT[GRADES.index(grade_at(solder))] + ("?" if disputed(solder) else "")
    axes.text((roi.xmin + roi.xmax) / 2, 2, text, color=_BOX, fontsize=15, ha="center", va="top")


def _view(kind: OpticalType, amounts: tuple[float, ...] | list[float], number: int) -> OpticalView:
    return simulate_optical_view(kind, amounts, np.random.default_rng([SEED, _STREAM, number]))


def _crop(image: Image, roi: Roi) -> Image:
    """What the device cuts out, unscaled."""
    seen = crop_of(roi, 1.0).inside(image.shape[1], image.shape[0])
    if seen is None:
        raise RuntimeError("a box outside its view")
    return image[seen.ymin : seen.ymax, seen.xmin : seen.xmax]


def _show(axes: Any, image: Image) -> None:
    grey = image.ndim == 2
    axes.imshow(image if grey else image[..., ::-1], cmap="gray" if grey else None, vmin=0, vmax=255)
    axes.set_xticks([])
    axes.set_yticks([])


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=80, metadata={"Software": None})


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    """A figure of so many axes, without a screen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns)
