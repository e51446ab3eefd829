"""How much a result hangs on what was computed on the way to it: gradients, for every value at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def with_slopes(
    compute: Callable[[Any], tuple[list[Any], Any]], inputs: NDArray[np.float32]
) -> list[tuple[Values, Values]]:
    """Each value met on the way, and the slope of the result in it, summed over the joints.

    ``compute`` takes the joints as a tensor and gives (values met, result of each joint). Where the result does not
    hang on a value its slope is 0.
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        joints = tf.constant(inputs)
        tape.watch(joints)
        met, results = compute(joints)
        total = tf.reduce_sum(results)
    slopes = tape.gradient(total, met, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [
        (np.asarray(value, np.float64), np.asarray(slope, np.float64)) for value, slope in zip(met, slopes, strict=True)
    ]
