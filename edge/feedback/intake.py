"""Reviews, from the folder that their files are dropped into, and from the broker, to the journal."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from edge.core.clocks import Now
from edge.feedback.ports import Entered, Heard, Post, ReviewBook, ReviewFolder
from edge.feedback.reading import read_reviews

log = logging.getLogger(__name__)

REJECTED, ASIDE = "reviews_rejected", "reviews_set_aside"
_SHOWN = 3
_OWN_FAULTS = {errno.EFBIG, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ELOOP}
"""What is wrong with one file, not with the disk; it must not keep the others from being taken."""
_FRESH = timedelta(days=1)
"""For so long it is looked again and again for the joint of a review that came before it was known here."""


class NoPost:
    """Where reviews come as files alone."""

    def start(self) -> None: ...

    def take(self) -> Sequence[Heard]:
        return ()

    def put_back(self, heard: Sequence[Heard]) -> None: ...

    def acknowledge(self, heard: Sequence[Heard]) -> None: ...

    def close(self) -> None: ...


class Intake:
    """One ``step`` now and then. ``event`` tells people of what they should look at."""

    def __init__(
        self, folder: ReviewFolder, book: ReviewBook, post: Post, now: Now, event: Callable[[str, str], None]
    ) -> None:
        self._folder, self._book, self._post, self._now, self._event = folder, book, post, now, event
        self._reconsidered = False

    def step(self) -> None:
        """Enter every file that waits, then file it. What a crash leaves in between is entered again, and counts once.

        Raises OSError and JournalError; the files stay where they are.
        """
        placed = self._book.reconsider(self._now() - _FRESH if self._reconsidered else None)
        self._reconsidered = True
        if placed:
            log.info("reviews that were set aside have found their joints", extra={"reviews": placed})
        self._keep_post()
        for path in self._folder.waiting():
            self._take(path)

    def _keep_post(self) -> None:
        """Messages become a file, so that whatever happens to the journal they can be entered again."""
        heard = self._post.take()
        if heard:
            # Nothing in JSON needs a line break.
            lines = [message.payload.replace(b"\n", b" ").replace(b"\r", b" ") for message in heard]
            try:
                self._folder.keep(b"\n".join([*lines, b""]))
            except OSError:
                self._post.put_back(heard)
                raise
            self._post.acknowledge(heard)

    def _take(self, path: Path) -> None:
        try:
            raw = self._folder.read(path)
        except OSError as error:
            if error.errno not in _OWN_FAULTS:
                raise
            self._reject(path, [f"{error.strerror}; send a readable file of at most 64 MiB"])
            return
        reviews, problems = read_reviews(path.name, raw)
        entered = self._book.enter(reviews, path.name, self._now())
        self._tell(path.name, entered)
        if problems:
            self._reject(path, problems)
        else:
            self._folder.finish(path)

    def _reject(self, path: Path, problems: Sequence[str]) -> None:
        self._folder.reject(path, problems)
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        self._event(REJECTED, f"{path.name}: {'; '.join(problems[:_SHOWN])}{more}; see it in reviews/rejected")

    def _tell(self, name: str, entered: Entered) -> None:
        details = {"file": name, "new": entered.new, "known": entered.again, "set_aside": len(entered.aside)}
        log.info("reviews entered", extra=details)
        if entered.aside:
            _, why = entered.aside[0]
            text = f"{name}: {len(entered.aside)} of {entered.new} reviews belong to no joint here: {why}"
            self._event(ASIDE, f"{text}; axi-edge review list --aside names them")
