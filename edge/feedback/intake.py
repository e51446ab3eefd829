"""Reviews, from the folder that their files are dropped into, and from the broker, to the journal."""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from edge.core.clocks import Now, is_moment, moment_of
from edge.core.job import printable
from edge.core.review import Review
from edge.feedback.ports import Alarms, Entered, Heard, Post, ReviewBook, ReviewFolder
from edge.feedback.reading import read_reviews

log = logging.getLogger(__name__)

REJECTED, ASIDE, STUCK, AHEAD = "reviews_rejected", "reviews_set_aside", "reviews_stuck", "reviews_ahead"
_SHOWN = 3
_AT_ONCE = 500
"""Reviews in one commit: whoever writes verdicts waits for it."""
_FRESH = timedelta(days=1)
"""For so long it is looked again and again for the joint of a review that came before it was known here."""
_AHEAD = timedelta(days=1)
"""Further than any zone of time a review may seem to be of the future by a clock that is set."""
_MOST_AHEAD = 20
"""Reviewers or stations that are told of."""
_LONGEST_MESSAGE = 64 * 1024
_OWN_FAULTS = {errno.EFBIG, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP}
"""What is wrong with one file, not with the disk; then it is set aside."""


class NoPost:
    """Where reviews come as files alone."""

    def listen(self) -> None: ...

    def take(self) -> Sequence[Heard]:
        return ()

    def put_back(self, heard: Sequence[Heard]) -> None: ...

    def acknowledge(self, heard: Sequence[Heard]) -> None: ...

    def close(self) -> None: ...


class Intake:
    """One ``step`` now and then. ``alarms`` tell people of what they should look at."""

    def __init__(self, folder: ReviewFolder, book: ReviewBook, post: Post, now: Now, alarms: Alarms) -> None:
        self._folder, self._book, self._post, self._now, self._alarms = folder, book, post, now, alarms
        self._reconsidered = False
        self._ahead = set[str]()

    def step(self) -> None:
        """Enter every file that waits, then file it. What a crash leaves in between is entered again, and counts once.

        A file that cannot be taken stays where it is, and keeps no other from being taken. Raises JournalError.
        """
        self._post.listen()
        now = self._now()
        placed = self._book.reconsider(now - _FRESH if self._reconsidered else None, now)
        self._reconsidered = True
        if placed:
            log.info("reviews that were set aside have found their joints", extra={"reviews": placed})
        trouble = ""
        try:
            self._keep_post()
            waiting = self._folder.waiting()
        except OSError as error:
            waiting, trouble = [], f"reviews: {error}"
        for path in waiting:
            try:
                self._take(path)
            except OSError as error:
                trouble = f"{printable(path.name)}: {error.strerror or error}"
        text = trouble or "every file of reviews is taken"
        self._alarms.set(STUCK, f"{text}; the daemon must be able to read, move and write there", on=bool(trouble))

    def _keep_post(self) -> None:
        """Messages become files, so that whatever happens to the journal they can be entered again.

        One that may spoil a file for others gets one of its own.
        """
        heard = self._post.take()
        if not heard:
            return
        lines, odd = list[bytes](), list[bytes]()
        for payload in (message.payload for message in heard):
            (lines if _is_plain(payload) else odd).append(payload)
        try:
            if lines:  # nothing in JSON needs a line break
                lines = [line.replace(b"\n", b" ").replace(b"\r", b" ") for line in lines]
                self._folder.keep(b"\n".join([*lines, b""]))
            for payload in odd:
                self._folder.keep(payload + b"\n")
        except OSError:
            self._post.put_back(heard)  # what is kept already counts once
            raise
        self._post.acknowledge(heard)

    def _take(self, path: Path) -> None:
        name = printable(path.name)
        try:
            raw = self._folder.read(path)
        except OSError as error:
            if error.errno not in _OWN_FAULTS:
                raise
            self._reject(path, [f"{error.strerror}; send a readable file of at most 4 MiB, or several"])
            return
        reviews, problems = read_reviews(path.name, raw)
        self._tell_of_clocks(reviews)
        entered = Entered(0, 0, ())
        for start in range(0, len(reviews), _AT_ONCE):
            entered = entered.and_(self._book.enter(reviews[start : start + _AT_ONCE], name, self._now()))
        self._tell(name, entered)
        if problems:
            self._reject(path, problems)
        else:
            self._folder.finish(path)

    def _tell_of_clocks(self, reviews: Sequence[Review]) -> None:
        """They count all the same: whose clock is wrong, this device's or the reviewer's, nobody can say from here."""
        latest = {review.station or review.reviewer: review for review in reviews if is_moment(review.time)}
        for whose, review in latest.items():
            if moment_of(review.time) - self._now() <= _AHEAD:
                self._ahead.discard(whose)
            elif whose not in self._ahead and len(self._ahead) < _MOST_AHEAD:
                self._ahead.add(whose)
                text = f"{printable(whose)}: a review of {review.time}, by a clock that is ahead of this device's"
                self._alarms.event(AHEAD, f"{text}; set both. It counts all the same")

    def _reject(self, path: Path, problems: Sequence[str]) -> None:
        self._folder.reject(path, problems)
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        text = f"{printable(path.name)}: {'; '.join(problems[:_SHOWN])}{more}; see it in reviews/rejected"
        self._alarms.event(REJECTED, text)

    def _tell(self, name: str, entered: Entered) -> None:
        details = {"file": name, "new": entered.new, "known": entered.again, "set_aside": len(entered.aside)}
        log.log(logging.INFO if entered.aside else logging.DEBUG, "reviews entered", extra=details)
        if entered.aside:
            _, why = entered.aside[0]
            text = f"{name}: {len(entered.aside)} of {entered.new} reviews belong to no joint here: {why}"
            self._alarms.event(ASIDE, f"{text}; axi-edge review list --aside names them")


def _is_plain(payload: bytes) -> bool:
    """UTF-8 text of an object, and not huge."""
    if len(payload) > _LONGEST_MESSAGE or not payload.lstrip().startswith(b"{"):
        return False
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
