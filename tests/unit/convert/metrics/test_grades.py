"""The quality index: experts, figures, the network's shape, its exact lowering, and its gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convert.conversion.gate import require_passed
from convert.conversion.grades import grade_checks
from convert.conversion.parity import Measured
from convert.conversion.recipe import BudgetSection
from convert.lots.graded_truth import GradedRow, target_of
from convert.lowering.lower import USUAL_PASSES, lower_checked, network_scores, program_scores
from convert.lowering.read import read_network
from convert.metrics.grades import Agreement, agreement, grades_of, recognition, thresholds
from convert.networks.neurofuzzy import neurofuzzy, spec_of
from convert.networks.scoring import quality_index
from convert.reports.grade_tables import degrees, partition_of, rules_table
from convert.simulator.optical.experts import BOUNDARIES, DISAGREEMENT_BAND, disputed, grade_at, majority, votes_on
from edge.core.errors import ConfigError, GateRefused, UsageError
from edge.core.features import FeatureSpec
from edge.core.fillet import FEATURES
from edge.core.grades import GRADES, RELEASED, grade_of
from tests.support.builders import make_quality_card

SPEC = FeatureSpec(ranges=((0.0, 1.0),) * len(FEATURES))
SCALE = make_quality_card().grades
assert SCALE is not None
indices = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def row(grade: str, *, disputed: int = 0, number: int = 0) -> GradedRow:
    return GradedRow("L", f"U1.{number}", "OB-1", grade, 0.5, (grade,) * 5, disputed)


def random_network(seed: int) -> Any:
    """Untrained, but with sets and rules that are not as they began, and all of the coordinate in use."""
    model, rng = neurofuzzy(SPEC, seed=seed), np.random.default_rng(seed)
    model.set_weights([get_weight + rng.normal(0, 0.3, get_weight.shape) for get_weight in model.get_weights()])
    return model


def random_levels(seed: int, joints: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (joints, 1, 1, len(FEATURES))).astype(np.uint8)


@given(st.floats(0, 1), st.integers(0, 999))
def test_experts_disagree_only_near_a_boundary_and_the_majority_is_what_most_say(solder: float, seed: int) -> None:
    votes = votes_on(solder, np.random.default_rng(seed))
    said = majority(votes)
    assert abs(GRADES.index(said) - GRADES.index(grade_at(solder))) <= 1
    assert target_of(votes) == pytest.approx(np.mean([GRADES.index(vote) / 4 for vote in votes]))
    if min(abs(solder - boundary) for boundary in BOUNDARIES) > 5 * DISAGREEMENT_BAND:
        assert set(votes) == {said}
        assert not disputed(solder)


@given(indices, st.lists(st.floats(0.001, 0.999), min_size=4, max_size=4, unique=True).map(sorted))
def test_grades_of_many_are_those_of_each(values: list[float], between: list[float]) -> None:
    together = grades_of(np.array(values), between)
    assert [GRADES[grade] for grade in together] == [grade_of(value, between) for value in values]


def test_what_might_be_poor_is_poor_and_on_other_thresholds_the_grade_above() -> None:
    assert [grade_of(value, (0.2, 0.4, 0.6, 0.8)) for value in (0.2, 0.4, 0.6, 0.8)] == [
        GRADES[i] for i in (0, 2, 3, 4)
    ]
    assert set(GRADES) - set(RELEASED) == {"poor", "excessive"}


def test_thresholds_lie_midway_between_class_means() -> None:
    qi, grades = np.array([0.0, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0]), np.array([0, 0, 1, 2, 3, 4, 4])
    means, between = thresholds(qi, grades)
    np.testing.assert_allclose(means, [0.1, 0.3, 0.5, 0.7, 0.95])
    np.testing.assert_allclose(between, [0.2, 0.4, 0.6, 0.825])
    with pytest.raises(UsageError, match="no joint of grade good"):
        thresholds(qi, np.array([0, 0, 1, 1, 3, 4, 4]))
    with pytest.raises(UsageError, match="do not rise"):
        thresholds(qi[::-1], grades)


def test_recognition_by_hand() -> None:
    rows = [row("poor"), row("poor"), row("good", disputed=1), row("acceptable_excessive"), row("excessive")]
    found = recognition(np.array([0, 2, 1, 3, 3]), rows)
    assert (found.recognised.hits, found.recognised.total) == (2, 5)
    assert (found.outside.hits, found.outside.total) == (2, 4)
    assert found.ordinal_error == pytest.approx((0 + 2 + 1 + 0 + 1) / 5)
    assert (found.two_off, found.poor_as_good) == (1, 1)
    assert (found.recall.hits, found.recall.total) == (1, 3)
    assert (found.false_positive_rate.hits, found.false_positive_rate.total) == (0, 2)
    assert found.confusion[0] == (1, 0, 1, 0, 0)


@settings(max_examples=10)
@given(st.integers(0, 999))
def test_degrees_sum_to_one_and_the_index_never_falls_with_the_coordinate(seed: int) -> None:
    network = read_network(random_network(seed))
    sets, rules = partition_of(network)
    held = degrees(sets, np.linspace(-2, 3, 400).tolist())
    np.testing.assert_allclose(held.sum(axis=1), 1, atol=1e-6)
    assert held.min() >= 0
    index = held @ rules.consequents
    assert np.diff(index).min() >= -1e-6
    assert index.min() > 0
    assert index.max() < 1
    assert len(rules_table(network).rows) == len(GRADES)


@settings(max_examples=5)
@given(st.integers(0, 999))
def test_the_lowered_program_computes_the_very_index(seed: int) -> None:
    model, levels = random_network(seed), random_levels(seed)
    network = read_network(model)
    index = quality_index(model, levels.reshape(len(levels), -1).astype(np.float32) / 255)
    np.testing.assert_allclose(network_scores(network, levels), index, atol=1e-6)
    lowered = lower_checked(network, network_scores(network, levels), levels, USUAL_PASSES)
    np.testing.assert_allclose(program_scores(lowered.program, levels), index, atol=2e-6)
    assert [rewrite.name for rewrite in lowered.rewrites][-2:] == ["sugeno-head", "flatten"]


def test_a_saved_network_knows_how_its_features_are_measured(tmp_path: Any) -> None:
    model = random_network(3)
    model.save(tmp_path / "q.keras")
    again = keras.models.load_model(tmp_path / "q.keras")
    assert spec_of(again) == SPEC
    inputs = np.random.default_rng(0).random((8, len(FEATURES))).astype(np.float32)
    np.testing.assert_array_equal(quality_index(again, inputs), quality_index(model, inputs))


def test_a_network_of_features_without_rules_is_refused() -> None:
    plain = keras.Sequential([keras.Input((len(FEATURES),)), keras.layers.Dense(1)])
    with pytest.raises(ConfigError, match="must end in Dense"):
        read_network(plain)


def both_sides(keras_qi: Sequence[float], ours: Sequence[float], experts: Sequence[str]) -> tuple[Agreement, Measured]:
    rows = tuple(row(grade, number=i) for i, grade in enumerate(experts))
    lot: Any = type("Lot", (), {"rows": rows, "graded_rows": rows})
    measured = Measured(lot, np.array(keras_qi, np.float64), np.array(ours, np.float64))
    return agreement(measured.keras, measured.tflite, SCALE.thresholds, rows), measured


def checks(both: Agreement, measured: Measured, others: dict[str, NDArray[np.float64]] | None = None, **budget: float):
    return grade_checks(both, measured, others or {}, SCALE, BudgetSection(**budget))  # type: ignore[arg-type]


EVEN = [0.0, 0.25, 0.5, 0.75, 1.0] * 40


def test_the_gate_lets_a_faithful_conversion_pass() -> None:
    both, measured = both_sides(EVEN, EVEN, GRADES * 40)
    require_passed(checks(both, measured, {"other": measured.tflite}))
    assert (both.changed, both.jumps, both.largest_difference) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("at", "index", "budget", "says"),
    [
        (1, 0.7, {"max_flipped": 1.0, "max_recognition_drop": 1.0}, "two apart"),
        (0, 0.5, {"max_flipped": 1.0, "max_recognition_drop": 1.0}, "poor joints graded good"),
        (2, 0.7, {"max_flipped": 0.001}, "grades changed"),
        (2, 0.7, {"max_flipped": 1.0, "max_recognition_drop": 0.001}, "Recognition Rate drop"),
        (4, 0.8, {"max_flipped": 1.0, "max_recognition_drop": 1.0, "max_escape": 0.02}, "escape rate"),
    ],
)
def test_the_gate_refuses_each_harm(at: int, index: float, budget: dict[str, float], says: str) -> None:
    ours = [*EVEN]
    ours[at] = index
    both, measured = both_sides(EVEN, ours, GRADES * 40)
    with pytest.raises(GateRefused, match=says):
        require_passed(checks(both, measured, **budget))


def test_another_runtime_that_grades_otherwise_is_refused() -> None:
    both, measured = both_sides(EVEN, EVEN, GRADES * 40)
    moved = np.array(EVEN)
    moved[:10] += 0.13
    with pytest.raises(GateRefused, match="grades changed on other"):
        require_passed(checks(both, measured, {"other": moved}))


def test_ranges_travel_with_the_spec_as_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(SPEC), type=FeatureSpec) == SPEC
