"""The tables of an evaluation, as rows of text: one form that Markdown, HTML and the terminal share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from convert.evaluation.defects import TARGET_RECALLS, Chosen, Evaluation, Group, ModelFigures, Side
from convert.evaluation.paper import CAPTION, PaperModel, paper_model
from convert.reports.pages import Table, interval, share, trimmed

PAPER_COLUMN = f"paper ({CAPTION})"
_MOST_LISTED = 12
"""Board types that are named one by one."""


def all_tables(evaluation: Evaluation) -> list[Table]:
    """In the order of the paper, then what the paper lacks."""
    tables = [
        _summary(evaluation),
        *(_by_threshold(model) for model in evaluation.models),
        _chosen(evaluation),
        *([_spread(evaluation)] if has_spread(evaluation) else []),
        *(_groups(evaluation, kind) for kind in _kinds(evaluation)),
        *(_calibration(model) for model in evaluation.models),
    ]
    return [trimmed(table) for table in tables]


def has_spread(evaluation: Evaluation) -> bool:
    """Are there board types with enough joints to say something of each?"""
    return any(line.types for model in evaluation.models for line in model.spread)


def _named(of_paper: bool, table: str) -> str:  # noqa: FBT001
    return f" (the paper's {table})" if of_paper else ""


def _is_of_the_paper(evaluation: Evaluation) -> bool:
    """Is one of the paper's own networks among the models?"""
    return any(paper_model(model.name) for model in evaluation.models)


def _summary(evaluation: Evaluation) -> Table:
    """Table VIII."""
    rows = []
    for model in evaluation.models:
        paper = paper_model(model.name)
        rows.append(
            (
                model.name,
                interval(model.auroc_validation),
                interval(model.auroc_test),
                *map(share, model.fpr_at_recall.values()),
                _without_disputed(model),
                f"AUROC {paper.auroc:.4f}, FPR {paper.fpr_at_90:.4f} and {paper.fpr_at_95:.4f}" if paper else "-",
                model.note,
            )
        )
    of_paper = _is_of_the_paper(evaluation)
    contradiction = "The paper's figures for its LSTM contradict its own Table VI. " if of_paper else ""
    return Table(
        "Overall performance" + _named(of_paper, "Table VIII"),
        "AUROC with its 95 % interval, DeLong's, or Clopper's and Pearson's where no two joints are out of order; FPR "
        f"where the test lot itself has the recall named, its interval for that threshold. {contradiction}All "
        "intervals take joints as independent; joints of one view share its exposure and boxes, so the truth is "
        "somewhat wider.",
        (
            "model",
            "AUROC, validation",
            "AUROC, test",
            *(f"FPR at {100 * recall:.0f} % recall" for recall in TARGET_RECALLS),
            "without disputed joints: AUROC; FPR at 95 % recall",
            PAPER_COLUMN,
            "scores",
        ),
        tuple(rows),
    )


def _without_disputed(model: ModelFigures) -> str:
    if model.clear is None:
        return "-"
    return f"{interval(model.clear.auroc)}; {share(model.clear.fpr_at_recall['0.95'])}"


def _by_threshold(model: ModelFigures) -> Table:
    """Tables V and VI."""
    paper = paper_model(model.name)
    rows = tuple(
        (
            f"{line.threshold:.1f}",
            share(line.validation.recall),
            share(line.validation.false_positive_rate),
            share(line.test.recall),
            share(line.test.false_positive_rate),
            _paper_row(paper, line.threshold),
        )
        for line in model.at_thresholds
    )
    named = f" (the paper's Table {paper.table})" if paper else ""
    return Table(
        f"{model.name} by threshold{named}",
        "A joint is called a defect where p_defect >= threshold. 95 % intervals after Clopper and Pearson.",
        ("threshold", "recall, validation", "FPR, validation", "recall, test", "FPR, test", PAPER_COLUMN),
        rows,
    )


def _paper_row(paper: PaperModel | None, threshold: float) -> str:
    if paper is None:
        return "-"
    row = paper.by_threshold[threshold]
    return f"{row.validation_recall:.4f}, {row.validation_fpr:.4f}; {row.test_recall:.4f}, {row.test_fpr:.4f}"


def _chosen(evaluation: Evaluation) -> Table:
    """Table VII."""
    rows = tuple(
        (
            model.name,
            f"{line.target_recall:.2f}",
            f"{line.threshold:.4f}",
            share(line.test.recall),
            share(line.test.false_positive_rate),
            share(line.saved),
            f"{line.escapes} of {line.test.recall.total}",
            f"{line.escapes_per_thousand:.1f}",
            _paper_choice(model, line),
        )
        for model in evaluation.models
        for line in model.chosen
    )
    of_paper = _is_of_the_paper(evaluation)
    counted = "; the paper's 0.6651 counts normal joints only (1 - FPR at 90 % recall)." if of_paper else "."
    return Table(
        "Threshold chosen on validation, applied to the test lot" + _named(of_paper, "Table VII"),
        f"Work saved: flagged joints released without a specialist, escapes (defects among them) included{counted}",
        (
            "model",
            "target recall",
            "threshold",
            "recall",
            "FPR",
            "work saved",
            "escapes",
            "escapes per 1,000 joints",
            PAPER_COLUMN,
        ),
        rows,
    )


