"""One bundle, ready to judge: from a view's slices to the decision on a joint."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue

from edge.core.card import ModelCard
from edge.core.clocks import Monotonic
from edge.core.decide import Answer, decide_familiar
from edge.core.job import Roi
from edge.core.preprocess import Patch, Slices
from edge.core.rules import Rule
from edge.core.verdict import Decision, Reason, unjudged
from edge.judging.ports import Scorer

_REMEMBERED = 201


class Decider:
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
        if not self.card.preprocess.shows(roi, next(iter(slices.values()))):
            return unjudged(Reason.ROI_OUTSIDE)
        patch, doubt = self.card.preprocess.prepared(slices, roi)
        if doubt is not None:
            return unjudged(doubt)
        card = self.card
        return decide_familiar(self._run(patch), card.quantisation, self.rule, card.familiarity)

    def _run(self, patch: Patch) -> Answer:
        scorer = self._free.get()
        started = self._clock()
        try:
            answer = scorer.run(patch)
            self._spent_s.append(self._clock() - started)
            return answer
        finally:
            self._free.put(scorer)
