"""What judging needs of the outside, and what it offers to whoever has joints judged."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar

from edge.core.decide import Answer
from edge.core.job import ImageFormat, Job, Joint, SliceFile, View
from edge.core.preprocess import Patch, Picture
from edge.core.verdict import Verdict

RuntimeChoice = Literal["auto", "litert", "tflite-runtime"]
DISTRIBUTIONS = {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime"}
"""The packages that runtimes come in, the faster first: litert runs the same int8 files several times faster on x86
(docs/decisions/0003).
"""
Unchecked = Literal["judge", "specialist"]
"""What becomes of slices of which nothing proves the pixels."""


class ReadSlice(Protocol):
    """Reads one slice of a claimed job as 8-bit grey in its stored polarity. Raises SliceError."""

    def __call__(self, folder: Path, part: SliceFile, image: ImageFormat) -> Picture: ...


_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Each(Protocol):
    """Does something to each of several items, perhaps to some of them at once; what came of them in order, as ``map``
    gives it.
    """

    def __call__(self, do: Callable[[_Item], _Result], items: Iterable[_Item], /) -> Iterator[_Result]: ...


class Scorer(Protocol):
    """A loaded model."""

    @property
    def exact(self) -> bool:
        """Do integer outputs have to be identical to the recorded ones, or near them?"""

    def run(self, patch: Patch) -> Answer:
        """Of one patch, uint8 (size, size, channels) or (1, 1, features)."""


class ViewToJudge(NamedTuple):
    """A view, and those of its joints that are not decided yet."""

    view: View
    joints: tuple[Joint, ...]


def views_of(job: Job, decided: Container[str] = ()) -> list[ViewToJudge]:
    """A job's views that have joints, but for those ``decided`` already."""
    views = (
        ViewToJudge(view, tuple(joint for joint in job.joints_of(view) if joint.id not in decided))
        for view in job.views
    )
    return [view for view in views if view.joints]


class Batch(NamedTuple):
    """What is left to judge of a job. ``key``: of its folder, which a look ahead may have come by before."""

    job: Job
    folder: Path
    left: Sequence[ViewToJudge]
    key: str = ""


class Judging(Protocol):
    """Judges joints, here or in processes of their own."""

    @property
    def looks_ahead(self) -> int:
        """How many of the next jobs it can use to know of."""

    @property
    def score_ms(self) -> float:
        """What the model alone takes for a joint of late, median; 0 before there was one."""

    def views(
        self, batch: Batch, progressed: Callable[[], None], ahead: Sequence[Batch] = ()
    ) -> Generator[Verdict, None, None]:
        """One verdict for each joint, in order. ``ahead``: what will probably be asked for next, which may be read and
        judged meanwhile. ``progressed`` is called after each step, from any thread.

        Raises JudgeLost when whoever judges hangs or died, and OSError when the disk fails.
        """
