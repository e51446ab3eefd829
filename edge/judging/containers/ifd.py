"""Pages of tags (TIFF 6.0, section 2). EXIF is written so, too."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from edge.core.job import MOST_PAGES
from edge.judging.containers.facts import DamagedError

SIGNATURES = (b"II*\0", b"MM\0*")
_NUMBERS = {1: "B", 3: "H", 4: "I"}
_TEXT, _PLACE = 2, 13
_MOST_TAGS, _MOST_BELOW = 1_000, 16
SUBFILE, OLD_SUBFILE, DESCRIPTION, ORIENTATION, PAGES_BELOW = 254, 255, 270, 274, 330


class _Entry(NamedTuple):
    """Where a tag's values lie, which are read when they are asked for: a file may claim more than memory holds.

    ``size``: in bytes, as far as values of that kind are read here.
    """

    kind: int
    length: int
    start: int
    size: int


class Page:
    """The tags of a page."""

    def __init__(self, raw: bytes, order: str, own: range, entries: dict[int, _Entry]) -> None:
        self._raw, self._order, self._entries = raw, order, entries
        self._own = own

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def count(self, tag: int) -> int:
        """How many values it has."""
        return self._entries[tag].length if tag in self._entries else 0

    def values(self, tag: int, most: int) -> tuple[int, ...]:
        """Whole numbers, none where the tag is not there.

        Raises DamagedError for other values, and for more than ``most``.
        """
        entry = self._entries.get(tag)
        if entry is None:
            return ()
        code = "I" if (tag, entry.kind) == (PAGES_BELOW, _PLACE) else _NUMBERS.get(entry.kind)
        if code is None or not 1 <= entry.length <= most:
            raise DamagedError(f"tag {tag} is no whole number, or has {entry.length} values")
        try:
            return struct.unpack_from(f"{self._order}{entry.length}{code}", self._raw, entry.start)
        except struct.error as error:
            raise DamagedError("cut short") from error

    def one(self, tag: int, default: int) -> int:
        """Raises DamagedError where it has several values: decoders differ over which is meant."""
        return next(iter(self.values(tag, 1)), default)

    @property
    def places(self) -> list[range]:
        """Where in the file it lies: the header, the tags, and the values of those that are numbers."""
        numbers = [entry for entry in self._entries.values() if entry.kind in _NUMBERS and entry.size > 4]
        return [range(8), self._own, *(range(entry.start, entry.start + entry.size) for entry in numbers)]

    def text(self, tag: int) -> bytes:
        """Of a tag of characters; empty where there is none."""
        entry = self._entries.get(tag)
        return self._raw[entry.start : entry.start + entry.length] if entry and entry.kind == _TEXT else b""

    @property
    def aside(self) -> bool:
        """A preview or a mask, no picture of its own."""
        return bool(self.one(SUBFILE, 0) & 0b101) or self.one(OLD_SUBFILE, 1) == 2

    def below(self) -> list[Page]:
        """Pages that this one holds for itself: the same picture in other sizes."""
        places = set(self.values(PAGES_BELOW, _MOST_BELOW))
        return [_page_at(self._raw, self._order, place)[0] for place in places]


def pages(raw: bytes) -> Iterator[Page]:
    """Every page of a classic file. Raises DamagedError, also for those that run in circles."""
    order, place = _header(raw)
    seen = set[int]()
    while place:
        if place in seen or len(seen) >= MOST_PAGES:
            raise DamagedError("its pages run in circles")
        seen.add(place)
        page, place = _page_at(raw, order, place)
        yield page


def page_of(raw: bytes, number: int = 0) -> Page:
    """Raises DamagedError where there is no such page."""
    page = next(islice(pages(raw), number, None), None)
    if page is None:
        raise DamagedError(f"no page {number}")
    return page


def orientation(block: bytes) -> int:
    """What EXIF says: 1 for upright, where it says nothing, too. Raises DamagedError for what is no EXIF."""
    try:
        page, _ = _page_at(block, *_header(block), linked=False)
        return page.one(ORIENTATION, 1)
    except DamagedError as error:
        raise DamagedError(f"its EXIF cannot be read ({error})") from error


def _header(raw: bytes) -> tuple[str, int]:
    """Byte order, as ``struct`` has it, and where the first page is. Raises DamagedError."""
    if not raw.startswith(SIGNATURES):
        raise DamagedError("no TIFF header")
    order = "<" if raw[:2] == b"II" else ">"
    try:
        return order, struct.unpack_from(order + "I", raw, 4)[0]
    except struct.error as error:
        raise DamagedError("cut short") from error


def _page_at(raw: bytes, order: str, place: int, *, linked: bool = True) -> tuple[Page, int]:
    """The page there, and where the next one is. EXIF is often not ``linked``: it says nothing of a next one."""
    try:
        (count,) = struct.unpack_from(order + "H", raw, place)
        if count > _MOST_TAGS:
            raise DamagedError(f"a page of {count} tags")
        end = place + 2 + 12 * count
        page = Page(raw, order, range(place, end), dict(_entries(raw, order, place + 2, count)))
        following = struct.unpack_from(order + "I", raw, end)[0] if linked else 0
    except struct.error as error:
        raise DamagedError("cut short") from error
    return page, following


def _entries(raw: bytes, order: str, place: int, count: int) -> Iterator[tuple[int, _Entry]]:
    """Raises DamagedError for a tag that stands there twice: decoders differ over which is meant."""
    seen = set[int]()
    for entry in range(place, place + 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", raw, entry)
        if tag in seen:
            raise DamagedError(f"tag {tag} stands there twice")
        seen.add(tag)
        size = length * struct.calcsize("I" if kind == _PLACE else _NUMBERS.get(kind, "B"))
        start = entry + 8 if size <= 4 else struct.unpack_from(order + "I", raw, entry + 8)[0]
        yield tag, _Entry(kind, length, start, size)
