"""Tables of what quality indices are worth, for reports and the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convert.lowering.layers import Network, Partition, Sugeno
from convert.metrics.grades import Recognition
from convert.reports.pages import Table
from edge.core.grades import GRADES, in_words
from edge.core.rules import Rate

CONFUSION_NOTE = "Rows: what the experts' majority says. Columns: the grade given. Joints of the lot."


def confusion_table(title: str, one: Recognition) -> Table:
    rows = tuple(
        (in_words(grade), *(str(count) for count in counts))
        for grade, counts in zip(GRADES, one.confusion, strict=True)
    )
    return Table(title, CONFUSION_NOTE, ("experts", *map(in_words, GRADES)), rows)


def rules_table(network: Network) -> Table:
    """What a neurofuzzy network learnt: a rule a fuzzy set. Raises TypeError for another network."""
    sets, rules = partition_of(network)
    ends = ["-", *(f"{a:.3f} to {b:.3f}" for a, b in zip(sets.low, sets.high, strict=True)), "-"]
    rows = tuple(
        (in_words(grade), ends[i], ends[i + 1], f"{float(rules.consequents[i]):.3f}") for i, grade in enumerate(GRADES)
    )
    return Table(
        "Fuzzy sets and rules",
        "IF the solder is ... THEN the quality index is ...: zero-order Sugeno over the coordinate u of solder amount. "
        "A set's degree rises over the first range of u and falls over the second.",
        ("IF the solder is", "rises over u", "falls over u", "THEN the index is"),
        rows,
    )


def partition_of(network: Network) -> tuple[Partition, Sugeno]:
    """The fuzzy sets and rules that a network ends in."""
    *_, sets, rules = network.layers
    if not isinstance(sets, Partition) or not isinstance(rules, Sugeno):
        raise TypeError(f"{network.name}: has no fuzzy sets")
    return sets, rules


def degrees(sets: Partition, places: Sequence[float]) -> NDArray[np.float64]:
    """Degrees of membership at some places of the coordinate: (places, sets)."""
    u = np.asarray(places, np.float64)[:, np.newaxis]
    ramps = np.clip((u - sets.low) / (sets.high.astype(np.float64) - sets.low), 0, 1)
    ones, zeros = np.ones_like(u), np.zeros_like(u)
    held: NDArray[np.float64] = np.concatenate([ones, ramps], axis=1) - np.concatenate([ramps, zeros], axis=1)
    return held


def recognition_table(
    models: Sequence[tuple[str, str, Recognition | None, Recognition, int | None]], theirs: dict[str, float]
) -> Table:
    """A model a column, (name, note, on training joints, on test joints, unfamiliar); the seed's figures come last."""
    tests = [test for *_, test, _ in models]
    learnt = ["-" if model is None else _percent(model.recognised) for _, _, model, _, _ in models]
    unfamiliar = ["-" if model is None else str(model) for *_, model in models]
    rows = (
        ("training", *learnt, f"{theirs['training']:.2f}"),
        ("test", *(_percent(recognition.recognised) for recognition in tests), f"{theirs['test']:.2f}"),
        ("test, outside the band", *(_percent(recognition.outside) for recognition in tests), "-"),
        ("ordinal error, grades", *(f"{recognition.ordinal_error:.4f}" for recognition in tests), "-"),
        ("two grades off or more", *(str(recognition.two_off) for recognition in tests), "-"),
        ("poor as good or better", *(str(recognition.poor_as_good) for recognition in tests), "-"),
        ("recall", *(_percent(recognition.recall) for recognition in tests), "-"),
        ("false positive rate", *(_percent(recognition.false_positive_rate) for recognition in tests), "-"),
        ("unfamiliar", *unfamiliar, "-"),
        ("how", *(note for _, note, *_ in models), "Acciani et al. (2009), as printed; real joints, not comparable"),
    )
    return Table(
        "Recognition Rate, in per cent",
        "Joints that get the grade of the experts' majority, with Clopper's and Pearson's 95 % interval. Outside the "
        "band: without joints so near a class boundary that the experts themselves disagree. Recall and false positive "
        "rate, on the test lot: of poor and excessive joints, as defects. Unfamiliar: test joints that the device "
        "leaves to the specialist, too many of their features lying beyond what training joints showed; they are "
        "counted above.",
        ("", *(name for name, *_ in models), "their data"),
        rows,
    )


def _percent(rate: Rate) -> str:
    return f"{100 * rate.value:.2f} ({100 * rate.low:.2f} to {100 * rate.high:.2f}; {rate.hits}/{rate.total})"
