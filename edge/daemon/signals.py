"""Events by which the daemon's threads wake each other. They carry no data: what there is to do is looked up."""

from __future__ import annotations

import threading


class Signals:
    """``queued``: there is something to report; ``upkeep_due``: upkeep has something to do at once; ``may_claim``:
    there is room on the disks for another job; ``reviewed``: a review has come; ``stop``: the daemon ends;
    ``inspected``: the inspection loop has ended.
    """

    def __init__(self) -> None:
        self.stop, self.inspected = threading.Event(), threading.Event()
        self.queued, self.upkeep_due, self.may_claim = threading.Event(), threading.Event(), threading.Event()
        self.reviewed = threading.Event()
        self.may_claim.set()

    def allow_claims(self, allowed: bool) -> None:  # noqa: FBT001 - the event's own two states
        (self.may_claim.set if allowed else self.may_claim.clear)()

    def end(self) -> None:
        """Stop every loop, whatever it waits for."""
        self.stop.set()
        self.queued.set()
        self.upkeep_due.set()
        self.reviewed.set()
