"""TIFF (Adobe, revision 6): which page is the picture, what its samples mean, and whether they are all there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

from edge.judging.containers import ifd
from edge.judging.containers.facts import (
    DamagedError,
    Facts,
    NotOnePictureError,
    require_samples,
    require_size,
    require_upright,
)
from edge.judging.containers.ifd import Page
from edge.judging.containers.strips import require_inflates, require_unpacks

SIGNATURES = ifd.SIGNATURES
BIG_SIGNATURES = (b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _STRIPS = 256, 257, 258, 259, 262, 266, 273
_SAMPLES, _STRIP_ROWS, _STRIP_BYTES, _PLANAR, _PREDICTOR, _PALETTE_TAG = 277, 278, 279, 284, 317, 320
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SAMPLE_FORMAT = 322, 323, 324, 325, 339
_DEPTH, _TILE_DEPTH = 32_997, 32_998
_NO_COMPRESSION, _LZW, _ADOBE_DEFLATE, _PACK_BITS, _DEFLATE = 1, 5, 8, 32_773, 32_946
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1}
_NO_PREDICTOR, _DIFFERENCES = 1, 2
_MOST_SAMPLES = 64
_MOST_BLOCKS = 1 << 20
_SHAPE = re.compile(rb'^\{"shape": \[([0-9, ]+)\]')
_IMAGES = re.compile(rb"^ImageJ=.*?^images=(\d+)", re.MULTILINE | re.DOTALL)


def examine(raw: bytes, page: int | None = None) -> Facts:
    """Nothing in a TIFF proves its pixels: Deflate has a check sum, but the tags that say what it means have none.

    ``page``: which one is meant, from 0; None: the file holds one picture. Raises DamagedError or NotOnePictureError.
    """
    if raw.startswith(BIG_SIGNATURES):
        raise NotOnePictureError("a BigTIFF; export a classic TIFF")
    pages = list(ifd.pages(raw))
    meant = _meant(pages, page)
    _require_plain(meant)
    _require_alone(meant, len(pages))
    require_whole = _CHECKS[meant.one(_COMPRESSION, _NO_COMPRESSION)]
    blocks = list(_blocks(meant, raw))
    _require_apart([*meant.places, *(block.place for block in blocks)])
    for block in blocks:
        require_whole(raw[block.place.start : block.place.stop], block.size, block.most)
    return Facts(proved=False)


def white_is_zero(page: Page) -> bool:
    return page.one(_PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO


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
    if not pictures:
        raise NotOnePictureError("it says of itself that it is a preview or a mask; export it with NewSubfileType 0")
    if len(pictures) != 1:
        remedy = "name each slice's page in a manifest, or export each as a file of its own"
        raise NotOnePictureError(f"{len(pictures)} pictures in one file; {remedy}")
    if pictures != [0]:
        raise NotOnePictureError("its first page is a preview; name the slice's page in a manifest, or export it alone")
    return pages[0]


def _require_plain(page: Page) -> None:
    """Raises NotOnePictureError for samples that mean something else than grey values or colours from 0 up."""
    require_size(page.one(_WIDTH, 0), page.one(_HEIGHT, 0))
    samples, photometric = page.one(_SAMPLES, 1), page.one(_PHOTOMETRIC, -1)
    if photometric < 0:
        raise NotOnePictureError("it does not say which way its grey values run; export PhotometricInterpretation")
    depths = _for_each_sample(page, _BITS, samples)
    for bits in depths:
        require_samples(bits)
    if samples > 1 and depths != {8}:
        raise NotOnePictureError("colours of more than 8 bits; export grey, or colours at 8 bits")
    if _for_each_sample(page, _SAMPLE_FORMAT, samples) != {1}:
        raise NotOnePictureError("signed or floating-point samples; export unsigned ones of 8 or 16 bits")
    if samples != _CHANNELS.get(photometric):
        what = f"{samples} samples a pixel of photometric kind {photometric}"
        raise NotOnePictureError(f"{what}; export grey alone (without alpha), or colours as RGB")
    if photometric == _PALETTE and (depths != {8} or page.count(_PALETTE_TAG) != 3 * 256):
        raise NotOnePictureError("a palette that does not name all 256 colours; export grey, or colours as RGB")
    if photometric == _PALETTE and max(page.values(_PALETTE_TAG, 3 * 256)) < 256:
        raise NotOnePictureError("a palette of 8 bits in the place of 16; export grey, or colours as RGB")
    require_upright(page.one(ifd.ORIENTATION, 1))
    _require_laid_out_plainly(page)


def _for_each_sample(page: Page, tag: int, samples: int) -> set[int]:
    """What a tag says of the samples, 1 where it says nothing. Raises DamagedError where it speaks of others."""
    said = page.values(tag, _MOST_SAMPLES) or (1,)
    if len(said) not in {1, samples}:
        raise DamagedError(f"tag {tag} speaks of {len(said)} samples, a pixel has {samples}")
    return set(said)


def _require_laid_out_plainly(page: Page) -> None:
    """Raises NotOnePictureError for what decoders read differently, or not at all."""
    if _TILES in page and _STRIPS in page:
        raise DamagedError("it has tiles and strips")
    if page.one(_PLANAR, 1) not in {1, 2}:
        raise DamagedError("its samples lie neither together nor in planes")
    if page.one(_FILL_ORDER, 1) != 1:
        raise NotOnePictureError("its bits run backwards (FillOrder 2); export it with FillOrder 1")
    compression = page.one(_COMPRESSION, _NO_COMPRESSION)
    if compression not in _CHECKS:
        raise NotOnePictureError(f"compression {compression}; export Deflate, LZW, PackBits or none")
    predictor = page.one(_PREDICTOR, _NO_PREDICTOR)
    allowed = {_NO_PREDICTOR, _DIFFERENCES} if compression in {_LZW, _ADOBE_DEFLATE, _DEFLATE} else {_NO_PREDICTOR}
    if predictor not in allowed:
        raise NotOnePictureError(f"predictor {predictor} with compression {compression}; export it without a predictor")


def _require_alone(page: Page, pages: int) -> None:
    """Raises NotOnePictureError for a page that stands for more than one picture. ``pages``: of the whole file, which
    the description of its first may be about.
    """
    if page.one(_DEPTH, 1) != 1 or page.one(_TILE_DEPTH, 1) != 1:
        raise NotOnePictureError("a volume in one page; export each slice as a page or a file of its own")
    if not all(below.aside for below in page.below()):
        raise NotOnePictureError("another picture lies below its page (SubIFDs); export it alone")
    described = page.text(ifd.DESCRIPTION)
    images, shape = _IMAGES.search(described), _SHAPE.match(described)
    held = page.one(_WIDTH, 0) * page.one(_HEIGHT, 0) * page.one(_SAMPLES, 1)
    values = prod(int(side) for side in shape[1].split(b",") if side.strip()) if shape else 0
    if (images and int(images[1]) > pages) or values > held * pages:
        raise NotOnePictureError("several pictures behind one page, as its description says; export a page for each")


class _Block(NamedTuple):
    """A strip or a tile. ``place``: in the file; ``size``: of its samples in bytes, once decompressed; ``most``: of a
    whole one, which the last may be filled up to.
    """

    place: range
    size: int
    most: int


def _require_apart(places: Sequence[range]) -> None:
    """Raises DamagedError where pixels lie in other pixels, or in what says where they lie."""
    in_order = sorted(places, key=lambda place: place.start)
    if any(after.start < before.stop for before, after in pairwise(in_order)):
        raise DamagedError("its strips or tiles lie in one another, or in its tags")


def _blocks(page: Page, raw: bytes) -> Iterator[_Block]:
    """Raises DamagedError where they are not as many as the picture takes, or not all in the file."""
    width, height, samples = page.one(_WIDTH, 0), page.one(_HEIGHT, 0), page.one(_SAMPLES, 1)
    planes = samples if page.one(_PLANAR, 1) == 2 else 1
    pixel = page.values(_BITS, _MOST_SAMPLES)[0] // 8 * samples // planes
    if _TILES in page:
        across, down = page.one(_TILE_WIDTH, 0), page.one(_TILE_HEIGHT, 0)
        if not across or not down:
            raise DamagedError("tiles without width or height")
        most, places, lengths = across * down * pixel, _TILES, _TILE_BYTES
        sizes = [most] * (-(-width // across) * -(-height // down))
    else:
        rows = min(page.one(_STRIP_ROWS, height) or height, height)
        most, places, lengths = rows * width * pixel, _STRIPS, _STRIP_BYTES
        sizes = [min(rows, height - top) * width * pixel for top in range(0, height, rows)]
    if not page.count(places) == page.count(lengths) == len(sizes) * planes:
        raise DamagedError(f"{page.count(places)} strips or tiles where its size takes {len(sizes) * planes}")
    offsets, counts = page.values(places, _MOST_BLOCKS), page.values(lengths, _MOST_BLOCKS)
    for offset, count, size in zip(offsets, counts, sizes * planes, strict=True):
        if not count or offset + count > len(raw):
            raise DamagedError("cut short")
        yield _Block(range(offset, offset + count), size, most)


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
