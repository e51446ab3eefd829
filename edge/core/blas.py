"""How NumPy's matrix products are to be run: said in the environment, before NumPy is imported.

OpenBLAS chooses its kernels by a table of processor models. One that is younger than the table gets kernels of 2004:
an Emerald Rapids Xeon took 1.7 times as long to crop a joint. What a processor can do does not hang on such a table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

CORE = "OPENBLAS_CORETYPE"
_CORES = {
    "SKYLAKEX": {"avx2", "fma", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
    "HASWELL": {"avx2", "fma"},
}
"""OpenBLAS' name for a family of kernels, the fastest first, and the instruction sets that it takes."""


def blas_environment(cpuinfo: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables for a process of which several run side by side: one thread each, and the kernels that ``environment``
    names, else those for the processor that /proc/cpuinfo tells of.
    """
    core = environment.get(CORE) or blas_core(cpuinfo)
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**alone, CORE: core} if core else alone


def blas_core(cpuinfo: str) -> str | None:
    """OpenBLAS' name for the kernels; None: let it choose (not x86, or an old one)."""
    found = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    able = {*found[1].split()} if found else set()
    return next((core for core, needed in _CORES.items() if needed <= able), None)
