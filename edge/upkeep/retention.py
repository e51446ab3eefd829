"""Forgetting finished jobs once all their verdicts were acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from edge.core.clocks import Now
from edge.upkeep.ports import FinishedJob, FinishedJobs, Settled

log = logging.getLogger(__name__)


class Keep(NamedTuple):
    """How long to keep what is finished: until it is older, or all of it takes more. ``waiting_days``: for so long
    where a joint of it waits for its review. ``pictures_days``: for how long to know which pictures were judged.
    """

    days: float
    gb: float
    pictures_days: float
    waiting_days: float


class Retention:
    """Forgets finished jobs, folder and journal rows, once all their verdicts were acknowledged."""

    def __init__(self, spool: FinishedJobs, journal: Settled, now: Now, keep: Keep) -> None:
        self._spool, self._journal, self._now, self._keep = spool, journal, now, keep

    def step(self) -> None:
        """Once over all of them. A job of which copies were filed goes with the last of them."""
        self._spool.sweep()
        finished = list(self._spool.finished())
        cutoff = self._now() - timedelta(days=self._keep.days)
        too_much = sum(job.size for job in finished) - self._keep.gb * 1e9
        gone: list[str] = []
        for job, too_old in self._going(finished, cutoff):
            if not too_old and too_much <= 0:
                break
            if self._journal.settled(job.content) and self._discarded(job.folder):
                gone.append(job.content)
                too_much -= job.size
        kept = {job.content for job in (self._spool.finished() if gone else finished)}
        old = self._journal.settled_before(cutoff - (self._now() - cutoff))  # whose folders went another way
        self._journal.forget([*(content for content in gone if content not in kept), *(set(old) - kept)])
        self._journal.forget_pictures(self._now() - timedelta(days=self._keep.pictures_days))
        if gone:
            log.info("finished jobs discarded", extra={"jobs": len(gone)})

    def _going(self, finished: Sequence[FinishedJob], cutoff: datetime) -> Iterator[tuple[FinishedJob, bool]]:
        """In which order jobs may go, and which are too old in any case: the oldest first, but whatever waits for a
        review only after all that is old, unless it has waited for too long.
        """
        patience = (self._now() - timedelta(days=self._keep.waiting_days)).timestamp()
        held = list[FinishedJob]()
        for job in finished:
            if job.filed < cutoff.timestamp():
                if job.filed >= patience and self._journal.waits(job.content):
                    held.append(job)
                else:
                    yield job, True
        young = (job for job in finished if job.filed >= cutoff.timestamp())
        yield from ((job, False) for job in (*held, *young))

    def _discarded(self, folder: Path) -> bool:
        """One that cannot be deleted keeps none of the others."""
        try:
            self._spool.discard(folder)
        except OSError as error:
            log.warning("finished job not discarded", extra={"job": folder.name, "problem": str(error)})
            return False
        return True
