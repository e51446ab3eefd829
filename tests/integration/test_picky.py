"""Pictures over which decoders differ, in meaning or in damage: refused, whatever ours would make of them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.core.verdict import Reason
from tests.support.pictures import EIGHT_ROWS, grey_page, packed, read, refusal, saved, tiff, with_text

GREY = np.arange(64 * 80, dtype=np.uint8).reshape(64, 80)
PLAIN = bytes(64)
XMP = '<x:xmpmeta><rdf:RDF xmlns:t="http://ns.adobe.com/tiff/1.0/">{}</rdf:RDF></x:xmpmeta>'


def described(text: bytes) -> bytes:
    """A TIFF with this ImageDescription in the place of its Compression, which is none where nothing is said."""
    text = text.ljust(4, b"\0")
    raw = bytearray(tiff(({}, PLAIN)))
    place = raw.index(struct.pack("<HH", 259, 3))
    struct.pack_into("<HHII", raw, place, 270, 2, len(text), len(raw))
    return bytes(raw) + text


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (tiff(({317: (2,), 259: (32_773,)}, packed(*EIGHT_ROWS))), "predictor 2 with compression 32773"),
        (tiff(({317: (2,)}, PLAIN)), "predictor 2 with compression 1"),
        (tiff(({317: (3,), 259: (8,)}, zlib.compress(PLAIN))), "predictor 3"),
        (tiff(({32_997: (6,)}, PLAIN)), "a volume in one page"),
        (tiff(({262: (3,)}, PLAIN)), "a palette that does not name all 256 colours"),
        (tiff(({262: (3,), 320: (0,) * 300}, PLAIN)), "a palette that does not name all 256 colours"),
        (described(b"ImageJ=1.11a\nimages=6\nslices=6\n"), "several pictures behind one page"),
        (described(b'{"shape": [6, 8, 8]}'), "several pictures behind one page"),
    ],
)
def test_a_tiff_that_means_something_else_is_refused_with_a_remedy(raw: bytes, says: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, raw)
    assert error.reason == Reason.SLICE_FORMAT
    assert says in str(error)


@pytest.mark.parametrize(
    "text", [b"ImageJ=1.11a\nimages=1\n", b'{"shape": [8, 8]}', b'{"shape": [1, 8, 8]}', b"V810", b""]
)
def test_a_description_of_one_picture_is_none_of_ours(text: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, described(text)).shape == (8, 8)


@pytest.mark.parametrize(
    "tags",
    [
        {262: (1, 0)},
        {262: (0, 1)},
        {317: (1, 2)},
        {258: (8, 8)},
        {258: (8, 16)},
        {339: (1, 1)},
        {284: (0,)},
        {284: (3,)},
        {256: (8, 9)},
    ],
)
def test_a_tag_with_more_values_than_it_may_have_is_refused(tags: dict[int, tuple[int, ...]], tmp_path: Path) -> None:
    assert refusal(tmp_path, tiff((tags, PLAIN))).reason == Reason.SLICE_UNREADABLE


def test_any_tag_that_stands_twice_is_refused(tmp_path: Path) -> None:
    raw = tiff(({317: (1,), 339: (1,)}, PLAIN)).replace(struct.pack("<HH", 339, 3), struct.pack("<HH", 317, 3))
    assert "tag 317 stands there twice" in str(refusal(tmp_path, raw))


@pytest.mark.parametrize("aside", [True, False])
def test_what_lies_below_a_page_may_only_be_a_preview(tmp_path: Path, *, aside: bool) -> None:
    """Its file is the picture's own, whose last page becomes the one below: the link to it is moved into tag 330."""
    raw = bytearray(tiff(({330: (1, 1)}, PLAIN), grey_page(9, **({"t254": (1,)} if aside else {}))))
    place = raw.index(struct.pack("<HHI", 330, 3, 2))
    first = struct.unpack_from("<I", raw, 4)[0]
    link = first + 2 + 12 * struct.unpack_from("<H", raw, first)[0]
    struct.pack_into("<HHI4s", raw, place, 330, 4, 1, bytes(raw[link : link + 4]))
    raw[link : link + 4] = bytes(4)
    if aside:
        assert (read(tmp_path, bytes(raw)) == 0).all()
    else:
        assert "below its page" in str(refusal(tmp_path, bytes(raw)))


