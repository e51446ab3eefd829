"""What the benchmark page says of the machine it was measured on."""

from __future__ import annotations

import pytest

from tests.benchmarks.run import processor

X86 = "model name\t: Some Processor\nflags\t\t: fpu avx2 avx512f avx512_vnni {more}\n"


@pytest.mark.parametrize(("more", "has"), [("", False), ("amx_tile amx_int8 amx_bf16", True)])
def test_amx_is_named_where_it_is_and_where_it_is_not(more: str, has: bool) -> None:
    there, _, missing = processor(X86.format(more=more)).partition("; without ")
    assert ("amx_int8" in there) is has
    assert ("amx_int8" in missing) is not has
    assert "avx512_vnni" in there


def test_an_arm_processor_has_other_names_for_its_products() -> None:
    found = processor("Features\t: fp asimd asimddp\n")
    assert "asimddp; without avx2" in found
