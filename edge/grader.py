"""One bundle, ready to judge: from a view's slices to the decision on a joint."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue

from edge.core.card import ModelCard, Rule
from edge.core.decide import Decision, Output, decide
from edge.core.intake import prepared, shows
from edge.core.job import Roi
from edge.core.preprocess import Patch, Slices
from edge.core.verdict import Call, Reason
from edge.ports import Monotonic, Scorer

_REMEMBERED = 201


class Grader:
    """Decides joints with one bundle by one rule; from as many threads at once as it has scorers, and no more."""

    def __init__(self, card: ModelCard, rule: Rule, scorers: Sequence[Scorer], clock: Monotonic) -> None:
        self.card, self.rule = card, rule
        self._clock = clock
        self._free: SimpleQueue[Scorer] = SimpleQueue()
        for scorer in scorers:
            self._free.put(scorer)
        self._spent_s: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def score_ms(self) -> float:
        """What the model alone took for a joint, median of the last ones; 0 before there was one."""
        return 1e3 * statistics.median(self._spent_s) if self._spent_s else 0.0

    def decision(self, slices: Slices, roi: Roi) -> Decision:
        """Decide one joint; ``slices`` are as the card's preprocessing wants them."""
        if not shows(self.card.preprocess, roi, next(iter(slices.values()))):
            return Decision(Call.UNJUDGED, Reason.ROI_OUTSIDE)
        patch, doubt = prepared(self.card.preprocess, slices, roi)
        if doubt is not None:
            return Decision(Call.UNJUDGED, doubt)
        return decide(self._run(patch), self.card.quantisation, self.rule)

    def _run(self, patch: Patch) -> Output:
        scorer = self._free.get()
        started = self._clock()
        try:
            output = scorer.run(patch)
            self._spent_s.append(self._clock() - started)
            return output
        finally:
            self._free.put(scorer)
