"""What a build found out, as far as it came: the steps' own values, put together for the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convert.conversion.convert import Lowering, Measurement, Quantised
from convert.conversion.familiarity import Acquaintance
from convert.conversion.layer_errors import most_costly
from convert.conversion.parity import Measured
from convert.conversion.recipe import Recipe
from convert.conversion.source import Source
from convert.conversion.task import Decided, Task
from convert.lowering.graphs.handed import Handed
from convert.lowering.layers import Network
from edge.core.rules import OperatingPoint


@dataclass(frozen=True)
class Comparison:
    """Both sides on the evaluation lot, and what was decided by it: what a task has a part of the report to say of."""

    network: Network | Handed
    measured: Measured
    decided: Decided


@dataclass(frozen=True)
class Findings:
    """Each step is None where the build did not come so far. ``lots``: a sentence each; ``refused``: why, if it was."""

    bundle: str
    recipe: Recipe
    task: Task
    refused: str = ""
    lots: tuple[str, ...] = ()
    source: Source | None = None
    lowering: Lowering | None = None
    quantised: Quantised | None = None
    measurement: Measurement | None = None
    decided: Decided | None = None
    acquaintance: Acquaintance | None = None

    @property
    def comparison(self) -> Comparison | None:
        """None where the build did not come so far."""
        if self.source is None or self.measurement is None or self.decided is None:
            return None
        return Comparison(self.source.network, self.measurement.scored.evaluation, self.decided)

    @property
    def warnings(self) -> tuple[str, ...]:
        source = (self.source.doubt,) if self.source and self.source.doubt else ()
        lowering = self.lowering.warnings if self.lowering else ()
        useless = tuple(_useless(self.decided.points)) if self.decided is not None else ()
        return (*source, *lowering, *useless)

    @property
    def most_sensitive(self) -> str:
        """Which layer to look at first when an int8 file is refused."""
        if self.recipe.quantisation.scheme != "int8" or self.measurement is None or not self.measurement.layers:
            return ""
        (worst,) = most_costly(self.measurement.layers, 1)
        return (
            f"{worst.name} costs most, moving the reading by {worst.logit:.3f} by itself: "
            f'[quantisation] float = ["{worst.name}"] keeps it in float; float kernels of runtimes '
            "differ a little, which [quantisation] tolerance and reason must then allow"
        )


def _useless(points: Sequence[OperatingPoint]) -> Iterator[str]:
    """Where budgets hold emptily: a threshold that calls everything a defect loses none, and saves nobody any work."""
    for point in points:
        called = point.false_positive_rate
        if called.hits == called.total:
            yield (
                f"{point.name} calls all {called.total} good held-out joints defects: nothing would be released by it; "
                "train the network further, or on more joints"
            )
