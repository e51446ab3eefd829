"""What a number of joints is worth, in words and figures."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from convert.conversion.gate import upper_bound
from convert.evaluation.learning import Learnt, lacking, mean_of, meaning


def learnt(start: str, joints: int, *values: float) -> list[Learnt]:
    return [Learnt(start, joints, 3, seed, value, 1 - value) for seed, value in enumerate(values)]  # type: ignore[arg-type]


CURVE = [
    *learnt("reference", 10, 0.8, 0.9),
    *learnt("reference", 100, 0.99, 0.99),
    *learnt("scratch", 100, 0.7, 0.6),
]


@given(st.integers(1, 300), st.integers(0, 20))
def test_the_defects_that_a_proof_lacks_are_as_many_as_it_takes(defects: int, escaped: int) -> None:
    escaped = min(escaped, defects)
    said = lacking(defects, escaped)
    more = re.search(r"takes (\d+) defects more", said)
    if upper_bound(escaped, defects) <= 0.05:
        assert said.endswith("5 % are proved")
        return
    assert more is not None
    needed = defects + int(more[1])
    assert upper_bound(escaped, needed) <= 0.05 < upper_bound(escaped, needed - 1)


def test_59_defects_none_escaping_prove_five_percent() -> None:
    assert lacking(5, 0) == (
        "0 of 5 held-out defects escape: at most 45.1 % do, at 95 % confidence; proving 5 % takes 54 defects more, "
        "none of them escaping"
    )


def test_a_curve_is_told_in_words() -> None:
    assert mean_of(CURVE, "reference")[100] == (0.99, 1 - 0.99)
    first, second, third = meaning(CURVE, 40)
    assert first.startswith("from the reference: AUROC 0.8500 with 10 joints, 0.9900 with 100")
    assert second == "from scratch: AUROC 0.6500 with 100"
    assert third == "from 10 to 100 joints AUROC changed by +0.1400: more joints will still help"
    assert list(meaning([], 40)) == []
    (_, flat) = meaning([*learnt("reference", 100, 0.99), *learnt("reference", 300, 0.991)], 40)
    assert flat.endswith("will change little")
    (*_, few) = meaning(CURVE, 4)
    assert few.endswith("measured on 4 held-out defects, which are too few to say whether more joints help")
