"""The model card ``axi-card/1``: everything the device needs to know about a model, and how it was measured.

Round trip: for every ``ModelCard`` c, ``parse_card(encode_card(c)) == c``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from edge.core.errors import BundleRefused
from edge.core.familiarity import Familiarity
from edge.core.features import FeatureSpec
from edge.core.fillet import FEATURES
from edge.core.grades import GRADES
from edge.core.intake import Spec
from edge.core.rules import (
    ClassesHead,
    GradeScale,
    Head,
    OperatingPoint,
    Rule,
    Slug,
    SugenoHead,
    TaskName,
    ThermometerHead,
)
from edge.core.wording import in_words

SCHEMA = "axi-card/1"
NORMAL = "normal"
"""The one class that is no defect."""
NORMAL_NAMES = frozenset({NORMAL, "good", "ok", "pass"})
"""What other people's tables call it."""

_MIDWAY = 1e-6
"""How far a threshold may be off the middle, for rounding's sake."""

Digest = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$", description="sha256: and 64 of 0-9 a-f")]


class TensorInfo(Struct, frozen=True, kw_only=True):
    """A tensor at the model's boundary; real value = scale * (stored - zero_point) for integer types."""

    dtype: Literal["uint8", "int8", "float32"]
    shape: tuple[int, ...]
    scale: float = 0.0
    zero_point: int = 0


Scheme = Literal["int8", "float32", "float16", "dynamic-range"]


class Quantisation(Struct, frozen=True, kw_only=True):
    """``replay_tolerance``: how far the reading of a golden joint (its defect logit, or its quality index) may be off
    on a runtime's fast kernels.

    ``float_layers``: operations of an int8 model that were left in float, by name. ``bit_identical``: whether the exact
    kernels of every runtime gave the same integers; where not, golden joints are held to ``replay_tolerance``.
    ``runtimes``: those the model was proved on; empty in cards of earlier versions. ``features``: the second output,
    pooled features that tell how familiar a joint looks; None where the model gives none. ``features_tolerance``: how
    far those of a golden joint, as they are stored, may be off.
    """

    scheme: Scheme
    input: TensorInfo
    output: TensorInfo
    head: Head
    replay_tolerance: Annotated[float, Meta(ge=0)] = 0.1
    float_layers: tuple[str, ...] = ()
    bit_identical: bool = True
    runtimes: tuple[str, ...] = ()
    features: TensorInfo | None = None
    features_tolerance: Annotated[float, Meta(ge=0)] = 0.0


class Accuracy(Struct, frozen=True, kw_only=True):
    """One figure: what was measured, on which data, by which side (``keras`` or ``tflite``)."""

    data: str
    metric: str
    side: Literal["keras", "tflite", "both"]
    value: float
    joints: int


class Lineage(Struct, frozen=True, kw_only=True):
    """Where the model came from: digests of the source model and data, the seed, the tools' versions.

    ``taught``: marks of joints that it learnt from or that its thresholds were chosen on, for who measures it.
    """

    source_model: str
    source_digest: Digest
    data: dict[str, str]
    seed: int
    tools: dict[str, str]
    created: str
    taught: str = ""


class ModelCard(Struct, frozen=True, kw_only=True):
    """``operating_points``: of a model that finds defects; ``grades``: of one that grades. ``familiarity``: what was
    learnt of the model's features; None where it gives none, as in cards of earlier versions.
    """

    schema: Literal["axi-card/1"]
    name: Slug
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$", description="three numbers such as 1.0.0")]
    task: TaskName
    network: str
    joint_types: tuple[str, ...]
    classes: tuple[str, ...]
    preprocess: Spec
    operating_points: tuple[OperatingPoint, ...] = ()
    default_operating_point: str = ""
    grades: GradeScale | None = None
    quantisation: Quantisation
    familiarity: Familiarity | None = None
    accuracy: tuple[Accuracy, ...]
    files: dict[str, Digest]
    lineage: Lineage

    def operating_point(self, name: str | None = None) -> OperatingPoint:
        """The named operating point, or the default. Raises BundleRefused naming those there are."""
        wanted = name or self.default_operating_point
        for point in self.operating_points:
            if point.name == wanted:
                return point
        known = ", ".join(point.name for point in self.operating_points)
        raise BundleRefused(f"card.json: operating point {wanted!r} is not in the card; it offers: {known or 'none'}")

    def rule(self, name: str | None = None) -> Rule:
        """By what its output is decided: its grades, or the named operating point. Raises BundleRefused."""
        if self.grades is None:
            return self.operating_point(name)
        if name and name != self.grades.name:
            raise BundleRefused(
                f"card.json: operating point {name!r} is not in the card; it grades, and offers: {self.grades.name}"
            )
        return self.grades

    def rules(self, most_permissive: str = "") -> tuple[Rule, ...]:
        """All by which it can be decided, the strictest first, up to the named one. Raises BundleRefused."""
        if self.grades is not None:
            return (self.grades,)
        points = sorted(self.operating_points, key=lambda point: point.threshold)
        limit = self.operating_point(most_permissive).threshold if most_permissive else 1.0
        return tuple(point for point in points if point.threshold <= limit)