def test_a_tag_that_claims_more_than_memory_holds_is_not_looked_up(tmp_path: Path) -> None:
    many = 2**28
    raw = bytearray(tiff(({}, PLAIN)))
    struct.pack_into("<I", raw, raw.index(struct.pack("<HH", 273, 3)) + 4, many)
    assert refusal(tmp_path, bytes(raw)).reason == Reason.SLICE_UNREADABLE


@pytest.mark.parametrize(
    "said",
    [
        '<rdf:Description t:Orientation="3"/>',
        "<rdf:Description t:Orientation='6'/>",
        '<rdf:Description\nOrientation = "06"/>',
        "<t:Orientation>&#54;</t:Orientation>",
        '<t:Orientation rdf:datatype="int">8</t:Orientation>',
        "<Orientation>sideways</t:Orientation>",
        '<a t:Orientation="' + " " * 70 + '6"/>',
        '<a t:Orientation="' + " " * 5_000 + '1"/>',
        '<a another:Orientation="6"/>',
    ],
)
@pytest.mark.parametrize("how", ["plain", "wide", "iTXt", "zTXt"])
def test_xmp_that_turns_a_picture_is_found_however_it_is_written(said: str, how: str, tmp_path: Path) -> None:
    text = XMP.format(said)
    if how in {"plain", "wide"}:
        packet = text.encode("utf-16" if how == "wide" else "utf-8")
        raw = saved(GREY, "BMP") + packet
    elif how == "iTXt":
        raw = with_text(saved(GREY, "PNG"), b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(text.encode()))
    else:
        raw = with_text(saved(GREY, "PNG"), b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(text.encode()))
    error = refusal(tmp_path, raw)
    assert error.reason == Reason.SLICE_FORMAT
    assert "in its XMP" in str(error)


@pytest.mark.parametrize(
    "said",
    [
        '<a t:Orientation="1"/>',
        "<t:Orientation> 01 </t:Orientation>",
        '<a t:AutoOrientation="6"/>',
        '<a t:Orientation="Horizontal (normal)"/>',
        '<a foo:Orientation="Portrait"/>',
    ],
)
def test_xmp_of_an_upright_picture_is_none_of_ours(said: str, tmp_path: Path) -> None:
    assert (read(tmp_path, saved(GREY, "BMP") + XMP.format(said).encode()) == GREY).all()


def test_a_text_that_does_not_decompress_is_damage(tmp_path: Path) -> None:
    raw = with_text(saved(GREY, "PNG"), b"zTXt", b"Comment\0\0nonsense")
    assert refusal(tmp_path, raw).reason == Reason.SLICE_UNREADABLE


def palette_png(colours: int) -> bytes:
    """Every entry white, of pixels that have colours from 0 to 119."""
    picture = Image.fromarray(GREY % 120)
    picture.putpalette(b"\xff" * 768)
    whole = saved(picture, "PNG")
    place = whole.index(b"PLTE")
    length = int.from_bytes(whole[place - 4 : place], "big")
    content = b"PLTE" + b"\xff" * (3 * colours)
    chunk = struct.pack(">I", 3 * colours) + content + struct.pack(">I", zlib.crc32(content))
    return whole[: place - 4] + chunk + whole[place + 8 + length :]


@pytest.mark.parametrize("colours", [256, 200, 120])
def test_a_palette_names_every_colour_that_a_pixel_has(colours: int, tmp_path: Path) -> None:
    assert (read(tmp_path, palette_png(colours)) == 255).all()
    raw = bytearray(saved(GREY % 120, "BMP"))
    struct.pack_into("<I", raw, 46, colours)
    assert (read(tmp_path, bytes(raw)) == GREY % 120).all()


@pytest.mark.parametrize("colours", [119, 1])
def test_a_pixel_of_no_colour_is_refused(colours: int, tmp_path: Path) -> None:
    raw = bytearray(saved(GREY % 120, "BMP"))
    struct.pack_into("<I", raw, 46, colours)
    for each in (palette_png(colours), bytes(raw)):
        error = refusal(tmp_path, each)
        assert error.reason == Reason.SLICE_FORMAT
        assert f"a pixel of colour 119, and a palette of {colours}" in str(error)


@pytest.mark.parametrize("largest", [0, 255])
def test_a_palette_of_the_wrong_depth_is_refused(largest: int, tmp_path: Path) -> None:
    raw = tiff(({262: (3,), 320: (largest,) * 768}, PLAIN))
    assert "a palette of 8 bits in the place of 16" in str(refusal(tmp_path, raw))
    assert (read(tmp_path, tiff(({262: (3,), 320: (65_535,) * 768}, PLAIN))) == 255).all()


