"""The daemon's connections to the journal: each is used from one thread, and most see one side of it only."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from edge.adapters.journal.charts import JournalCharts
from edge.adapters.journal.licences import JournalLicences
from edge.adapters.journal.reviews import JournalReviews
from edge.adapters.journal.sights import JournalSights
from edge.adapters.journal.store import Journal


class Books(NamedTuple):
    """``ledger`` and ``references`` are inspection's; ``outbox`` is reporting's, ``keeper``, ``counted`` and
    ``charts`` are upkeep's; the others are feedback's.
    """

    ledger: Journal
    references: JournalSights
    outbox: Journal
    keeper: Journal
    counted: JournalReviews
    charts: JournalCharts
    reviews: JournalReviews
    licences: JournalLicences
    sights: JournalSights

    @classmethod
    def of(cls, ledger: Journal, journal: Path) -> Books:
        """Around the one that the journal was opened by. Raises JournalError."""
        return cls(
            ledger=ledger,
            references=JournalSights(journal),
            outbox=Journal(journal),
            keeper=Journal(journal),
            counted=JournalReviews(journal),
            charts=JournalCharts(journal),
            reviews=JournalReviews(journal),
            licences=JournalLicences(journal),
            sights=JournalSights(journal),
        )

    def close(self) -> None:
        for book in self:
            book.close()
