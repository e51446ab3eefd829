"""Whole pictures with every box on them, for people: wrong corners, tiles and polarity are seen there at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.importing.boards import Board, Joint
from convert.importing.found import Page
from convert.importing.looking import Seen
from edge.core.job import Roi
from edge.core.preprocess import to_polarity

_MOST, _OF_A_TYPE = 6, 2
_SIDE = 1200
"""Pixels of the longer side that people are shown at most."""


class Boxed(NamedTuple):
    """A joint's box on a frame, in the frame's pixels, and its class."""

    box: tuple[float, float, float, float]
    name: str


class Frame(NamedTuple):
    """A picture (height, width), grey as the network sees it, solder dark. ``scale``: its pixels per pixel of the
    file.
    """

    name: str
    board_type: str
    picture: NDArray[np.uint8]
    scale: float
    boxes: list[Boxed]


class Frames:
    """A few pictures of each board type, the first that come; boards that one picture shows are on one frame."""

    def __init__(self) -> None:
        self._frames = dict[Page, Frame]()

    @property
    def shown(self) -> list[Frame]:
        return list(self._frames.values())

    def add(self, board: Board, view: Seen, joints: Sequence[tuple[Joint, Roi]]) -> None:
        """Joints of one view that lie in boxes."""
        if not joints:
            return
        page = joints[0][0].found.slices[len(view.slices) // 2]
        frame = self._frames.get(page) or self._begun(page, board, view)
        if frame is not None:
            frame.boxes.extend(
                Boxed(tuple(frame.scale * edge for edge in roi), joint.name)  # type: ignore[arg-type]  # four of them
                for joint, roi in joints
            )

    def _begun(self, page: Page, board: Board, view: Seen) -> Frame | None:
        """None where enough is shown already."""
        alike = sum(frame.board_type == board.board_type for frame in self._frames.values())
        if len(self._frames) >= _MOST or alike >= _OF_A_TYPE:
            return None
        grey = to_polarity(view.slices[len(view.slices) // 2], view.image.polarity, "solder_dark")
        height, width = grey.shape
        scale = min(1.0, _SIDE / max(height, width))
        size = max(1, round(scale * width)), max(1, round(scale * height))
        picture = cv2.resize(grey, size, interpolation=cv2.INTER_AREA) if scale < 1 else grey.copy()
        name = f"{page.path.name} ({board.board_type})" if board.board_type else page.path.name
        frame = self._frames[page] = Frame(name, board.board_type, picture.astype(np.uint8), scale, [])
        return frame
