"""Figures, drawn with matplotlib without a screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("Agg")

from matplotlib import pyplot as plt

from convert.layer_errors import LayerError, most_costly

if TYPE_CHECKING:
    from convert.evaluation.figures import Evaluation
    from convert.parity import AtPoint, Measured
    from convert.rank_choice import RankTried
    from convert.simulator.gallery import Shown, Strip
    from convert.train import Epoch

INK = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d6a9f", "#edae49", "#5c6b73")


def save(figure: Any, path: Path) -> None:
    """Lay a figure of diagrams out and write it."""
    figure.tight_layout()
    _write(figure, path, dpi=110)


def _write(figure: Any, path: Path, dpi: int) -> None:
    """As PNG, the same bytes for the same figure."""
    figure.savefig(path, dpi=dpi, metadata={"Software": None})
    plt.close(figure)


def draw_history(path: Path, history: Sequence[Epoch]) -> None:
    """Loss and validation AUROC by epoch."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    epochs = [epoch.epoch for epoch in history]
    left.plot(epochs, [epoch.loss for epoch in history], "o-", color=INK[0], label="training (balanced)")
    left.plot(epochs, [epoch.validation_loss for epoch in history], "s--", color=INK[1], label="validation")
    left.set(xlabel="epoch", ylabel="cross-entropy")
    left.legend(frameon=False)
    right.plot(epochs, [epoch.validation_auroc for epoch in history], "o-", color=INK[2])
    right.set(xlabel="epoch", ylabel="AUROC, unseen board types")
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.xaxis.get_major_locator().set_params(integer=True)
    save(figure, path)


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
    axes.set_title(
        f"{evaluation.test.joints} joints of {len(evaluation.test.board_types)} unseen board types", fontsize=10
    )
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