def _spread(evaluation: Evaluation) -> Table:
    rows = tuple(
        (
            model.name,
            f"{line.target_recall:.2f}",
            f"{len(line.types)} of {line.all_types}" if line.all_types > len(line.types) else str(len(line.types)),
            _quarters([one.recall for one in line.types]),
            _quarters([one.false_positive_rate for one in line.types]),
        )
        for model in evaluation.models
        for line in model.spread
        if line.types
    )
    return Table(
        "How board types differ at the threshold chosen on validation",
        "Recall and FPR of single board types of the test lot: least, lower quarter, median, upper quarter, greatest. "
        "A threshold is one for all types, and the weakest type pays for it. Types with fewer than 20 joints of either "
        "class are not counted here, good or bad.",
        ("model", "target recall", "board types", "recall", "FPR"),
        rows,
    )


def _quarters(rates: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in np.quantile(rates, (0, 0.25, 0.5, 0.75, 1))) if rates else "-"


def _paper_choice(model: ModelFigures, line: Chosen) -> str:
    paper = paper_model(model.name)
    if paper is None or not math.isclose(line.target_recall, 0.90):
        return "-"
    return f"at {paper.chosen_threshold:.2f}: recall {paper.chosen_recall:.4f}, FPR {paper.chosen_fpr:.4f}"


_WHAT = {
    "class": ("Recall by defect class, FPR of normal joints", "class"),
    "slices": ("By number of slices", "slices"),
    "ROI": ("By the machine's box", "ROI"),
    "fill": ("By distance from the fill limit", "vertical fill"),
    "board type": ("By board type", "board type"),
}


def _kinds(evaluation: Evaluation) -> list[str]:
    """The kinds of groups that the lot's truth tells apart, in the order of ``_WHAT``."""
    there = {group.kind for model in evaluation.models for group in model.groups}
    return [kind for kind in _WHAT if kind in there]


def _groups(evaluation: Evaluation, kind: str) -> Table:
    title, heading = _WHAT[kind]
    by_value: dict[str, list[Group]] = {}
    for model in evaluation.models:
        for group in model.groups:
            if group.kind == kind:
                by_value.setdefault(group.value, []).append(group)
    rows = tuple(
        (value, str(groups[0].joints), *(_group_cell(group) for group in groups)) for value, groups in by_value.items()
    )
    return Table(
        title,
        "Recall and FPR on the test lot, at each model's threshold for recall 0.90 on validation.",
        (heading, "joints", *(model.name for model in evaluation.models)),
        rows,
    )


def _group_cell(group: Group) -> str:
    parts = []
    if group.recall:
        parts.append(f"recall {share(group.recall)}")
    if group.false_positive_rate:
        parts.append(f"FPR {share(group.false_positive_rate)}")
    return ", ".join(parts)


def _calibration(model: ModelFigures) -> Table:
    rows = tuple(
        (
            f"{score_bin.low:.1f} to {score_bin.high:.1f}",
            f"{score_bin.mean_score:.3f}",
            share(score_bin.defects),
            str(score_bin.defects.total),
        )
        for score_bin in model.calibration
    )
    return Table(
        f"Calibration of {model.name}",
        f"Expected calibration error {model.expected_calibration_error:.4f}. Models are trained on as many defects as "
        "normals, so on this population p_defect is too high: use it as a score, with a chosen threshold.",
        ("p_defect", "mean p_defect", "share of defects", "joints"),
        rows,
    )


def lots(evaluation: Evaluation) -> Iterator[str]:
    """One sentence a lot, and one for each model that passed its gate on it."""
    for use, side in (
        ("Thresholds are chosen on", evaluation.validation),
        ("Figures are measured on", evaluation.test),
    ):
        yield (
            f"{use} {side.name}: {side.joints} joints, {side.defects} of them defects, {_listed(side.board_types)}"
            f"{_less(side)} ({side.digest})."
        )
    for model in evaluation.models:
        if model.gated:
            yield f"The gate of {model.name} was tried on this lot; figures for the world need one that no gate saw."


def caution(evaluation: Evaluation) -> str:
    """What these figures do not say: of models that knew the joints, of simulated ones, of a line's own."""
    test = evaluation.test
    seen = [f"{model.taught} taught {model.name}" for model in evaluation.models if model.taught]
    if seen:
        return (
            f"Of the {test.joints} joints of {test.name} at least {', at least '.join(seen)}, or chose its thresholds: "
            "figures on joints that a model knew before prove nothing. Measure on a lot that it never saw."
        )
    return SIMULATED if evaluation.test.simulated else REAL


SIMULATED = (
    "Simulated joints: their scores say how models compare with each other, not how any of them would do on a real "
    "line, and they are not comparable to the paper's."
)
REAL = "Figures hold for joints like these, of these machines and board types; of others they say little."


def _less(side: Side) -> str:
    """What figures do not say of boards that are new."""
    less = f", kept apart by {side.apart} only: nothing is said of new board types"
    return "" if side.apart == "board type" else less


def _listed(types: Sequence[str]) -> str:
    """Board types by name, where there are few."""
    if not types:
        return "of board types that nobody named"
    if len(types) > _MOST_LISTED:
        return f"of {len(types)} board types, {types[0]} to {types[-1]}"
    return f"board types {', '.join(types)}"