def parse_card(raw: bytes, *, source: str = "card.json") -> ModelCard:
    """Decode a card. Raises BundleRefused naming the field."""
    try:
        card = msgspec.json.decode(raw, type=ModelCard)
    except msgspec.ValidationError as error:
        what, where = in_words(str(error), ModelCard)
        problem = f"{where}: {what}" if where else what
        raise BundleRefused(f"{source}: {problem}; rebuild the bundle with axi-convert build") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        remedy = "this is no bundle's card; name a folder that axi-convert build made"
        raise BundleRefused(f"{source}: {error}; {remedy}") from error
    for field, problem in _problems(card):
        raise BundleRefused(f"{source}: {field}: {problem}; rebuild the bundle with axi-convert build")
    return card


def _problems(card: ModelCard) -> Iterator[tuple[str, str]]:
    """What no type can say, and what would let a defect pass."""
    yield from _quality_problems(card) if card.task == "joint_quality" else _defect_problems(card)
    if not card.joint_types:
        yield "joint_types", "names no type, so no joint could be judged"
    if isinstance(card.preprocess, FeatureSpec):
        yield from _feature_problems(card.preprocess)
    shape = card.quantisation.input.shape
    if shape != (1, *card.preprocess.input_shape):
        yield "quantisation.input.shape", f"{list(shape)} does not fit the preprocessing"
    yield from _familiarity_problems(card)


def _familiarity_problems(card: ModelCard) -> Iterator[tuple[str, str]]:
    model, info = card.familiarity, card.quantisation.features
    if (model is None) != (info is None):
        yield "familiarity", "features and what was learnt of them go together; one is missing"
    elif model is not None and info is not None:
        if problem := model.problem():
            yield "familiarity", problem
        elif info.shape != (1, model.features):
            yield "quantisation.features.shape", f"{list(info.shape)} are not the {model.features} that were learnt of"


def _defect_problems(card: ModelCard) -> Iterator[tuple[str, str]]:
    head, names = card.quantisation.head, [point.name for point in card.operating_points]
    wanted = head.classes if isinstance(head, ClassesHead) else ("defect",)
    if card.classes != (NORMAL, *wanted):
        yield "classes", f"{list(card.classes)} are not {', '.join((NORMAL, *wanted))}, in this order"
    if len(set(wanted)) != len(wanted) or NORMAL in wanted:
        yield "quantisation.head.classes", "a class appears twice"
    if not names:
        yield "operating_points", "there is none, so nothing could be decided"
    if len(set(names)) != len(names):
        yield "operating_points", "a name appears twice"
    if card.default_operating_point not in names:
        offered = ", ".join(names) or "none"
        yield "default_operating_point", f"{card.default_operating_point!r} is not in the card; it offers: {offered}"
    if card.grades is not None:
        yield "grades", "a model that finds defects has operating points, not grades"
    if not isinstance(head, ThermometerHead | ClassesHead):
        yield "quantisation.head", "shows no defect logit"
    elif not head.low < head.high:
        yield "quantisation.head", "low must be below high"
    elif card.quantisation.output.shape[-1] % head.parts:
        yield "quantisation.output.shape", f"is not {head.parts} thermometers of one length"


def _quality_problems(card: ModelCard) -> Iterator[tuple[str, str]]:
    head, scale = card.quantisation.head, card.grades
    if card.classes != GRADES:
        yield "classes", f"{list(card.classes)} are not {', '.join(GRADES)}, in this order"
    if scale is None:
        yield "grades", "missing, so no index could be graded"
    else:
        yield from _scale_problems(scale)
    if card.operating_points:
        yield "operating_points", "a model that grades has grades, not operating points"
    if not isinstance(head, SugenoHead):
        yield "quantisation.head", "shows no quality index"
    elif not _rise(head.consequents):
        yield "quantisation.head", "consequents must rise"
    elif scale and not head.consequents[0] < scale.thresholds[0] < scale.thresholds[-1] < head.consequents[-1]:
        yield "grades.thresholds", "no index could be poor, or none excessive"
    elif card.quantisation.output.shape != (1, len(GRADES) - 1):
        yield "quantisation.output.shape", "is not four ramps"


def _scale_problems(scale: GradeScale) -> Iterator[tuple[str, str]]:
    if not _rise((0.0, *scale.thresholds, 1.0)):
        yield "grades.thresholds", f"{list(scale.thresholds)} do not rise between 0 and 1"
    if not _rise(scale.class_means):
        yield "grades.class_means", f"{list(scale.class_means)} do not rise"
    midway = [(low + high) / 2 for low, high in pairwise(scale.class_means)]
    if any(abs(threshold - other) > _MIDWAY for threshold, other in zip(scale.thresholds, midway, strict=True)):
        yield "grades.thresholds", f"{list(scale.thresholds)} do not lie midway between the class means"


def _feature_problems(spec: FeatureSpec) -> Iterator[tuple[str, str]]:
    if len(spec.ranges) != len(FEATURES):
        yield "preprocess.ranges", f"has {len(spec.ranges)} of {len(FEATURES)} features"
    if not all(math.isfinite(low) and math.isfinite(high) and low < high for low, high in spec.ranges):
        yield "preprocess.ranges", "a range is not a low below a high"


def _rise(values: Sequence[float]) -> bool:
    return all(low < high for low, high in pairwise(values))


def encode_card(card: ModelCard) -> bytes:
    """The card as indented UTF-8 JSON; these very bytes are what gets digested and signed."""
    return msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n"
