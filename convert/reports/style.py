"""Figures, drawn with matplotlib without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("Agg")

from matplotlib import pyplot as plt

if TYPE_CHECKING:
    pass

INK = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d6a9f", "#edae49", "#5c6b73")


def save(figure: Any, path: Path) -> None:
    """Lay a figure of diagrams out and write it."""
    figure.tight_layout()
    write_png(figure, path, dpi=110)


def write_png(figure: Any, path: Path, dpi: int) -> None:
    """As PNG, the same bytes for the same figure."""
    figure.savefig(path, dpi=dpi, metadata={"Software": None})
    plt.close(figure)


class JointRow(NamedTuple):
    """A joint's slices (size, size, n) and what stands to their left."""

    slices: NDArray[np.uint8]
    label: str


def joint_rows(rows: Sequence[JointRow], slices: int, inches: tuple[float, float], size: int) -> Any:
    """A joint a row, in two columns of rows; ``inches``: the figure's width, and a row's height."""
    half = -(-len(rows) // 2)
    figure, grid = plt.subplots(half, 2 * slices + 1, figsize=(inches[0], inches[1] * half), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, joint in enumerate(rows):
        row, first = number % half, (number // half) * (slices + 1)
        for index in range(joint.slices.shape[-1]):
            grid[row, first + index].imshow(joint.slices[..., index], cmap="gray", vmin=0, vmax=255)
        left = grid[row, first]
        left.text(-0.08, 0.5, joint.label, transform=left.transAxes, ha="right", va="center", size=size)
    return figure
