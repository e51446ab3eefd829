"""Speed, side by side.

The stages around the network are timed with the matrix products of the processes that judge (``edge.judging.worker``):
this must be said before NumPy is imported.
"""

import os
from pathlib import Path

from edge.core.blas import blas_environment

os.environ.update(blas_environment(Path("/proc/cpuinfo").read_text(), os.environ))
