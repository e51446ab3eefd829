"""The model card ``axi-card/1``: everything the device needs to know about a model, and how it was measured.

Round trip: for every ``ModelCard`` c, ``parse_card(encode_card(c)) == c``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from edge.core.errors import BundleRefused
from edge.core.preprocess import PreprocessSpec

SCHEMA = "axi-card/1"

Probability = Annotated[float, Meta(ge=0, le=1)]
Digest = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
Slug = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


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


class TensorInfo(Struct, frozen=True, kw_only=True):
    """A tensor at the model's boundary; real value = scale * (stored - zero_point) for integer types."""

    dtype: Literal["uint8", "int8", "float32"]
    shape: tuple[int, ...]
    scale: float = 0.0
    zero_point: int = 0


class ThermometerHead(Struct, frozen=True, kw_only=True, tag_field="kind", tag="thermometer"):
    """How the output tensor encodes the defect logit.

    The output's n values each cover one n-th of the logit range [low, high] and fill up in turn, from 0 to
    ``full``; so logit = low + (high - low) * sum(values) / (n * full), and p_defect = 1 / (1 + exp(-logit)).
    An int8 softmax would have 256 score levels; this has about 255 * n, in integer arithmetic throughout.
    """

    low: float
    high: float
    full: Annotated[float, Meta(gt=0)]


Scheme = Literal["int8", "float32", "float16", "dynamic-range"]


class Quantisation(Struct, frozen=True, kw_only=True):
    """``replay_tolerance``: how far the logit of a golden joint may be off on a runtime's fast kernels.

    ``float_layers``: operations of an int8 model that were left in float, by name. ``bit_identical``: whether the exact
    kernels of every runtime gave the same integers; where not, golden joints are held to ``replay_tolerance``.
    ``runtimes``: those the model was proved on; empty in cards of earlier versions.
    """

    scheme: Scheme
    input: TensorInfo
    output: TensorInfo
    head: ThermometerHead
    replay_tolerance: Annotated[float, Meta(ge=0)] = 0.1
    float_layers: tuple[str, ...] = ()
    bit_identical: bool = True
    runtimes: tuple[str, ...] = ()


class Accuracy(Struct, frozen=True, kw_only=True):
    """One figure: what was measured, on which data, by which side (``keras`` or ``tflite``)."""

    data: str
    metric: str
    side: Literal["keras", "tflite", "both"]
    value: float
    joints: int


class Lineage(Struct, frozen=True, kw_only=True):
    """Where the model came from: digests of the source model and data, the seed, the tools' versions."""

    source_model: str
    source_digest: Digest
    data: dict[str, str]
    seed: int
    tools: dict[str, str]
    created: str


class ModelCard(Struct, frozen=True, kw_only=True):
    schema: Literal["axi-card/1"]
    name: Slug
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$")]
    task: Literal["joint_defect", "joint_quality"]
    network: str
    joint_types: tuple[str, ...]
    classes: tuple[str, ...]
    preprocess: PreprocessSpec
    operating_points: Annotated[tuple[OperatingPoint, ...], Meta(min_length=1)]
    default_operating_point: str
    quantisation: Quantisation
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
        raise BundleRefused(f"card.json: operating point {wanted!r} is not in the card; it offers: {known}")


def parse_card(raw: bytes, *, source: str = "card.json") -> ModelCard:
    """Decode a card. Raises BundleRefused naming the field."""
    try:
        card = msgspec.json.decode(raw, type=ModelCard)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleRefused(f"{source}: {error}; rebuild the bundle with axi-convert build") from error
    card.operating_point()
    for field, problem in _problems(card):
        raise BundleRefused(f"{source}: {field}: {problem}; rebuild the bundle with axi-convert build")
    return card


def _problems(card: ModelCard) -> Iterator[tuple[str, str]]:
    """What no type can say, and what would let a defect pass."""
    if card.task != "joint_defect":
        yield "task", f"{card.task!r} is not served by this version"
    if card.classes != ("normal", "defect"):
        yield "classes", f"{list(card.classes)} are not normal and defect, in this order"
    if not card.joint_types:
        yield "joint_types", "names no type, so no joint could be judged"
    names = [point.name for point in card.operating_points]
    if len(set(names)) != len(names):
        yield "operating_points", "a name appears twice"
    if not card.quantisation.head.low < card.quantisation.head.high:
        yield "quantisation.head", "low must be below high"
    size, shape = card.preprocess.size, card.quantisation.input.shape
    if shape != (1, size, size, card.preprocess.channels):
        yield "quantisation.input.shape", f"{list(shape)} does not fit the preprocessing"


def encode_card(card: ModelCard) -> bytes:
    """The card as indented UTF-8 JSON; these very bytes are what gets digested and signed."""
    return msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n"
