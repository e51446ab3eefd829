"""From a model's output to a decision. Doubt goes to the specialist; nothing is normal by default."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.core.card import Quantisation
from edge.core.familiarity import Familiarity, Features
from edge.core.rules import ClassesHead, Rule
from edge.core.verdict import Call, Decision, Reason

Output = NDArray[np.uint8] | NDArray[np.int8] | NDArray[np.float32]


class Answer(NamedTuple):
    """What a model gives for one joint: raw ``output`` (1, n), and raw ``features`` (1, f) where it gives any."""

    output: Output
    features: Features | None = None


def decide_familiar(
    answer: Answer, quantisation: Quantisation, rule: Rule, familiarity: Familiarity | None
) -> Decision:
    """``decide``; but of a joint that looks like none that the model was made for only the score is said."""
    decision = decide(answer.output, quantisation, rule)
    if familiarity is None or not decision.scored:
        return decision
    known = answer.features is not None and familiarity.knows(answer.features)
    return decision if known else decision.doubted(Reason.UNFAMILIAR)


def decide(output: Output, quantisation: Quantisation, rule: Rule) -> Decision:
    """Read a model's raw output, shape (1, n) or (n,), and decide by the card's rule."""
    head, parts = quantisation.head, parts_of(output, quantisation)
    decision = rule.decision(head.score(head.reading(parts)))
    if isinstance(head, ClassesHead) and decision.scored and decision.call is not Call.NORMAL:
        return decision._replace(defect_class=head.likeliest(parts))
    return decision


def score_of(output: Output, quantisation: Quantisation) -> float:
    """p_defect, or the quality index, of the model's raw output, shape (1, n) or (n,)."""
    return quantisation.head.score(reading_of(output, quantisation))


def reading_of(output: Output, quantisation: Quantisation) -> float:
    """What the output shows: the defect logit of thermometers, the quality index of a Sugeno head."""
    return quantisation.head.reading(parts_of(output, quantisation))


def parts_of(output: Output, quantisation: Quantisation) -> list[float]:
    """What each of the head's parts shows.

    One product after another in a fixed order, so equal outputs give equal readings on every machine.
    """
    info, head = quantisation.output, quantisation.head
    floats = info.dtype == "float32"
    values = output.ravel().tolist() if floats else (output.ravel().astype(np.int64) - info.zero_point).tolist()
    bands = len(values) // head.parts
    weights, unit = head.weights(bands), 1.0 if floats else info.scale
    return [
        head.start + unit * sum(map(mul, weights, values[first : first + bands]))
        for first in range(0, bands * head.parts, bands)
    ]


def supported(joint_type: str, card_types: Sequence[str]) -> bool:
    """Was the model made for this type of joint? Compared without regard to case."""
    return joint_type.casefold() in {known.casefold() for known in card_types}
