"""By what a model's output becomes a decision: heads that say how to read it, and rules that decide on the reading."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from edge.core.grades import RELEASED, grade_of
from edge.core.logistic import Floats, probabilities, probability, together
from edge.core.verdict import Call, Decision, DefectClass, Reason, unjudged

TaskName = Literal["joint_defect", "joint_quality"]
Probability = Annotated[float, Meta(ge=0, le=1)]
Slug = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="of letters, digits and . _ -, 64 at most, the first no sign",
    ),
]


class Rate(Struct, frozen=True, kw_only=True):
    """A measured proportion ``hits`` / ``total`` with its two-sided 95 % Clopper-Pearson interval."""

    value: Probability
    low: Probability
    high: Probability
    hits: Annotated[int, Meta(ge=0)]
    total: Annotated[int, Meta(ge=1)]


class OperatingPoint(Struct, frozen=True, kw_only=True):
    """A joint is a defect when p_defect >= threshold; so a lower threshold gives more recall."""

    name: Slug
    threshold: Annotated[float, Meta(ge=0, lt=1)]
    measured_on: str
    recall: Rate
    false_positive_rate: Rate

    @property
    def thresholds(self) -> tuple[float, ...]:
        return (self.threshold,)

    def decision(self, p_defect: float) -> Decision:
        """What is not a probability is not judged."""
        if not 0.0 <= p_defect <= 1.0:  # NaN fails this comparison, as it should
            return unjudged(Reason.NOT_FINITE)
        call = Call.DEFECT if p_defect >= self.threshold else Call.NORMAL
        return Decision(call, p_defect=p_defect, threshold=self.threshold, operating_point=self.name)


class GradeScale(Struct, frozen=True, kw_only=True):
    """Where the grades of a quality index lie (``edge.core.grades``), and what a verdict by them is worth.

    ``thresholds``: th1 to th4, midway between the mean indices ``class_means`` of neighbouring classes; of training
    joints, on lot ``learnt_on``, alone (Acciani et al., 2009). ``recognised``: joints of lot ``measured_on`` that get
    the experts' grade; ``recall`` and ``false_positive_rate``: of poor and excessive joints as defects.
    """

    name: Slug = "midpoints"
    thresholds: tuple[Probability, Probability, Probability, Probability]
    class_means: tuple[Probability, Probability, Probability, Probability, Probability]
    learnt_on: str
    measured_on: str
    recognised: Rate
    recall: Rate
    false_positive_rate: Rate

    def decision(self, quality_index: float) -> Decision:
        """Good and the two acceptable grades are normal; what is not an index is not judged."""
        if not 0.0 <= quality_index <= 1.0:  # NaN fails this comparison, as it should
            return unjudged(Reason.NOT_FINITE)
        grade = grade_of(quality_index, self.thresholds)
        call = Call.NORMAL if grade in RELEASED else Call.DEFECT
        return Decision(call, operating_point=self.name, quality_index=quality_index, grade=grade)


_AT_THE_END = 1e-6
"""How far from the last reading is still at the end, for rounding's sake."""


class _Thermometers(Struct, frozen=True, kw_only=True):
    """Values that each cover an equal part of a range of logits [low, high], and fill up in turn from 0 to ``full``."""

    low: float
    high: float
    full: Annotated[float, Meta(gt=0)]

    task: ClassVar[TaskName] = "joint_defect"
    shows: ClassVar[str] = "logit"
    """What the output shows, in a word."""

    @property
    def start(self) -> float:
        """What a part shows when all its values are 0."""
        return self.low

    def weights(self, bands: int) -> Sequence[float]:
        """How far a part moves when each of its ``bands`` values grows by 1."""
        return [(self.high - self.low) / (bands * self.full)] * bands

    def score(self, reading: float) -> float:
        """p_defect; NaN for what is no number."""
        return probability(reading) if math.isfinite(reading) else math.nan

    def scores(self, readings: Floats) -> Floats:
        """p_defect of many, to within rounding."""
        return probabilities(readings)


class _OnePart:
    """A head whose values all show one reading."""

    __slots__ = ()
    parts: ClassVar[int] = 1
    """How many readings the output's values show, an equal share of them each, one after the other."""
    classes: ClassVar[tuple[str, ...]] = ()

    def reading(self, parts: Sequence[float]) -> float:
        """What the parts show together: there is one."""
        return parts[0]


class ThermometerHead(_OnePart, _Thermometers, frozen=True, kw_only=True, tag_field="kind", tag="thermometer"):
    """How the output tensor encodes the defect logit.

    The output's n values each cover one n-th of the logit range [low, high] and fill up in turn, from 0 to
    ``full``; so logit = low + (high - low) * sum(values) / (n * full), and p_defect = 1 / (1 + exp(-logit)).
    An int8 softmax would have 256 score levels; this has about 255 * n, in integer arithmetic throughout.
    """


class ClassesHead(_Thermometers, frozen=True, kw_only=True, tag_field="kind", tag="classes"):
    """How the output tensor encodes what kind of defect a joint has: a thermometer for each of ``classes``.

    Each shows, as a ``ThermometerHead`` does, by how much the class's logit exceeds that of normal: u_c. The odds of a
    defect are the sum of the classes' odds, so the defect logit is ln(sum exp(u_c)), and exp(u_c - logit) is the share
    of class c in p_defect.
    """

    classes: Annotated[tuple[Slug, ...], Meta(min_length=2)]

    @property
    def parts(self) -> int:
        return len(self.classes)

    def reading(self, parts: Sequence[float]) -> float:
        """The defect logit."""
        return together(parts)

    def likeliest(self, parts: Sequence[float]) -> DefectClass | None:
        """The class that has most of p_defect; none where several are at the end of the range, beyond telling apart."""
        most = max(parts)
        if sum(part >= self.high - _AT_THE_END for part in parts) > 1:
            return None
        return DefectClass(self.classes[parts.index(most)], math.exp(most - together(parts)))


class SugenoHead(_OnePart, Struct, frozen=True, kw_only=True, tag_field="kind", tag="sugeno"):
    """How the output tensor encodes a quality index: four ramps over a coordinate of solder amount.

    Each of the four values fills up from 0 to ``full`` between two neighbouring fuzzy sets, so the degrees of
    membership in the five are 1 - r1, r1 - r2, r2 - r3, r3 - r4 and r4, with r = value / full. Rule i concludes
    ``consequents[i]``, and the index is their mean, weighted by the degrees (zero-order Sugeno).
    """

    consequents: tuple[Probability, Probability, Probability, Probability, Probability]
    full: Annotated[float, Meta(gt=0)]

    task: ClassVar[TaskName] = "joint_quality"
    shows: ClassVar[str] = "quality index"
    """What the output shows, in a word."""

    @property
    def start(self) -> float:
        """The reading when all values are 0."""
        return self.consequents[0]

    def weights(self, bands: int) -> Sequence[float]:  # noqa: ARG002 - there are four
        """How far the reading moves when each of the four values grows by 1."""
        return [(after - before) / self.full for before, after in pairwise(self.consequents)]

    def score(self, reading: float) -> float:
        """The quality index is what is read."""
        return reading

    def scores(self, readings: Floats) -> Floats:
        return readings


Head = ThermometerHead | ClassesHead | SugenoHead
Rule = OperatingPoint | GradeScale
"""By what a model's output becomes a verdict."""
