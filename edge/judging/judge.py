"""The judge: every joint of a view to the bundle of its type, several at once where it has threads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from edge.core.clocks import Monotonic
from edge.core.errors import SliceError
from edge.core.job import Job, Joint, SliceFile, View
from edge.core.preprocess import Picture, Slices
from edge.core.verdict import Decision, Reason, Verdict, unjudged
from edge.judging.decider import Decider
from edge.judging.look import look_of
from edge.judging.ports import Batch, Each, ReadSlice, ViewToJudge
from edge.judging.view import as_wanted, decoded_view, tried

_IN_HAND = 5
"""Joints judged one after another by one thread. Handing each over by itself cost a twentieth of the cores' time."""


class _Seen(NamedTuple):
    """A view as one bundle sees it."""

    slices: Slices
    trouble: Reason | None


class Judge:
    """Decides joints, each with the bundle that its type is routed to.

    The slices of a view are decoded, then its joints judged, as many at once as ``each`` does. ``deciders``: by joint
    type, compared without regard to case; ``at_once``: scorers that each of them has.
    """

    looks_ahead = 0

    def __init__(
        self, deciders: Mapping[str, Decider], read: ReadSlice, clock: Monotonic, each: Each = map, at_once: int = 1
    ) -> None:
        self._deciders = {joint_type.casefold(): decider for joint_type, decider in deciders.items()}
        self._read, self._clock, self._each, self._at_once = read, clock, each, at_once

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
            started = self._clock()
            decoded = self._decoded(batch, part.view, progressed)
            yield from self._judged(batch.job, part, decoded, started, progressed)

    def foreseen(self, batch: Batch, progressed: Callable[[], None]) -> Generator[Verdict, None, None] | None:
        """The verdicts on a batch of one view whose turn has not come; None where a slice of it was not read well.

        Raises OSError when the disk fails.
        """
        (part,) = batch.left
        started = self._clock()
        decoded = list(self._decoded(batch, part.view, progressed))
        if any(isinstance(found, SliceError) for found in decoded):
            return None
        return self._judged(batch.job, part, decoded, started, progressed)

    def _decoded(self, batch: Batch, view: View, progressed: Callable[[], None]) -> Iterator[Picture | SliceError]:
        """Every slice of the view, or what is wrong with it."""

        def decoded(part: SliceFile) -> Picture | SliceError:
            found = tried(self._read, batch.folder, batch.job.image, part)
            progressed()
            return found

        return self._each(decoded, view.slices)

    def _judged(
        self,
        job: Job,
        part: ViewToJudge,
        decoded: Iterable[Picture | SliceError],
        started: float,
        progressed: Callable[[], None],
    ) -> Generator[Verdict, None, None]:
        """Every joint of a view of which ``decoded`` gives the slices."""
        pictures = decoded_view(job, part.view, decoded)
        wanted = {decider for joint in part.joints if (decider := self._decider_of(joint)) is not None}
        seen = {decider: _Seen(*as_wanted(decider.card.preprocess, pictures)) for decider in wanted}

        first, looks = part.joints[0], bool(job.board.type and pictures.slices)
        look = look_of(pictures.slices, pictures.stored) if looks else None

        def judged(joint: Joint) -> Verdict:
            decision = self._decision(joint, seen)
            spent_ms = 1e3 * (self._clock() - started)
            own = look if joint is first else None
            return Verdict(joint.named, decision, len(part.view.slices), spent_ms, pictures.shown, look=own)

        for verdict in self._for_each(judged, part.joints):
            progressed()
            yield verdict

    def _for_each(self, judged: Callable[[Joint], Verdict], joints: Sequence[Joint]) -> Iterator[Verdict]:
        if self._at_once == 1:
            return map(judged, joints)
        size = max(1, min(_IN_HAND, -(-len(joints) // self._at_once)))
        hands = [joints[i : i + size] for i in range(0, len(joints), size)]
        return chain.from_iterable(self._each(lambda hand: [judged(joint) for joint in hand], hands))

    def _decider_of(self, joint: Joint) -> Decider | None:
        return self._deciders.get(joint.type.casefold())

    def _decision(self, joint: Joint, seen: Mapping[Decider, _Seen]) -> Decision:
        decider = self._decider_of(joint)
        if decider is None:
            return unjudged(Reason.UNSUPPORTED_JOINT_TYPE)
        slices, trouble = seen[decider]
        return unjudged(trouble) if trouble is not None else decider.decision(slices, joint.roi)
