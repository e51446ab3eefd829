"""Lower what somebody handed over: read it, fold it, end it in thermometers. Every step is checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convert.lots.patches import scaled, scaled_batches
from convert.lowering.graphs.folding import fold_affines, settle_affines
from convert.lowering.graphs.handed import Ending, Handed
from convert.lowering.graphs.means import convolve_means
from convert.lowering.graphs.read import read_graph
from convert.lowering.passes.head import head_of, in_bands
from convert.lowering.program import MatMul, Program, Reshape
from convert.lowering.running import run

_REWRITES = (("fold-affines", fold_affines), ("settle-affines", settle_affines), ("convolve-means", convolve_means))
Scores = NDArray[np.float64]


class Step(NamedTuple):
    """A step's name, the program after it, and its scores of the sample."""

    name: str
    program: Program
    scores: Scores


def lowering_steps(handed: Handed, sample: NDArray[np.uint8]) -> Iterator[Step]:
    """The program after each step, and its p_defect (n,) of the sample (n, height, width, slices).

    Raises ConfigError as ``read_graph`` does.
    """
    program = read_graph(handed)
    yield Step("read", program, logit_scores(program, handed.ending, sample))
    for name, rewrite in _REWRITES:
        program = rewrite(program)
        yield Step(name, program, logit_scores(program, handed.ending, sample))


def shaken_difference(handed: Handed, sample: NDArray[np.uint8]) -> float:
    """How far p_defect moves when every input is off by the last bit of a float32: what float32 itself is worth here.

    Of most networks nothing; a deep one whose layers amplify shows it.
    """
    inputs = scaled(sample)
    shaken = np.nextafter(inputs, np.random.default_rng(0).choice(np.array([0, 2], np.float32), inputs.shape))
    scores = [np.asarray(handed.p_defect(values), np.float64) for values in (inputs, shaken)]
    return float(np.abs(scores[0] - scores[1]).max())


def logit_scores(program: Program, ending: Ending, patches: NDArray[np.uint8]) -> Scores:
    """p_defect of a program that gives logits still."""
    of_logits = replace(ending, reading="logits")
    parts = [np.asarray(of_logits.p_defect(run(program, inputs)), np.float64) for inputs in scaled_batches(patches, 32)]
    return np.concatenate(parts)


def with_thermometers(program: Program, ending: Ending) -> Program:
    """With bands of the defect logit, or of each defect class's, in place of logits (n, k)."""
    last, margins = program.ops[-1], _margins(ending)
    ops, matrices = list(program.ops), list(program.matrices)
    if isinstance(last, MatMul) and last.activation == "linear":
        inputs, before = last.inputs, matrices[last.matrix].astype(np.float64)
        bias = np.zeros(len(before)) if last.bias is None else last.bias.astype(np.float64)
        ops.pop()
    else:
        ops.append(Reshape(f"{last.name}/flat", (len(ops) - 1,)))
        inputs, before = (len(ops) - 1,), np.eye(margins.shape[1])
        bias = np.zeros(len(before))
    head = head_of(ending.defects)
    matrix, offsets = in_bands(head, margins @ before, margins @ bias)
    ops.append(MatMul("thermometer", inputs, len(matrices), offsets, "relu6"))
    return replace(program, ops=tuple(ops), matrices=(*matrices, matrix), head=head)


def _margins(ending: Ending) -> NDArray[np.float64]:
    """(defect classes, outputs): by how much each one's logit exceeds that of normal."""
    if ending.single:
        return np.array([[-1.0 if ending.normal else 1.0]])
    identity = np.eye(len(ending.classes))
    chosen = [ending.classes.index(name) for name in ending.defects]
    return identity[chosen] - identity[ending.normal]
