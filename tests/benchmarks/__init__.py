"""Speed, side by side.

The device multiplies matrices in one thread a judge (``edge.judging.process``), so the stages around the network are
timed so, too: this must be said before numpy is imported.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
