"""From a view's slices to verdicts, in a process of its own."""

import os

from edge.judging.containers.facts import MOST_PIXELS

os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))  # read once, when cv2 is imported
