"""A journal that agrees with the spool, whatever happened to the file since the last start."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from edge.adapters.journal.addresses import address_anew
from edge.adapters.journal.connection import set_aside
from edge.adapters.journal.store import Journal
from edge.adapters.review_folder import SpoolReviews
from edge.adapters.spool import FolderSpool
from edge.core.errors import JournalDamaged
from edge.core.wire import Encoder

log = logging.getLogger(__name__)


def open_journal(path: Path, spool: FolderSpool, reviews: SpoolReviews, encoder: Encoder, now: datetime) -> Journal:
    """The journal, read through for damage.

    A damaged one is set aside under another name. Where a journal had to be made anew although the spool holds
    finished jobs, nobody knows any more which of their verdicts reached the broker: they are handed back and inspected
    again, under the same event_ids, and an alarm says so; reviews are entered again. A crash in between is made good at
    the next start.
    """
    lost = ""
    try:
        journal = Journal(path, examine=True)
    except JournalDamaged as error:
        kept = set_aside(path, now)
        lost = f"{path} was damaged and set aside as {kept.name}"
        log.error("journal damaged", extra={"problem": str(error), "kept": str(kept)})  # noqa: TRY400
        journal = Journal(path)
    if journal.fresh:
        again = spool.hand_back()
        reviews.hand_back()
        if again and not lost:
            lost = f"{path} was missing"
        text = f"{lost}; rebuilt from the spool: {again} finished jobs are inspected again"
        if lost:
            log.error("journal rebuilt", extra={"problem": text})
        journal.settle_in(
            [encoder.alarm("journal_rebuilt", text, now, "critical")] if lost else [], now if lost else None
        )
    if moved := address_anew(path, encoder.topics.base):
        log.warning("messages go to another base topic", extra={"messages": moved, "base": encoder.topics.base})
    return journal
