"""What a number of labelled joints is worth: points of a learning curve, and what a proof still lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Literal

import msgspec

from convert.conversion.gate import upper_bound

Start = Literal["reference", "scratch"]
BOUND = 0.05
"""The share of escapes that a plant usually asks a proof for."""
_FLAT, _TELLING = 0.005, 30


class Learnt(msgspec.Struct, frozen=True):
    """One training: from where, on how many joints, and what it came to on the held-out lot.

    ``fpr``: false positive rate at the threshold by which 95 % of the held-out defects are called.
    """

    start: Start
    joints: int
    defects: int
    seed: int
    auroc: float
    fpr: float


def mean_of(learnt: Sequence[Learnt], start: Start) -> dict[int, tuple[float, float]]:
    """AUROC and false positive rate by number of joints, means over seeds."""
    sizes = sorted({one.joints for one in learnt if one.start == start})
    found = {}
    for size in sizes:
        some = [one for one in learnt if (one.start, one.joints) == (start, size)]
        found[size] = fmean(one.auroc for one in some), fmean(one.fpr for one in some)
    return found


def meaning(learnt: Sequence[Learnt], held_out: int) -> Iterator[str]:
    """The curve in words; nothing where there is none. ``held_out``: defects that it was measured on."""
    ours, scratch = mean_of(learnt, "reference"), mean_of(learnt, "scratch")
    if not ours:
        return
    most, least = max(ours), min(ours)
    yield (
        f"from the reference: AUROC {ours[least][0]:.4f} with {least} joints, {ours[most][0]:.4f} with {most}; "
        f"false positive rate at 95 % recall {ours[most][1]:.4f}"
    )
    if scratch:
        few = f"{scratch[min(scratch)][0]:.4f} with {min(scratch)} joints, " if len(scratch) > 1 else ""
        yield f"from scratch: AUROC {few}{scratch[max(scratch)][0]:.4f} with {max(scratch)}"
    sizes = sorted(ours)
    if len(sizes) > 1:
        gain = ours[sizes[-1]][0] - ours[sizes[-2]][0]
        more = "more joints of the same kind will change little" if gain < _FLAT else "more joints will still help"
        if held_out < _TELLING:
            more = f"measured on {held_out} held-out defects, which are too few to say whether more joints help"
        yield f"from {sizes[-2]} to {sizes[-1]} joints AUROC changed by {gain:+.4f}: {more}"


def lacking(defects: int, escaped: int, bound: float = BOUND) -> str:
    """How many held-out defects a proof of the bound still lacks, at 95 % confidence (Clopper and Pearson)."""
    now = upper_bound(escaped, defects)
    said = f"{escaped} of {defects} held-out defects escape: at most {100 * now:.1f} % do, at 95 % confidence"
    if now <= bound:
        return f"{said}; {100 * bound:.0f} % are proved"
    needed = defects
    while upper_bound(escaped, needed) > bound:
        needed += 1
    return f"{said}; proving {100 * bound:.0f} % takes {needed - defects} defects more, none of them escaping"
