"""Rewrites of programs that were read from graphs: each computes what was there before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from convert.lowering.graphs.folding import fold_affines, settle_affines
from convert.lowering.graphs.handed import Ending
from convert.lowering.graphs.lower import logit_scores, with_thermometers
from convert.lowering.graphs.means import convolve_means
from convert.lowering.lower import program_scores
from convert.lowering.program import (
    Affine,
    Conv2d,
    Depthwise,
    Elementwise,
    MatMul,
    Op,
    Pad,
    Program,
    Reduce,
    Reshape,
)
from convert.lowering.running import run
from edge.core.rules import ClassesHead, ThermometerHead

HEAD = ThermometerHead(low=-1.0, high=1.0, full=1.0)
rng = np.random.default_rng(4)
INPUTS = rng.random((3, 16, 12, 4), np.float32)


def weights(*shape: int) -> Any:
    return rng.normal(size=shape).astype(np.float32)


def affine(name: str, given: int, channels: int = 4) -> Affine:
    return Affine(name, (given,), rng.normal(size=channels), rng.normal(size=channels))


def conv(name: str, given: int, *, same: bool, stride: int = 1) -> Conv2d:
    return Conv2d(name, (given,), weights(3, 3, 4, 4), weights(4), "linear", (stride, stride), same)


def program(*ops: Op, matrices: tuple[Any, ...] = ()) -> Program:
    return Program((16, 12, 4), ops, matrices, HEAD)


def alike(before: Program, after: Program) -> bool:
    return np.allclose(np.asarray(run(before, INPUTS)), np.asarray(run(after, INPUTS)), rtol=2e-4, atol=2e-4)


def uniform(name: str, given: int) -> Affine:
    """Whose zeros are alike in all channels."""
    return Affine(name, (given,), np.full(4, 2.0), np.full(4, -0.7))


CASES: dict[str, tuple[Program, int]] = {
    "behind a convolution": (program(conv("c", -1, same=True), affine("n", 0)), 0),
    "behind a depthwise one": (program(Depthwise("d", (-1,), weights(3, 3, 4, 2), weights(8)), affine("n", 0, 8)), 0),
    "two of them": (program(affine("a", -1), affine("b", 0), conv("c", 1, same=False)), 0),
    "before a convolution that pads nothing": (program(affine("n", -1), conv("c", 0, same=False)), 0),
    "before one that pads, channels alike": (program(uniform("n", -1), conv("c", 0, same=True, stride=2)), 0),
    "before one that pads, channels unlike": (program(affine("n", -1), conv("c", 0, same=True)), 1),
    "of what two take": (program(affine("n", -1), conv("c", 0, same=False), conv("e", 0, same=False)), 1),
    "behind a product": (
        program(
            Reduce("m", (-1,), "mean", (1, 2), keep=False),
            MatMul("p", (0,), 0, None, "linear"),
            affine("n", 1, 5),
            matrices=(weights(5, 4),),
        ),
        0,
    ),
    "before a product": (
        program(
            Reduce("m", (-1,), "max", (1, 2), keep=False),
            affine("n", 0),
            MatMul("p", (1,), 0, weights(5), "relu"),
            matrices=(weights(5, 4),),
        ),
        0,
    ),
    "that does nothing": (program(Affine("n", (-1,), np.ones(4), np.zeros(4)), conv("c", 0, same=True)), 0),
    "at the end, behind arithmetic": (
        program(conv("c", -1, same=True), conv("e", -1, same=True), Elementwise("s", (0, 1), "add"), affine("n", 2)),
        1,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_folded_scale_and_shift_computes_the_same(case: str) -> None:
    before, left = CASES[case]
    folded = fold_affines(before)
    assert sum(isinstance(op, Affine) for op in folded.ops) == left
    assert alike(before, folded)
    settled = settle_affines(folded)
    assert not any(isinstance(op, Affine) for op in settled.ops)
    assert alike(before, settled)


def test_what_was_shifted_is_padded_with_what_became_zero() -> None:
    folded = fold_affines(CASES["before one that pads, channels alike"][0])
    (pad,) = (op for op in folded.ops if isinstance(op, Pad))
    assert pad.value == pytest.approx(0.35)


@pytest.mark.parametrize("shape", [(16, 12), (64, 64), (7, 7), (1, 1), (17, 17), (29, 29), (58, 58), (30, 60)])
@pytest.mark.parametrize("keep", [True, False])
def test_a_mean_is_the_same_as_a_convolution(shape: tuple[int, int], keep: bool) -> None:
    before = Program((*shape, 4), (Reduce("m", (-1,), "mean", (1, 2), keep),), (), HEAD)
    after = convolve_means(before)
    inputs = rng.random((2, *shape, 4), np.float32)
    assert np.allclose(np.asarray(run(before, inputs)), np.asarray(run(after, inputs)), atol=1e-6)
    assert not any(isinstance(op, Reduce) for op in after.ops)
    taps = [op.kernel.shape[0] * op.kernel.shape[1] for op in after.ops if isinstance(op, Depthwise)]
    assert max(taps, default=1) <= (29 if 29 in shape or 58 in shape else 25)


@pytest.mark.parametrize(
    "ending",
    [
        Ending("logits", ("normal", "defect")),
        Ending("logits", ("defect", "normal")),
        Ending("logits", ("normal", "defect"), single=True),
        Ending("logits", ("short", "normal", "voided", "missing")),
    ],
)
@pytest.mark.parametrize("dense", [True, False])
def test_thermometers_show_what_the_logits_say(ending: Ending, dense: bool) -> None:
    values = 1 if ending.single else len(ending.classes)
    ops: tuple[Op, ...] = (Reduce("m", (-1,), "mean", (1, 2), keep=False),)
    matrices: tuple[Any, ...] = (3 * weights(values, 4),)
    ops = (*ops, MatMul("p", (0,), 0, weights(values), "linear"))
    if not dense:
        ops = (*ops, Elementwise("t", (1,), "tanh"))
    before = Program((16, 12, 4), ops, matrices, HEAD)
    after = with_thermometers(before, ending)
    patches = (255 * INPUTS).astype(np.uint8)
    assert np.allclose(logit_scores(before, ending, patches), program_scores(after, patches), atol=1e-5)
    assert isinstance(after.head, ClassesHead) == (len(ending.classes) > 2)


def test_a_reshape_stays_a_reshape() -> None:
    before = program(Reshape("r", (-1,), (4, 48, 4)), replace(conv("c", 0, same=True)))
    assert alike(before, fold_affines(before))
