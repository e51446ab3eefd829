"""Figures of an evaluation of models that find defects."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from convert.evaluation.defects import Evaluation
from convert.reports.style import INK, save


def draw_roc(path: Path, evaluation: Evaluation) -> None:
    """ROC of every model on the test lot; a dot where the threshold for 90 % recall on validation falls."""
    figure, axes = plt.subplots(figsize=(6.2, 5.6))
    for colour, model in zip(cycle(INK), evaluation.models, strict=False):
        line = [(point.false_positive_rate, point.recall) for point in model.roc]
        label = f"{model.name}, AUROC {model.auroc_test.value:.4f}"
        axes.plot(*zip(*line, strict=True), color=colour, lw=1.6, label=label)
        at = model.chosen[0].test
        axes.plot(at.false_positive_rate.value, at.recall.value, "o", color=colour, ms=6)
    axes.plot([0, 1], [0, 1], ":", color="#9aa5ab", lw=1)
    axes.axhline(0.9, color="#9aa5ab", lw=0.8, ls="--")
    axes.set(xlabel="false positive rate", ylabel="recall", xlim=(0, 1), ylim=(0, 1.005))
    side = evaluation.test
    of = f" of {len(side.board_types)} board types" if side.board_types else ""
    axes.set_title(f"{side.joints} joints{of}, apart by {side.apart} from those thresholds come from", fontsize=10)
    axes.legend(frameon=False, loc="lower right")
    axes.grid(alpha=0.25)
    save(figure, path)


def draw_recall_by_class(path: Path, evaluation: Evaluation) -> None:
    """Recall by defect class with 95 % intervals, models side by side."""
    figure, axes = plt.subplots(figsize=(8, 3.8))
    classes = [group.value for group in evaluation.models[0].groups if group.kind == "class" and group.recall]
    width = 0.8 / len(evaluation.models)
    for number, (colour, model) in enumerate(zip(cycle(INK), evaluation.models, strict=False)):
        rates = {group.value: group.recall for group in model.groups if group.kind == "class" and group.recall}
        for place, name in enumerate(classes):
            rate = rates[name]
            x = place + (number - (len(evaluation.models) - 1) / 2) * width
            axes.bar(x, rate.value, width * 0.9, color=colour, label=model.name if place == 0 else None)
            axes.plot([x, x], [rate.low, rate.high], color="#1d2429", lw=1)
    axes.set_xticks(range(len(classes)), classes)
    axes.set(ylabel="recall", ylim=(0, 1.02))
    axes.axhline(0.9, color="#9aa5ab", lw=0.8, ls="--")
    axes.legend(frameon=False, fontsize=8, ncols=len(evaluation.models), loc="upper center", bbox_to_anchor=(0.5, 1.15))
    save(figure, path)


def draw_by_board_type(path: Path, evaluation: Evaluation) -> None:
    """Every board type a dot, behind it the quarters: recall and FPR at the threshold for recall 0.95 on validation."""
    models = evaluation.models[::-1]  # the first on top
    figure, both = plt.subplots(1, 2, figsize=(9, 1.2 + 0.5 * len(models)), sharey=True)
    rng = np.random.default_rng(0)
    for number, (colour, model) in enumerate(zip(cycle(INK[: len(models)][::-1]), models, strict=False)):
        types = next(spread.types for spread in model.spread if spread.target_recall == 0.95)
        for axes, rates in zip(
            both, ([one.recall for one in types], [one.false_positive_rate for one in types]), strict=True
        ):
            if rates:
                first, median, third = np.quantile(rates, (0.25, 0.5, 0.75))
                axes.barh(number, third - first, 0.6, first, color=colour, alpha=0.25)
                axes.plot([median, median], [number - 0.3, number + 0.3], color=colour, lw=1.6)
            axes.plot(rates, number + rng.uniform(-0.2, 0.2, len(rates)), "o", color=colour, ms=3.5, alpha=0.8)
    both[0].set_yticks(range(len(models)), [model.name for model in models])
    both[0].axvline(0.95, color="#9aa5ab", lw=0.8, ls="--")
    both[0].set(xlabel="recall of a board type", xlim=(0, 1.01))
    both[1].set(xlabel="false positive rate of a board type", xlim=(-0.01, 1))
    for axes in both:
        axes.grid(alpha=0.25, axis="x")
    save(figure, path)


def draw_calibration(path: Path, evaluation: Evaluation) -> None:
    """Share of defects against mean score."""
    figure, axes = plt.subplots(figsize=(5.4, 4.8))
    for colour, model in zip(cycle(INK), evaluation.models, strict=False):
        axes.plot(
            [score_bin.mean_score for score_bin in model.calibration],
            [score_bin.defects.value for score_bin in model.calibration],
            "o-",
            color=colour,
            ms=4,
            lw=1.2,
            label=model.name,
        )
    axes.plot([0, 1], [0, 1], ":", color="#9aa5ab", lw=1)
    axes.set(xlabel="mean p_defect", ylabel="share of defects", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.25)
    save(figure, path)
