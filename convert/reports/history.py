"""How training went, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import pyplot as plt

from convert.reports.grade_drawings import COLOURS
from convert.reports.style import INK, save
from convert.training.defects import Epoch


def draw_history(path: Path, history: Sequence[Epoch]) -> None:
    """Loss and validation AUROC by epoch."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    epochs = [epoch.epoch for epoch in history]
    left.plot(epochs, [epoch.loss for epoch in history], "o-", color=INK[0], label="training (balanced)")
    left.plot(epochs, [epoch.validation_loss for epoch in history], "s--", color=INK[1], label="validation")
    left.set(xlabel="epoch", ylabel="cross-entropy")
    left.legend(frameon=False)
    right.plot(epochs, [epoch.validation_auroc for epoch in history], "o-", color=INK[2])
    right.set(xlabel="epoch", ylabel="AUROC on the validation side")
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.xaxis.get_major_locator().set_params(integer=True)
    save(figure, path)


def draw_grade_history(path: Path, losses: Sequence[tuple[float, float]]) -> None:
    """Training and validation loss by epoch."""
    figure, axes = plt.subplots(figsize=(6, 3.4))
    epochs = range(1, len(losses) + 1)
    axes.semilogy(epochs, [loss for loss, _ in losses], color=COLOURS[3], label="training, with the coordinate's")
    axes.semilogy(epochs, [loss for _, loss in losses], "--", color=COLOURS[0], label="validation, quality index alone")
    axes.set(xlabel="epoch", ylabel="mean squared error")
    axes.legend(frameon=False)
    axes.grid(alpha=0.25, which="both")
    save(figure, path)
