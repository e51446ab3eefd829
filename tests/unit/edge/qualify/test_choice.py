"""What is chosen was proved, whole, and within what people want."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.errors import ConfigError
from edge.core.qualification import Proved
from edge.qualify.choice import Arrangement, Wanted, arrangements, best, kernels_to_use
from tests.support.qualified import proved

ALL = [proved(), proved("exact"), proved("reference")]


def test_fast_kernels_that_passed_are_chosen() -> None:
    assert kernels_to_use(ALL, Wanted()) == ("litert", "fast")


def test_kernels_that_somebody_decided_on_stay() -> None:
    assert kernels_to_use(ALL, Wanted(kernels="exact")) == ("litert", "exact")


def test_the_faster_runtime_is_chosen_and_another_only_where_it_is_named() -> None:
    other = proved(runtime="tflite-runtime", joints_per_s=100.0)
    assert kernels_to_use([other, *ALL], Wanted()) == ("litert", "fast")
    assert kernels_to_use([other, *ALL], Wanted("tflite-runtime")) == ("tflite-runtime", "fast")


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ([proved(problem="9 of 500 decisions are others")], "9 of 500 decisions are others"),
        ([proved(joints=40)], "only 40 of 502 joints in the time there was"),
        ([proved(), proved("exact", identical=False, problem="other bits")], "exact kernels: other bits"),
        ([proved(), proved(threads=2, problem="unsteady")], "unsteady"),
        ([proved("exact")], "is not installed"),
    ],
)
def test_nothing_is_chosen_that_was_not_proved(trials: list[Proved], words: str) -> None:
    with pytest.raises(ConfigError, match="nothing that may be chosen passed") as refused:
        kernels_to_use(trials, Wanted())
    assert words in str(refused.value)


@given(st.integers(1, 256))
def test_every_arrangement_keeps_within_the_cores(cores: int) -> None:
    found = arrangements(cores)
    assert all(1 <= one.processes <= 8 and one.processes * one.threads <= cores for one in found)
    assert found[-1] == Arrangement(1, min(cores, 64)) if cores <= 64 else found[-1].threads == 64


def test_of_arrangements_as_fast_as_each_other_the_one_with_most_processes_is_taken() -> None:
    assert best({Arrangement(4, 1): 97.0, Arrangement(2, 2): 99.0, Arrangement(1, 4): 100.0}) == Arrangement(4, 1)
    assert best({Arrangement(4, 1): 90.0, Arrangement(2, 2): 99.0, Arrangement(1, 4): 100.0}) == Arrangement(2, 2)
