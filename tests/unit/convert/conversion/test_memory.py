"""Memory is a process's own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

CODE = """
from convert.conversion.memory import peak_mb
before = peak_mb()
held = bytearray(b"x") * (64 << 20)
print(before, peak_mb())
"""


def test_the_peak_grows_with_what_is_held_and_is_not_inherited() -> None:
    held = np.ones(256 << 20, np.uint8)
    child = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    before, after = map(float, child.stdout.split())
    assert held.all()
    assert before < 128
    assert before + 63 < after < before + 192
