"""Which kernels NumPy's matrix products are to use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.core.blas import CORE, blas_core, blas_environment

AVX2 = "fpu sse2 avx avx2 fma"
AVX512 = f"{AVX2} avx512f avx512cd avx512bw avx512dq avx512vl"


@pytest.mark.parametrize(
    ("flags", "core"),
    [
        (f"flags\t\t: {AVX512} avx512_vnni amx_int8", "SKYLAKEX"),
        (f"flags\t\t: {AVX512.replace(' avx512bw', '')}", "HASWELL"),
        (f"flags\t\t: {AVX2}", "HASWELL"),
        ("flags\t\t: fpu sse2 avx", None),
        ("Features\t: fp asimd asimddp", None),
        ("", None),
    ],
)
def test_the_kernels_are_those_of_what_the_processor_can_do(flags: str, core: str | None) -> None:
    assert blas_core(f"processor\t: 0\n{flags}\nbugs\t\t: none\n") == core


def test_openblas_takes_the_word() -> None:
    wanted = blas_environment(Path("/proc/cpuinfo").read_text(), {})
    said = subprocess.run(
        [sys.executable, "-c", "import numpy"],
        env={**os.environ, **wanted, "OPENBLAS_VERBOSE": "2"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert "not found" not in said
    if CORE in wanted:
        assert wanted[CORE].casefold() in said.casefold()


def test_whoever_names_kernels_gets_them() -> None:
    assert blas_environment(f"flags\t\t: {AVX2}", {CORE: "ZEN"})[CORE] == "ZEN"