def draw_calibration(path: Path, evaluation: Evaluation) -> None:
    """Share of defects against mean score."""
    figure, axes = plt.subplots(figsize=(5.4, 4.8))
    for colour, model in zip(cycle(INK), evaluation.models, strict=False):
        axes.plot(
            [one.mean_score for one in model.calibration],
            [one.defects.value for one in model.calibration],
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


def draw_classes(path: Path, shown: Sequence[Shown]) -> None:
    """Joints as the network sees them, a row each, in two columns of rows."""
    slices = max(one.slices for one in shown)
    rows = [
        _Row(
            one.patch[..., : one.slices],
            f"{one.joint.truth}\nfill {one.joint.solder.fill:.0%}\n"
            f"gas {one.joint.solder.void_share(one.kind):.0%}\n{one.kind.name}",
        )
        for one in shown
    ]
    figure = _joint_rows(rows, slices, (1.35 * (2 * slices + 1.6), 1.38), size=8)
    figure.subplots_adjust(left=0.09, right=0.995, top=0.995, bottom=0.005, wspace=0.04, hspace=0.04)
    _write(figure, path, dpi=80)


class _Row(NamedTuple):
    """A joint's slices (size, size, n) and what stands to their left."""

    slices: NDArray[np.uint8]
    label: str


def _joint_rows(rows: Sequence[_Row], slices: int, inches: tuple[float, float], size: int) -> Any:
    """A joint a row, in two columns of rows; ``inches``: the figure's width, and a row's height."""
    half = -(-len(rows) // 2)
    figure, grid = plt.subplots(half, 2 * slices + 1, figsize=(inches[0], inches[1] * half), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, one in enumerate(rows):
        row, first = number % half, (number // half) * (slices + 1)
        for index in range(one.slices.shape[-1]):
            grid[row, first + index].imshow(one.slices[..., index], cmap="gray", vmin=0, vmax=255)
        left = grid[row, first]
        left.text(-0.08, 0.5, one.label, transform=left.transAxes, ha="right", va="center", size=size)
    return figure


def draw_strips(path: Path, strips: Sequence[Strip]) -> None:
    """One view a board type with its boxes and labels, in two columns."""
    from matplotlib.patches import Rectangle

    half = -(-len(strips) // 2)
    figure, grid = plt.subplots(half, 2, figsize=(15, 2.75 * half))
    for axes, strip in zip(grid.T.flat, strips, strict=False):
        axes.imshow(strip.image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(strip.kind.name, fontsize=9, loc="left", pad=2)
        axes.set_axis_off()
        for joint in strip.joints:
            box, colour = joint.roi, INK[0] if joint.roi_right else INK[1]
            label = {"fc": colour, "ec": "none", "pad": 1.5}
            size = (box.xmax - box.xmin, box.ymax - box.ymin)
            axes.add_patch(Rectangle((box.xmin, box.ymin), *size, fill=False, ec=colour, lw=1))
            axes.text(
                box.xmin, box.ymin - 3, joint.truth.value[0].upper(), color="white", size=8, va="bottom", bbox=label
            )
    for axes in grid.T.flat[len(strips) :]:
        axes.set_axis_off()
    figure.tight_layout(pad=0.4)
    _write(figure, path, dpi=70)


_END = 1e-5


def draw_parity(path: Path, measured: Measured, points: Sequence[AtPoint]) -> None:
    """Score against score on the logit scale, and how their difference is spread away from the ends of the scale."""
    keras, ours = (np.log(clipped / (1 - clipped)) for clipped in map(_inside, (measured.keras, measured.tflite)))
    apart = (ours - keras)[_is_inside(measured.keras) & _is_inside(measured.tflite)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4))
    for label, colour, name in ((0, INK[0], "normal"), (1, INK[1], "defect")):
        chosen = measured.lot.labels == label
        left.plot(keras[chosen], ours[chosen], ".", color=colour, ms=3, alpha=0.6, label=name)
    for point in points:
        at = float(np.log(point.threshold / (1 - point.threshold))) if 0 < point.threshold < 1 else 0.0
        left.axhline(at, color="#9aa5ab", lw=0.8, ls="--")
        left.axvline(at, color="#9aa5ab", lw=0.8, ls="--")
        left.annotate(
            point.name, (at, 0.98), (3, 0), ("data", "axes fraction"), "offset points", rotation=90, va="top", size=7
        )
    left.set(xlabel="defect logit, Keras", ylabel="defect logit, converted")
    left.legend(frameon=False)
    right.hist(apart, bins=60, color=INK[5])
    right.set(xlabel="defect logit, converted less Keras", ylabel="joints")
    beyond = len(keras) - len(apart)
    right.set_title(f"standard deviation {np.std(apart):.3f}; {beyond} joints beyond the scale left out", fontsize=9)
    for axes in (left, right):
        axes.grid(alpha=0.25)
    save(figure, path)


def _inside(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without the ends, where the converted score stops at the end of its scale."""
    return np.clip(scores, _END, 1 - _END)


def _is_inside(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (scores > _END) & (scores < 1 - _END)


def draw_flipped(path: Path, measured: Measured, positions: NDArray[np.int64]) -> None:
    """Joints as the network sees them, with truth and both scores, in two columns of rows."""
    patches = measured.lot.take(positions)
    slices, rows = patches.shape[-1], []
    for i, patch in zip(positions, patches, strict=True):
        about, scores = measured.lot.rows[i], f"{measured.keras[i]:.4f} → {measured.tflite[i]:.4f}"
        label = f"{about.job_id}\n{about.joint}\n{about.truth}\n{scores}"
        rows.append(_Row(patch[..., : about.slices], label))
    figure = _joint_rows(rows, slices, (1.2 * (2 * slices + 2.4), 1.25), size=7)
    figure.subplots_adjust(left=0.1, right=0.995, top=0.99, bottom=0.01, wspace=0.04, hspace=0.06)
    _write(figure, path, dpi=80)


def draw_ranks(path: Path, tried: Sequence[RankTried]) -> None:
    """Rank against AUROC, size and time; the whole network as a dashed line, the chosen rank in red."""
    ranks = [one for one in tried if one.rank is not None]
    whole = next(one for one in tried if one.rank is None)
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.4))
    for axes, (label, value) in zip(panels, _RANK_PANELS.items(), strict=True):
        axes.plot([one.rank for one in ranks], [value(one) for one in ranks], "o-", color=INK[0], ms=5)
        axes.plot([o.rank for o in ranks if o.chosen], [value(o) for o in ranks if o.chosen], "o", color=INK[1], ms=9)
        axes.axhline(value(whole), color="#9aa5ab", lw=1, ls="--")
        axes.set_xscale("log", base=2)
        axes.set_xticks([one.rank for one in ranks], [str(one.rank) for one in ranks])
        axes.minorticks_off()
        axes.set(xlabel="rank (dashed: whole matrices; red: chosen)", ylabel=label)
        axes.grid(alpha=0.25)
    save(figure, path)


_RANK_PANELS: dict[str, Callable[[RankTried], float]] = {
    "AUROC on validation": lambda one: one.auroc,
    "file, MB": lambda one: one.model_bytes / 1e6,
    "ms a joint": lambda one: one.median_ms,
}


def draw_layer_errors(path: Path, layers: Sequence[LayerError]) -> None:
    """Signal-to-noise ratio along the network, and what each operation by itself does to the logit."""
    figure, axes = plt.subplots(1, 2, figsize=(11, max(2.5, 0.2 * len(layers))), sharey=True)
    worst = {one.name for one in most_costly(layers, 5)}
    colours = [INK[1] if one.name in worst else INK[0] for one in layers]
    places = range(len(layers))
    axes[0].barh(places, [min(one.snr_db, 80.0) for one in layers], color=INK[0])
    axes[0].set_yticks(places, [one.name for one in layers], fontsize=7)
    axes[0].set(xlabel="signal-to-noise ratio against float32, dB\n(with what earlier operations spoilt)")
    axes[1].barh(places, [one.logit for one in layers], color=colours)
    axes[1].set(xlabel="moves the reading by itself\n(red: most; pools and float operations move it little or not)")
    axes[1].locator_params(axis="x", nbins=5)
    for one in axes:
        one.grid(alpha=0.25, axis="x")
        one.margins(y=0.01)
    axes[0].invert_yaxis()
    save(figure, path)
