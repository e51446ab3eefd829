"""Where a job is: its folder in the spool, and its row in the journal."""

from __future__ import annotations

from enum import StrEnum


class Place(StrEnum):
    """The spool's folders, by name. A job is in exactly one of them."""

    INCOMING = "incoming"
    WORK = "work"
    DONE = "done"
    REJECTED = "rejected"


UNFINISHED = (Place.WORK, Place.INCOMING)
"""Where jobs lie that are still to be inspected."""
FINISHED = (Place.DONE, Place.REJECTED)


class JobState(StrEnum):
    """A job in the journal."""

    OPEN = "open"
    DECIDED = "decided"
    REFUSED = "refused"
