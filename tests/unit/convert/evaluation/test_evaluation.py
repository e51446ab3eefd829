"""The tables say what the scores say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from convert.evaluation.defects import Evaluation, Scored, evaluate
from convert.evaluation.paper import PAPER
from convert.evaluation.recorded import load_recorded, save_recorded
from convert.lots.lot import LabelledLot
from convert.lots.patches import PatchFiles
from convert.lots.truth import TruthRow
from convert.metrics.defects import auroc
from convert.reports.defect_tables import SIMULATED, all_tables
from convert.reports.evaluation import as_json, write_report
from edge.core.errors import ConfigError, UsageError

CLASSES = ("normal", "normal", "normal", "insufficient", "normal", "voided", "normal", "missing")


def a_lot(name: str, types: tuple[str, ...], count: int = 240) -> LabelledLot:
    rows = tuple(
        TruthRow(
            job_id=f"{name}-{i}",
            joint=f"J1.{i}",
            board_type=types[i % len(types)],
            truth=CLASSES[i % 8],
            label=int(CLASSES[i % 8] != "normal"),
            fill=0.8,
            void_share=0.0,
            slices=4 + (i % 9 == 0),
            roi_right=int(i % 4 != 0),
            disputed=int(i % 5 == 0),
        )
        for i in range(count)
    )
    patches = np.zeros((count, 2, 2, 6), np.uint8)
    return LabelledLot(name, f"sha256:{name}", PatchFiles([lambda: patches], [count]), np.arange(count), rows)


VALIDATION, TEST = a_lot("validation", ("MB-1", "MB-2")), a_lot("test", ("MB-3", "MB-4", "MB-5"))


def scores_of(lot: LabelledLot, power: float, seed: int) -> np.ndarray:
    logits = power * (2 * lot.labels - 1) + np.random.default_rng(seed).normal(size=len(lot.labels))
    return 1 / (1 + np.exp(-logits))


SEEDS = ((0.4, 9), (1.2, 10), (1.0, 11))
"""How well each model tells defects, and the noise of its test scores."""


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    models = [
        Scored(name, "made up", scores_of(VALIDATION, power, seed), scores_of(TEST, power, seed + 9))
        for seed, (name, power) in enumerate((("baseline", 0.4), ("cnn3d", 1.2), ("cnn-lstm-factorised", 1.0)))
    ]
    return evaluate(VALIDATION, TEST, models)


def test_rates_are_those_of_the_scores(evaluation: Evaluation) -> None:
    scores = scores_of(TEST, 1.2, 10)
    model = evaluation.models[1]
    assert model.auroc_test.value == auroc(scores, TEST.labels)
    assert model.auroc_test.low < model.auroc_test.value < model.auroc_test.high
    for line in model.at_thresholds:
        called = scores >= line.threshold
        assert line.test.recall.hits == int((called & (TEST.labels == 1)).sum())
        assert line.test.false_positive_rate.hits == int((called & (TEST.labels == 0)).sum())
    recalls = [line.test.recall.value for line in model.at_thresholds]
    assert recalls == sorted(recalls, reverse=True), "a lower threshold gives more recall"


def test_thresholds_are_chosen_on_validation_only(evaluation: Evaluation) -> None:
    for model in evaluation.models:
        for chosen in model.chosen:
            assert chosen.validation.recall.value >= chosen.target_recall
            released = chosen.test.false_positive_rate.total - chosen.test.false_positive_rate.hits + chosen.escapes
            assert chosen.saved.hits == released


def test_groups_cover_every_joint_once(evaluation: Evaluation) -> None:
    for model in evaluation.models:
        for kind in ("class", "slices", "ROI", "fill", "board type"):
            assert sum(group.joints for group in model.groups if group.kind == kind) == len(TEST.rows)
        assert sum(score_bin.defects.total for score_bin in model.calibration) == len(TEST.rows)


def test_board_types_are_told_apart_and_weigh_up_to_the_whole(evaluation: Evaluation) -> None:
    for model, scores in zip(evaluation.models, (scores_of(TEST, power, seed) for power, seed in SEEDS), strict=True):
        for spread, chosen in zip(model.spread, model.chosen, strict=True):
            assert [one.board_type for one in spread.types] == ["MB-3", "MB-4", "MB-5"]
            for one in spread.types:
                defects = (TEST.board_types == one.board_type) & (TEST.labels == 1)
                assert one.recall == pytest.approx(np.mean(scores[defects] >= chosen.threshold))
            mean = np.mean([one.recall for one in spread.types])  # types have as many defects each
            assert mean == pytest.approx(chosen.test.recall.value)


def test_a_board_type_of_few_joints_does_not_count() -> None:
    few = a_lot("few", ("MB-8", "MB-9"), 120)
    scores = scores_of(few, 1.2, 1)
    found = evaluate(VALIDATION, few, [Scored("cnn3d", "", scores_of(VALIDATION, 1.2, 2), scores)])
    assert all(len(spread.types) < 2 for spread in found.models[0].spread)


def test_disputed_joints_are_left_out_beside(evaluation: Evaluation) -> None:
    clear = np.array([row.disputed == 0 for row in TEST.defect_rows])
    for model, (power, seed) in zip(evaluation.models, SEEDS, strict=True):
        assert model.clear is not None
        assert model.clear.joints == int(clear.sum())
        assert model.clear.auroc.value == auroc(scores_of(TEST, power, seed)[clear], TEST.labels[clear])


def test_the_papers_figures_stand_in_a_column_of_their_own(evaluation: Evaluation) -> None:
    tables = {table.title: table for table in all_tables(evaluation)}
    five = tables["cnn3d by threshold (the paper's Table V)"]
    assert five.heading[-1] == "paper (their real data, not comparable)"
    assert five.rows[0][-1] == "0.9795, 0.4204; 0.9200, 0.4240"
    assert len(PAPER["cnn-lstm"].by_threshold) == 5
    six = tables["cnn-lstm-factorised by threshold (the paper's Table VI)"]
    assert six.rows[-1][-1].endswith("0.8261, 0.1362")
    assert tables["baseline by threshold"].heading[-1] == "FPR, test"  # the paper has no such model


def test_the_report_is_whole_in_every_form(evaluation: Evaluation, tmp_path: Path) -> None:
    written = write_report(evaluation, tmp_path)
    assert {path.name for path in written} == {
        *("evaluation.md", "evaluation.html", "evaluation.json"),
        *("roc.png", "recall-by-class.png", "by-board-type.png", "calibration.png"),
    }
    assert all(path.stat().st_size > 1000 for path in written)
    text, page = (tmp_path / "evaluation.md").read_text(), (tmp_path / "evaluation.html").read_text()
    for table in all_tables(evaluation):
        assert table.title in text
        for row in table.rows:
            assert "| " + " | ".join(row) + " |" in text
    assert SIMULATED in text
    assert page.count("<table>") == page.count("</table>") == len(all_tables(evaluation))
    assert set(re.findall(r'src="([^"]+)"', page)) == {
        *("roc.png", "recall-by-class.png", "by-board-type.png", "calibration.png"),
    }
    decoded = msgspec.json.decode(as_json(evaluation), type=Evaluation)
    assert decoded.models[1].auroc_test == evaluation.models[1].auroc_test
    assert json.loads(as_json(evaluation))["schema"] == "axi-evaluation/1"


def test_the_same_scores_draw_the_same_figures_byte_for_byte(evaluation: Evaluation, tmp_path: Path) -> None:
    first, second = write_report(evaluation, tmp_path / "a"), write_report(evaluation, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_lots_that_would_flatter_are_refused() -> None:
    with pytest.raises(UsageError, match="share board type MB-1"):
        evaluate(VALIDATION, a_lot("test", ("MB-1", "MB-9")), [])
    normals = VALIDATION.subset(np.flatnonzero(VALIDATION.labels == 0), "normals")
    with pytest.raises(UsageError, match="one class only"):
        evaluate(normals, TEST, [])


def test_recorded_scores_belong_to_their_joints(tmp_path: Path) -> None:
    scores = scores_of(TEST, 1.0, 3)
    save_recorded(tmp_path / "m.npz", {TEST.truth_digest: scores})
    recorded = load_recorded(tmp_path / "m.npz")
    np.testing.assert_allclose(recorded.of(TEST), scores, atol=1e-7)
    with pytest.raises(UsageError, match="no scores of the joints of validation"):
        recorded.of(VALIDATION)
    (tmp_path / "m.npz").write_bytes(b"no archive")
    with pytest.raises(ConfigError, match="not readable"):
        load_recorded(tmp_path / "m.npz")
