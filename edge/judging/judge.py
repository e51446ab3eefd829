"""The judge: every joint of a view to the bundle of its type, several at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import NamedTuple

from edge.core.clocks import Monotonic
from edge.core.job import Job, Joint, SliceFile, View
from edge.core.preprocess import Picture, Slices
from edge.core.verdict import Decision, Reason, Verdict, unjudged
from edge.judging.decider import Decider
from edge.judging.ports import Batch, ReadSlice, ViewToJudge
from edge.judging.view import as_wanted, decoded_view

_IN_HAND = 5
"""Joints judged one after another by one thread. Handing each over by itself cost a twentieth of the cores' time."""

Hands = Sequence[Future[list[Verdict]]]
"""The joints of a view, in order, a few at a time."""


class _Begun(NamedTuple):
    """A view whose slices are being decoded, and since when."""

    started: float
    decoding: Sequence[Future[Picture]]


class _Seen(NamedTuple):
    """A view as one bundle sees it."""

    slices: Slices
    trouble: Reason | None


class Judge:
    """Decides joints, each with the bundle that its type is routed to.

    Several slices of a view are decoded at once, then several of its joints judged. ``deciders``: by joint type,
    compared without regard to case; ``at_once``: scorers that each of them has, and threads of ``pool``.
    """

    looks_ahead = 0

    def __init__(
        self, deciders: Mapping[str, Decider], read: ReadSlice, clock: Monotonic, pool: Executor, at_once: int = 1
    ) -> None:
        self._deciders = {joint_type.casefold(): decider for joint_type, decider in deciders.items()}
        self._read, self._clock, self._pool, self._at_once = read, clock, pool, at_once

    @property
    def score_ms(self) -> float:
        """What the slowest model alone took for a joint, median of its last ones; 0 before there was one."""
        return max((decider.score_ms for decider in self._deciders.values()), default=0.0)

    def views(
        self,
        batch: Batch,
        progressed: Callable[[], None],
        ahead: Sequence[Batch] = (),  # noqa: ARG002 - for those who look further
    ) -> Generator[Verdict, None, None]:
        """One verdict for each joint, in order. ``progressed`` is called after each slice and each joint, from any
        thread.

        Every slice file is decoded once. Nothing about a joint or a slice makes this raise; a failing disk does
        (OSError).
        """
        for part in batch.left:
            begun = self._begin(batch.job, part.view, batch.folder, progressed)
            yield from self._judged(batch.job, part, begun, progressed)

    def foreseen(self, batch: Batch, progressed: Callable[[], None]) -> Generator[Verdict, None, None] | None:
        """The verdicts on a batch of one view whose turn has not come; None where a slice of it was not read well."""
        (part,) = batch.left
        begun = self._begin(batch.job, part.view, batch.folder, progressed)
        troubles = [grey.exception() for grey in begun.decoding]  # and so all have ended
        if any(troubles):
            return None
        return self._judged(batch.job, part, begun, progressed)

    def _judged(
        self, job: Job, part: ViewToJudge, begun: _Begun, progressed: Callable[[], None]
    ) -> Generator[Verdict, None, None]:
        for hand in self._score(job, part, begun):
            for verdict in hand.result():
                progressed()
                yield verdict

    def _score(self, job: Job, part: ViewToJudge, begun: _Begun) -> Hands:
        """Have every joint of a view judged, once its slices are there."""
        pictures = decoded_view(job, part.view, [picture.result for picture in begun.decoding])
        wanted = {decider for joint in part.joints if (decider := self._decider_of(joint)) is not None}
        seen = {decider: _Seen(*as_wanted(decider.card.preprocess, pictures)) for decider in wanted}

        def judged_one(joint: Joint) -> Verdict:
            decision = self._decision(joint, seen)
            return Verdict(joint.named, decision, len(part.view.slices), 1e3 * (self._clock() - begun.started))

        def judged(joints: Sequence[Joint]) -> list[Verdict]:
            return [judged_one(joint) for joint in joints]

        size = max(1, min(_IN_HAND, -(-len(part.joints) // self._at_once)))
        return [self._pool.submit(judged, part.joints[i : i + size]) for i in range(0, len(part.joints), size)]

    def _begin(self, job: Job, view: View, folder: Path, progressed: Callable[[], None]) -> _Begun:
        """Have every slice of the view read and decoded; when that began."""

        def read(part: SliceFile) -> Picture:
            picture = self._read(folder, part, job.image)
            progressed()
            return picture

        return _Begun(self._clock(), [self._pool.submit(read, part) for part in view.slices])

    def _decider_of(self, joint: Joint) -> Decider | None:
        return self._deciders.get(joint.type.casefold())

    def _decision(self, joint: Joint, seen: Mapping[Decider, _Seen]) -> Decision:
        decider = self._decider_of(joint)
        if decider is None:
            return unjudged(Reason.UNSUPPORTED_JOINT_TYPE)
        slices, trouble = seen[decider]
        return unjudged(trouble) if trouble is not None else decider.decision(slices, joint.roi)
