"""Files whose pixels lie elsewhere, or mean something else, than those of one upright grey picture."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.core.verdict import Reason
from tests.support.pictures import grey_page, read, refusal, saved, tiff, with_text

GREY = np.arange(64 * 80, dtype=np.uint8).reshape(64, 80)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def with_xmp(jpeg: bytes) -> bytes:
    content = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def untold(tag: int) -> bytes:
    """The TIFF under another tag in the place of this one."""
    return tiff(({}, bytes(64))).replace(struct.pack("<HH", tag, 3), struct.pack("<HH", tag - 1, 3))


def retyped(tag: int, kind: int) -> bytes:
    return tiff(({}, bytes(64))).replace(struct.pack("<HH", tag, 3), struct.pack("<HH", tag, kind))


def broken_bmp(place: int, value: int) -> bytes:
    raw = bytearray(saved(GREY, "BMP"))
    raw[place] = value
    return bytes(raw)


@pytest.mark.parametrize(
    "raw",
    [
        retyped(278, 8),
        retyped(262, 8),
        retyped(273, 13),
        tiff(({}, bytes(64))).replace(struct.pack("<HH", 257, 3), struct.pack("<HH", 256, 3)),
        tiff(({324: (8,), 325: (64,), 322: (8,), 323: (8,)}, bytes(64))),
        broken_bmp(11, 0),
        broken_bmp(14, 41),
    ],
)
def test_what_decoders_would_read_differently_is_refused(raw: bytes, tmp_path: Path) -> None:
    assert refusal(tmp_path, raw).reason == Reason.SLICE_UNREADABLE


@pytest.mark.parametrize("scans", range(1, 6))
def test_a_progressive_jpeg_that_lacks_scans_is_refused(scans: int, tmp_path: Path) -> None:
    """Cut between two scans and ended, it decodes without a word: to a blurred picture."""
    whole = saved(cv2.GaussianBlur(GREY, (0, 0), 2), "JPEG", progressive=True)
    starts = [place for place in range(len(whole)) if whole[place : place + 2] == b"\xff\xda"]
    assert len(starts) == 6
    assert read(tmp_path, whole).shape == GREY.shape
    end = whole.rfind(b"\xff\xc4", 0, starts[scans])  # the Huffman table before the first scan that is left out
    cut = end if end > starts[scans - 1] else starts[scans]
    error = refusal(tmp_path, whole[:cut] + b"\xff\xd9")
    assert error.reason == Reason.SLICE_UNREADABLE
    assert "some of its scans are missing" in str(error)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_picture_that_is_to_be_turned_first_is_refused(kind: str, orientation: int, tmp_path: Path) -> None:
    """A box refers to the picture as it is shown: read as it is stored, it would lie on another joint."""
    options: dict[str, Any] = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": turned(orientation)}
    error = refusal(tmp_path, saved(GREY, kind, **options))
    assert error.reason == Reason.SLICE_FORMAT
    assert f"orientation {orientation} says to turn it; export it upright" in str(error)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_an_upright_picture_that_says_so_is_read(kind: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"tiffinfo": {274: 1}} if kind == "TIFF" else {"exif": turned(1)}
    assert read(tmp_path, saved(GREY, kind, **options)).shape == GREY.shape


def test_the_tiff_that_the_others_are_made_of_is_read(tmp_path: Path) -> None:
    assert (read(tmp_path, tiff(({}, bytes(range(64))))).ravel() == np.arange(64)).all()


PAGES = [Image.fromarray(np.full((64, 80), level, np.uint8)) for level in (10, 90)]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (tiff(({258: (1,)}, bytes(8))), "1 bits a sample; export 8 or 16"),
        (tiff(({258: (10,)}, bytes(80))), "10 bits a sample; export 8 or 16"),
        (tiff(({258: (12,)}, bytes(96))), "12 bits a sample; export 8 or 16"),
        (tiff(({258: (14,)}, bytes(112))), "14 bits a sample; export 8 or 16"),
        (tiff(({258: (16,), 339: (2,)}, bytes(128))), "signed or floating-point samples; export unsigned"),
        (tiff(({258: (8, 8), 277: (2,)}, bytes(128))), "2 samples a pixel of photometric kind 1; export grey alone"),
        (tiff(({262: (5,), 258: (8,) * 4, 277: (4,)}, bytes(256))), "photometric kind 5; export grey alone"),
        (tiff(({266: (2,)}, bytes(64))), "FillOrder 2"),
        (tiff(({259: (7,)}, bytes(64))), "compression 7; export Deflate"),
        (tiff(({256: (60_000,), 257: (60_000,)}, bytes(64))), "60000 x 60000 pixels, more than 64 megapixels"),
        (tiff(({262: (2,), 258: (16,) * 3, 277: (3,)}, bytes(384))), "colours of more than 8 bits"),
        (tiff(({262: (2,), 258: (8,) * 4, 277: (4,)}, bytes(256))), "4 samples a pixel of photometric kind 2"),
        (untold(262), "which way its grey values run"),
        (saved(Image.fromarray(GREY).convert("LA"), "PNG"), "alpha, or colours of 16 bits"),
        (saved(Image.fromarray(GREY).convert("RGBA"), "PNG"), "alpha, or colours of 16 bits"),
        (with_xmp(saved(GREY, "JPEG")), "orientation '6' in its XMP"),
        (with_text(saved(GREY, "PNG"), b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), "orientation '6' in its XMP"),
        (with_text(saved(GREY, "PNG"), b"zTXt", b"Raw profile type exif\0\0x"), "EXIF written as text"),
        (saved(GREY, "BMP")[:30] + b"\x01" + saved(GREY, "BMP")[31:], "compression 1; export without"),
        (saved(GREY.astype(np.float32), "TIFF"), "32 bits a sample"),
        (saved(Image.fromarray(GREY > 9), "TIFF"), "1 bits a sample"),
        (saved(GREY, "TIFF", big_tiff=True), "a BigTIFF; export a classic TIFF"),
        (saved(PAGES[0], "TIFF", save_all=True, append_images=PAGES[1:]), "2 pictures in one file; name each"),
        (saved(PAGES[0], "PNG", save_all=True, append_images=PAGES[1:]), "an animation; export each picture"),
        (saved(Image.fromarray(GREY > 9), "PNG"), "1 bits a sample"),
        (saved(Image.fromarray(GREY > 9), "BMP"), "1 bits a pixel"),
        (saved(Image.fromarray(GREY).convert("CMYK"), "JPEG"), "4 colour components; export grey"),
        (saved(PAGES[0], "MPO", save_all=True, append_images=PAGES[1:]), "several pictures in one file"),
    ],
)
def test_what_is_not_one_grey_picture_is_refused_with_a_remedy(raw: bytes, says: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, raw)
    assert error.reason == Reason.SLICE_FORMAT
    assert says in str(error)


@pytest.mark.parametrize("aside", [{"t254": (1,)}, {"t255": (2,)}, {"t254": (4,)}])
def test_a_preview_or_a_mask_is_not_taken_for_the_picture(aside: dict[str, tuple[int, ...]], tmp_path: Path) -> None:
    error = refusal(tmp_path, tiff(grey_page(10, **aside), grey_page(90)))
    assert error.reason == Reason.SLICE_FORMAT
    assert "its first page is a preview; name the slice's page in a manifest" in str(error)
    assert (read(tmp_path, tiff(grey_page(90), grey_page(10, **aside))) == 90).all()


def test_pages_that_run_in_circles_end(tmp_path: Path) -> None:
    raw = bytearray(tiff(grey_page(10)))
    raw[-4:] = raw[4:8]
    assert refusal(tmp_path, bytes(raw)).reason == Reason.SLICE_UNREADABLE


def test_an_exif_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    whole = bytes(cv2.imencode(".jpg", GREY)[1].tobytes())
    exif = b"Exif\0\0nonsense"
    error = refusal(tmp_path, whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:])
    assert "its EXIF cannot be read" in str(error)
