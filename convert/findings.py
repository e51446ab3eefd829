"""What a build found out, step by step; the report is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from convert.flatfile import OperationCount
from convert.gate import Check
from convert.layer_errors import LayerError
from convert.lowering.layers import Network
from convert.lowering.lower import Rewrite
from convert.parity import AtPoint, Measured
from convert.quality.figures import Agreement
from convert.rank_choice import RankTried
from edge.core.card import GradeScale, Quantisation


class RuntimeFigures(msgspec.Struct, frozen=True):
    """One runtime over the evaluation lot, a joint at a time: ``model_mb`` is what loading and running added."""

    name: str
    median_ms: float
    peak_mb: float
    model_mb: float
    identical: bool


@dataclass
class Findings:
    """What is known so far; a build fills it in step by step."""

    bundle: str
    refused: str = ""
    lots: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)
    ranks: tuple[RankTried, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    lowering_difference: float | None = None
    disagreement: dict[str, float] = field(default_factory=dict)
    operations: tuple[OperationCount, ...] = ()
    problems: tuple[str, ...] = ()
    model_bytes: int = 0
    runtimes: tuple[RuntimeFigures, ...] = ()
    layers: tuple[LayerError, ...] = ()
    quantisation: Quantisation | None = None
    reason: str = ""
    """Why runtimes may differ, where they may."""
    evaluation: Measured | None = None
    points: tuple[AtPoint, ...] = ()
    grades: Agreement | None = None
    """Of a network that grades, which has no operating points."""
    scale: GradeScale | None = None
    network: Network | None = None
    """The same, as it was read: its fuzzy sets and rules can be shown."""
    gate: tuple[Check, ...] = ()
