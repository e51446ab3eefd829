"""JPEG (ITU-T T.81): markers with their segments, and the scans between them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from edge.judging.containers import ifd
from edge.judging.containers.facts import DamagedError, Facts, NotOnePictureError, require_size, require_upright

SIGNATURE = b"\xff\xd8\xff"
_ALONE = {0x01, *range(0xD0, 0xD9)}
_SCAN, _END, _APP1, _APP2 = 0xDA, 0xD9, 0xE1, 0xE2
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_DECODED = {0xC0, 0xC1, 0xC2}
"""Baseline, extended and progressive, of Huffman codes: what is found in files."""
_PROGRESSIVE, _LAST_COEFFICIENT = 0xC2, 63
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_EXIF, _SEVERAL = b"Exif\0\0", b"MPF\0"


def examine(raw: bytes) -> Facts:
    """Nothing in a JPEG proves its pixels. Raises DamagedError or NotOnePictureError."""
    frames = list[tuple[int, bytes]]()
    refinement = _Refinement()
    for marker, content in _segments(raw):
        if marker in _FRAMES:
            frames.append((marker, content))
            _require_frame(marker, content)
        elif marker == _SCAN:
            refinement.note(content)
        elif marker == _APP1 and content.startswith(_EXIF):
            require_upright(ifd.orientation(content[len(_EXIF) :]))
        elif marker == _APP2 and content.startswith(_SEVERAL):
            raise NotOnePictureError("several pictures in one file; export each as a file of its own")
    if len(frames) != 1:
        raise DamagedError(f"{len(frames)} frames")
    marker, content = frames[0]
    named = content[6 : 6 + 3 * content[5] : 3]
    if not (refinement.whole(named) if marker == _PROGRESSIVE else refinement.begun(named)):
        raise DamagedError("some of its scans are missing")
    return Facts(proved=False)


class _Refinement:
    """How far the scans have come: by component and coefficient, the bits still to follow."""

    def __init__(self) -> None:
        self._left: dict[tuple[int, int], int] = {}

    def note(self, header: bytes) -> None:
        """A scan header: its components, and the first and last coefficient and the bit that it brings."""
        count = header[0] if header else 0
        if len(header) < 4 + 2 * count:
            raise DamagedError("a scan header is too short")
        first, last, bits = header[1 + 2 * count : 4 + 2 * count]
        for component in header[1 : 1 + 2 * count : 2]:
            for coefficient in range(first, min(last, _LAST_COEFFICIENT) + 1):
                self._left[component, coefficient] = bits & 0x0F

    def begun(self, components: bytes) -> bool:
        """Has every component had a scan? That of another kind of JPEG brings all of it."""
        return set(components) <= {component for component, _ in self._left}

    def whole(self, components: bytes) -> bool:
        return all(
            self._left.get((component, coefficient), 1) == 0
            for component in components
            for coefficient in range(_LAST_COEFFICIENT + 1)
        )


def components(raw: bytes) -> int:
    """Of a file that was examined."""
    return next(content[5] for marker, content in _segments(raw) if marker in _FRAMES)


def _require_frame(marker: int, content: bytes) -> None:
    try:
        bits, height, width, components = struct.unpack_from(">BHHB", content)
    except struct.error as error:
        raise DamagedError("its frame header is too short") from error
    if marker not in _DECODED or bits != 8:
        raise NotOnePictureError(f"a JPEG of kind {marker - 0xC0} with {bits} bits; export a common one of 8 bits")
    if components not in {1, 3}:
        raise NotOnePictureError(f"{components} colour components; export grey, or three colours")
    require_size(width, height)


def _segments(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment, the headers of scans among them, to the end of the picture."""
    place = 2
    while True:
        if raw[place : place + 1] != b"\xff":
            raise DamagedError("cut short, or no marker where one must be")
        while raw[place : place + 1] == b"\xff":  # any number of fill bytes
            place += 1
        if place >= len(raw):
            raise DamagedError("cut short")
        marker = raw[place]
        place += 1
        if marker in _ALONE:
            continue
        if marker == _END:
            return
        length = int.from_bytes(raw[place : place + 2], "big")
        content = raw[place + 2 : place + length]
        if length < 2 or len(content) < length - 2:
            raise DamagedError("cut short")
        yield marker, content
        place += length
        if marker == _SCAN:
            following = _AFTER_SCAN.search(raw, place)
            if following is None:
                raise DamagedError("cut short: no end after its last scan")
            place = following.start()