def test_a_description_of_a_stack_on_its_first_page_is_no_reason_to_refuse_it(tmp_path: Path) -> None:
    for text in (b"ImageJ=1.11a\nimages=2\n", b'{"shape": [2, 8, 8]}'):
        one = described(text)
        first = struct.unpack_from("<I", one, 4)[0]
        raw = bytearray(one)
        link = first + 2 + 12 * struct.unpack_from("<H", one, first)[0]
        struct.pack_into("<I", raw, link, len(raw))
        raw += one[first : link + 4]  # a page that shares its pixels is a page all the same
        assert read(tmp_path, bytes(raw), page=0).shape == (8, 8)
        assert "2 pictures in one file" in str(refusal(tmp_path, bytes(raw)))


def test_small_files_that_claim_much_are_refused_at_once(tmp_path: Path) -> None:
    raw = bytearray(tiff(({}, PLAIN)) + bytes(1_000_000))
    struct.pack_into("<H", raw, struct.unpack_from("<I", raw, 4)[0], 65_400)
    assert "a page of 65400 tags" in str(refusal(tmp_path, bytes(raw)))
    texts = saved(GREY, "PNG")
    for _ in range(101):
        texts = with_text(texts, b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000)))
    assert "more than 100 texts" in str(refusal(tmp_path, texts))


@pytest.mark.parametrize("kind", [b"exif", b"APP1", b"xmp", b"icc", b"iptc"])
def test_only_profiles_that_may_turn_a_picture_are_refused(kind: bytes, tmp_path: Path) -> None:
    raw = with_text(saved(GREY, "PNG"), b"tEXt", b"Raw profile type " + kind + b"\0hex")
    if kind in {b"icc", b"iptc"}:
        assert (read(tmp_path, raw) == GREY).all()
    else:
        assert "EXIF written as text" in str(refusal(tmp_path, raw))


def test_exif_need_not_say_that_nothing_follows(tmp_path: Path) -> None:
    upright = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 274, 3, 1, 1, 0)
    assert (read(tmp_path, with_text(saved(GREY, "PNG"), b"eXIf", upright)) == GREY).all()
    turned = upright[:-4] + struct.pack("<HH", 6, 0)
    assert "orientation 6" in str(refusal(tmp_path, with_text(saved(GREY, "PNG"), b"eXIf", turned)))


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [(b"tRNS", b"\0\5", "see-through"), (b"fcTL", bytes(26), "an animation"), (b"fdAT", bytes(9), "an animation")],
)
def test_a_png_that_is_see_through_or_moves_is_refused(kind: bytes, content: bytes, says: str, tmp_path: Path) -> None:
    assert says in str(refusal(tmp_path, with_text(saved(GREY, "PNG"), kind, content)))


def jpeg_of_scans(planes: int) -> bytes:
    """A baseline JPEG of three components, a scan for each, of which the first ``planes`` are there."""
    greys = [saved(np.full((64, 80), level, np.uint8), "JPEG") for level in (90, 128, 200)]
    frame = greys[0].index(b"\xff\xc0")
    scan = greys[0].index(b"\xff\xda")
    segment = greys[0][frame : frame + 2 + int.from_bytes(greys[0][frame + 2 : frame + 4], "big")]
    three = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    header = segment[:2] + struct.pack(">H", 8 + 9) + segment[4:9] + b"\3" + three
    raw = greys[0][:frame] + header + greys[0][frame + len(segment) : scan]
    for number, grey in enumerate(greys[:planes], 1):
        entropy = grey[grey.index(b"\xff\xda") + 10 : -2]
        raw += b"\xff\xda\x00\x08\x01" + bytes([number, 0x00, 0, 63, 0]) + entropy
    return raw + b"\xff\xd9"


def test_every_component_of_a_jpeg_has_had_its_scan(tmp_path: Path) -> None:
    assert np.asarray(Image.open(io.BytesIO(jpeg_of_scans(3)))).shape == (64, 80, 3)
    assert read(tmp_path, jpeg_of_scans(3)).shape == (64, 80)
    for planes in (1, 2):
        error = refusal(tmp_path, jpeg_of_scans(planes))
        assert error.reason == Reason.SLICE_UNREADABLE
        assert "some of its scans are missing" in str(error)
