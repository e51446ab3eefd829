"""The judge: every joint of a view to the bundle of its type, several at once, while the next view is decoded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import NamedTuple

from edge.core.clocks import Monotonic
from edge.core.job import Job, Joint, SliceFile, View
from edge.core.preprocess import Picture, Slices
from edge.core.verdict import Decision, Reason, Verdict, unjudged
from edge.files import HeldFolder
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


class _Ahead(NamedTuple):
    """The view and joints that were looked at ahead; ``judging`` ends with the joints' own futures."""

    key: str
    part: ViewToJudge | None
    files: Sequence[tuple[int, int, int]]
    decoding: Sequence[Future[Picture]]
    judging: Future[Hands]


_NOTHING = _Ahead("", None, (), (), Future())


class _Seen(NamedTuple):
    """A view as one bundle sees it."""

    slices: Slices
    trouble: Reason | None


class Judge:
    """Decides joints, each with the bundle that its type is routed to.

    Several joints of a view are judged at once, and slices are decoded meanwhile. ``deciders``: by joint type, compared
    without regard to case; ``at_once``: scorers that each of them has, and threads of ``pool``, so that each core does
    one thing.
    """

    def __init__(
        self, deciders: Mapping[str, Decider], read: ReadSlice, clock: Monotonic, pool: Executor, at_once: int = 1
    ) -> None:
        self._deciders = {joint_type.casefold(): decider for joint_type, decider in deciders.items()}
        self._read, self._clock, self._pool, self._at_once = read, clock, pool, at_once
        self._ahead = _NOTHING

    @property
    def score_ms(self) -> float:
        """What the slowest model alone took for a joint, median of its last ones; 0 before there was one."""
        return max((decider.score_ms for decider in self._deciders.values()), default=0.0)

    def views(
        self, batch: Batch, progressed: Callable[[], None], ahead: Batch | None = None
    ) -> Generator[Verdict, None, None]:
        """One verdict for each joint, in order; the next view is decoded while the present one is scored.

        Every slice file is decoded once. ``progressed`` is called after each slice and each joint, from any thread; the
        first view of ``ahead`` is decoded during the last of ``batch``. Nothing about a joint or a slice makes this
        raise; a failing disk does (OSError).
        """
        job, folder, left, _ = batch
        if not left:  # a board of which nothing was flagged, or nothing is left to judge
            return
        begun = [self._begin(job, left[0].view, folder, progressed)] if not self._is_foreseen(batch) else []
        for part, following in zip(left, [*left[1:], None], strict=True):
            present = begun.pop() if begun else None
            foreseen = self._ahead.judging
            if following is not None:
                begun.append(self._begin(job, following.view, folder, progressed))
                look: Callable[[], None] = _nothing_ahead
            else:
                look = self._looking(ahead, progressed)
            try:
                judging = foreseen.result() if present is None else self._score(job, part, present)
            finally:
                look()  # whatever happened: it lets go of the folder that it holds
            for hand in judging:
                for verdict in hand.result():
                    progressed()
                    yield verdict

    def _looking(self, ahead: Batch | None, progressed: Callable[[], None]) -> Callable[[], None]:
        """Have the first view of what comes next decoded; the function returned has it judged."""
        if ahead is None or not ahead.left:
            self._ahead = _NOTHING
            return _nothing_ahead
        part = ahead.left[0]
        try:
            folder = HeldFolder(ahead.folder)  # it is moved as soon as its turn comes
            files = _files(part.view, ahead.folder)
        except OSError:
            self._ahead = _NOTHING
            return _nothing_ahead
        begun = self._begin(ahead.job, part.view, folder.path, progressed)

        def score() -> Hands:
            try:
                return self._score(ahead.job, part, begun)
            finally:
                folder.close()

        def look() -> None:
            # Queued behind the decoding it waits for, so the threads it needs are not its own.
            self._ahead = _Ahead(ahead.key, part, files, begun.decoding, self._pool.submit(score))

        return look

    def _is_foreseen(self, batch: Batch) -> bool:
        """Were these very joints of the first view looked at ahead, of these very files, and every slice of it well?

        What is wrong is said when it is read again.
        """
        ahead, part = self._ahead, batch.left[0]
        if (ahead.key, ahead.part) != (batch.key, part) or any(grey.exception() for grey in ahead.decoding):
            return False
        try:
            return _files(part.view, batch.folder) == ahead.files
        except OSError:
            return False

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


def _files(view: View, folder: Path) -> Sequence[tuple[int, int, int]]:
    """What tells the view's files from any that stand in their place later. Raises OSError."""
    found = ((folder / part.file).lstat() for part in view.slices)
    return [(status.st_ino, status.st_size, status.st_ctime_ns) for status in found]


def _nothing_ahead() -> None:
    """Nothing comes next."""
