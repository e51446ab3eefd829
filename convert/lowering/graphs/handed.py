"""A network that somebody hands over, whatever it is made of: how it is called, and how its output is read.

Its output is one of: probabilities of normal and of each defect class (softmax), the probability of a defect
(sigmoid), or the logits of either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from convert.lowering.graphs.frozen import Node
from edge.core.card import NORMAL

Reading = Literal["probabilities", "logits"]


@dataclass(frozen=True)
class Ending:
    """How outputs (n, k) are read: as probabilities or logits, of these ``classes``.

    ``single``: there is one value, that of the second class; there are two classes all the same.
    """

    reading: Reading
    classes: tuple[str, ...]
    single: bool = False

    @property
    def normal(self) -> int:
        """Which of several values is normal's."""
        return self.classes.index(NORMAL)

    @property
    def defects(self) -> tuple[str, ...]:
        """The defect classes, in the output's order."""
        return tuple(name for name in self.classes if name != NORMAL)

    def p_defect(self, outputs: Any) -> Any:
        """Of a float32 tensor of outputs (n, k), as a tensor (n,)."""
        import tensorflow as tf

        probabilities = self.reading == "probabilities"
        if self.single:
            share = outputs[:, 0] if probabilities else tf.sigmoid(outputs[:, 0])
            return 1 - share if self.normal else share
        shares = outputs if probabilities else tf.nn.softmax(outputs)
        return 1 - shares[:, self.normal] if len(self.classes) > 2 else shares[:, 1 - self.normal]


@dataclass(frozen=True)
class Handed:
    """``call``: a batch (n, height, width, slices) in [0, 1] to outputs (n, k), float32.

    ``nodes``: what it does, traced once; ``layers``: names of the model's layers, where it has any, for refusals.
    """

    name: str
    input_shape: tuple[int, int, int]
    call: Callable[[Any], Any]
    ending: Ending
    nodes: tuple[Node, ...]
    layers: tuple[str, ...] = ()

    def p_defect(self, inputs: Any) -> Any:
        """A batch of inputs to a tensor (n,)."""
        return self.ending.p_defect(self.call(inputs))
