"""What both simulated machines write alike: a board's job, its views as job and truth name them, and picture files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.simulator.plan import LotPlan
from edge.core.errors import UsageError
from edge.core.job import Board, ImageFormat, Job, Joint, Polarity, SliceFile, Station, View, encode_manifest

Image = NDArray[np.uint8]
Row = TypeVar("Row")

_EPOCH = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


@dataclass(frozen=True)
class BoardView(Generic[Row]):
    """One view with its file names, its joints as the machine names them, and their truth."""

    view: View
    images: tuple[Image, ...]
    """The slices as the machine stores them, in the order of ``view.slices``."""
    joints: tuple[Joint, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Machine:
    """What a simulated machine says of itself and of every board. ``jpeg_quality``: 0 for PNG."""

    name: str
    serial_prefix: str
    side: str
    polarity: Polarity
    jpeg_quality: int = 0

    @property
    def suffix(self) -> str:
        return ".jpg" if self.jpeg_quality else ".png"

    def encoded(self, image: Image) -> bytes:
        """A picture as this machine stores it."""
        options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
        if self.jpeg_quality:
            options = [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality]
        done, content = cv2.imencode(self.suffix, image, options)
        if not done:
            raise RuntimeError("the image encoder refused a picture")
        return content.tobytes()


def require_new(out: Path) -> None:
    """Raises UsageError for a folder that holds something already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: holds something already; name a new folder")


def view_of(board: int, number: int, slices: int, suffix: str) -> View:
    """A board's view by its number, with the names of its files."""
    name = f"{board % 1000:03d}{number:03d}"
    files = (SliceFile(index=index, file=f"{name}{index:02d}{suffix}") for index in range(slices))
    return View(id=name, slices=tuple(files))


def write_job(
    out: Path, plan: LotPlan, board: int, board_type: str, machine: Machine, views: Sequence[BoardView[Row]]
) -> list[Row]:
    """One board's job folder; the truth of its joints."""
    folder = out / plan.job_id(board)
    folder.mkdir()
    for view in views:
        for part, image in zip(view.view.slices, view.images, strict=True):
            (folder / part.file).write_bytes(machine.encoded(image))
    (folder / "manifest.json").write_bytes(encode_manifest(_job(plan, board, board_type, machine, views)))
    return [row for view in views for row in view.rows]


def _job(plan: LotPlan, board: int, board_type: str, machine: Machine, views: Sequence[BoardView[Row]]) -> Job:
    serial = f"{machine.serial_prefix}{plan.seed:02d}{board:05d}"
    return Job(
        schema="axi-job/1",
        job_id=plan.job_id(board),
        created=(_EPOCH + timedelta(seconds=40 * board)).isoformat().replace("+00:00", "Z"),
        station=Station(name=machine.name, vendor="axi-edge", software="1"),
        board=Board(serial=serial, type=board_type, revision="A", side=machine.side),
        image=ImageFormat(polarity=machine.polarity),
        views=tuple(view.view for view in views),
        joints=tuple(joint for view in views for joint in view.joints),
    )
