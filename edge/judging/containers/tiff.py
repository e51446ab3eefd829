"""TIFF (Adobe, revision 6): pages of tags, which say where strips or tiles of samples lie. EXIF is written so, too."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from edge.core.job import MOST_PAGES
from edge.judging.containers.facts import (
    DamagedError,
    Facts,
    NotOnePictureError,
    require_samples,
    require_size,
    require_upright,
)
from edge.judging.containers.strips import require_inflates, require_unpacks

SIGNATURES = (b"II*\0", b"MM\0*")
BIG_SIGNATURES = (b"II+\0", b"MM\0+")
_TYPES = {1: "B", 3: "H", 4: "I"}
_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
_FILL_ORDER, _STRIPS, _ORIENTATION, _SAMPLES, _STRIP_ROWS, _STRIP_BYTES, _PLANAR = 266, 273, 274, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SAMPLE_FORMAT = 322, 323, 324, 325, 339
_NO_COMPRESSION, _LZW, _ADOBE_DEFLATE, _PACK_BITS, _DEFLATE = 1, 5, 8, 32_773, 32_946
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1}
_READ = {_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _STRIPS, _ORIENTATION}
_READ |= {_SAMPLES, _STRIP_ROWS, _STRIP_BYTES, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SAMPLE_FORMAT}


class Page(NamedTuple):
    """Tags of a page: number -> values."""

    tags: dict[int, tuple[int, ...]]

    def one(self, tag: int, default: int) -> int:
        return self.tags.get(tag, (default,))[0]

    @property
    def aside(self) -> bool:
        """A preview or a mask, no picture of its own."""
        return bool(self.one(_SUBFILE, 0) & 0b101) or self.one(_OLD_SUBFILE, 1) == 2

    @property
    def white_is_zero(self) -> bool:
        return self.one(_PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO


class _Block(NamedTuple):
    """A strip or a tile. ``size``: of its samples in bytes, once decompressed; ``most``: of a whole one, which the last
    may be filled up to.
    """

    data: bytes
    size: int
    most: int


def examine(raw: bytes, page: int | None = None) -> Facts:
    """Nothing in a TIFF proves its pixels: Deflate has a check sum, but the tags that say what it means have none.

    ``page``: which one is meant, from 0; None: the file holds one picture. Raises DamagedError or NotOnePictureError.
    """
    if raw.startswith(BIG_SIGNATURES):
        raise NotOnePictureError("a BigTIFF; export a classic TIFF")
    meant = _meant(list(_pages(raw)), page)
    _require_plain(meant)
    require_whole = _CHECKS[meant.one(_COMPRESSION, _NO_COMPRESSION)]
    for block in _blocks(meant, raw):
        require_whole(*block)
    return Facts(proved=False)


def page_of(raw: bytes, number: int = 0) -> Page:
    """Raises DamagedError where there is no such page."""
    page = next(islice(_pages(raw), number, None), None)
    if page is None:
        raise DamagedError(f"no page {number}")
    return page


def _meant(pages: Sequence[Page], number: int | None) -> Page:
    """The page with the slice. A file of several says nothing of which one that is: who hands it over must."""
    if not pages:
        raise DamagedError("no page")
    if number is not None:
        if number >= len(pages):
            raise NotOnePictureError(f"it has {len(pages)} pages, none of them number {number}; pages count from 0")
        if pages[number].aside:
            raise NotOnePictureError(f"its page {number} is a preview or a mask; name the page with the slice")
        return pages[number]
    pictures = [place for place, page in enumerate(pages) if not page.aside]
    if len(pictures) != 1:
        remedy = "name each slice's page in a manifest, or export each as a file of its own"
        raise NotOnePictureError(f"{len(pictures)} pictures in one file; {remedy}")
    if pictures != [0]:
        raise NotOnePictureError("its first page is a preview; name the slice's page in a manifest, or export it alone")
    return pages[0]


def orientation(block: bytes) -> int:
    """What EXIF says: 1 for upright, where it says nothing, too. Raises DamagedError for what is no EXIF."""
    try:
        return page_of(block).one(_ORIENTATION, 1)
    except DamagedError as error:
        raise DamagedError(f"its EXIF cannot be read ({error})") from error


def _require_plain(page: Page) -> None:
    """Raises NotOnePictureError for samples that mean something else than grey values or colours from 0 up."""
    require_size(page.one(_WIDTH, 0), page.one(_HEIGHT, 0))
    samples, photometric = page.one(_SAMPLES, 1), page.one(_PHOTOMETRIC, -1)
    if photometric < 0:
        raise NotOnePictureError("it does not say which way its grey values run; export PhotometricInterpretation")
    depths = set(page.tags.get(_BITS, (1,)))
    for bits in depths:
        require_samples(bits)
    if samples > 1 and depths != {8}:
        raise NotOnePictureError("colours of more than 8 bits; export grey, or colours at 8 bits")
    if set(page.tags.get(_SAMPLE_FORMAT, (1,))) != {1}:
        raise NotOnePictureError("signed or floating-point samples; export unsigned ones of 8 or 16 bits")
    if samples != _CHANNELS.get(photometric):
        what = f"{samples} samples a pixel of photometric kind {photometric}"
        raise NotOnePictureError(f"{what}; export grey alone (without alpha), or colours as RGB")
    if _TILES in page.tags and _STRIPS in page.tags:
        raise DamagedError("it has tiles and strips")
    require_upright(page.one(_ORIENTATION, 1))
    if page.one(_FILL_ORDER, 1) != 1:
        raise NotOnePictureError("its bits run backwards (FillOrder 2); export it with FillOrder 1")
    compression = page.one(_COMPRESSION, _NO_COMPRESSION)
    if compression not in _CHECKS:
        raise NotOnePictureError(f"compression {compression}; export Deflate, LZW, PackBits or none")


def _blocks(page: Page, raw: bytes) -> Iterator[_Block]:
    """Raises DamagedError where they are not as many as the picture takes, or not all in the file."""
    width, height, samples = page.one(_WIDTH, 0), page.one(_HEIGHT, 0), page.one(_SAMPLES, 1)
    planes = samples if page.one(_PLANAR, 1) == 2 else 1
    pixel = page.one(_BITS, 8) // 8 * samples // planes
    if _TILES in page.tags:
        across, down = page.one(_TILE_WIDTH, 0), page.one(_TILE_HEIGHT, 0)
        if not across or not down:
            raise DamagedError("tiles without width or height")
        most = across * down * pixel
        sizes = [most] * (-(-width // across) * -(-height // down))
        offsets, counts = page.tags[_TILES], page.tags.get(_TILE_BYTES, ())
    else:
        rows = min(page.one(_STRIP_ROWS, height) or height, height)
        most = rows * width * pixel
        sizes = [min(rows, height - top) * width * pixel for top in range(0, height, rows)]
        offsets, counts = page.tags.get(_STRIPS, ()), page.tags.get(_STRIP_BYTES, ())
    if not len(offsets) == len(counts) == len(sizes) * planes:
        raise DamagedError(f"{len(offsets)} strips or tiles where its size takes {len(sizes) * planes}")
    for offset, count, size in zip(offsets, counts, sizes * planes, strict=True):
        if not count or offset + count > len(raw):
            raise DamagedError("cut short")
        yield _Block(raw[offset : offset + count], size, most)


def _require_as_long(data: bytes, size: int, _: int) -> None:
    if len(data) < size:
        raise DamagedError("a strip has fewer bytes than its rows take")


def _require_nothing(_data: bytes, _size: int, _most: int) -> None:
    """Of LZW its decoder finds all that can be found."""


_CHECKS = {
    _NO_COMPRESSION: _require_as_long,
    _LZW: _require_nothing,
    _ADOBE_DEFLATE: require_inflates,
    _DEFLATE: require_inflates,
    _PACK_BITS: require_unpacks,
}
"""By compression: whether a block holds what its rows take."""


def _pages(raw: bytes) -> Iterator[Page]:
    """Every page; those reached twice end it, as a chain that runs in circles."""
    order = "<" if raw[:2] == b"II" else ">"
    if not raw.startswith(SIGNATURES):
        raise DamagedError("no TIFF header")
    try:
        (place,) = struct.unpack_from(order + "I", raw, 4)
        seen = set[int]()
        while place:
            if place in seen or len(seen) >= MOST_PAGES:
                raise DamagedError("its pages run in circles")
            seen.add(place)
            (count,) = struct.unpack_from(order + "H", raw, place)
            yield Page(dict(_tags(raw, order, place + 2, count)))
            (place,) = struct.unpack_from(order + "I", raw, place + 2 + 12 * count)
    except struct.error as error:
        raise DamagedError("cut short") from error


def _tags(raw: bytes, order: str, place: int, count: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Those that say something of the pixels; each once, as whole numbers: else decoders differ over what is meant."""
    seen = set[int]()
    for entry in range(place, place + 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", raw, entry)
        if tag not in _READ:
            continue
        code = _TYPES.get(kind)
        if code is None or not length or tag in seen:
            raise DamagedError(f"tag {tag} stands there twice, or is no whole number")
        seen.add(tag)
        size = length * struct.calcsize(code)
        if size > len(raw):
            raise DamagedError("a tag is longer than the file")
        start = entry + 8 if size <= 4 else struct.unpack_from(order + "I", raw, entry + 8)[0]
        yield tag, struct.unpack_from(f"{order}{length}{code}", raw, start)
