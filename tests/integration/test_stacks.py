"""Several slices as the pages of one TIFF: each is read from the page that the manifest names, or refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from edge.core.errors import JobRefused, SliceError
from edge.core.job import (
    Board,
    ImageFormat,
    Job,
    Joint,
    Roi,
    SliceFile,
    View,
    encode_manifest,
    parse_manifest,
)
from edge.core.verdict import Reason
from edge.judging.slices import read_slice
from edge.judging.view import read_view
from tests.support.builders import make_card

NOISE = np.random.default_rng(4)
SLICES = NOISE.integers(0, 256, (4, 40, 48), np.uint8)
DEEP = NOISE.integers(0, 65_536, (4, 40, 48), np.uint16)
SIXTEEN = ImageFormat(bit_depth=16, window=(0, 65_535))
ASIDE = 254


def stack(slices: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    first, *others = (Image.fromarray(page) for page in slices)
    first.save(stream, "TIFF", save_all=True, append_images=others, **options)
    return stream.getvalue()


def with_preview(slices: np.ndarray) -> bytes:
    """A small picture in front, which says of itself that it is one."""
    stream = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(stream, new=True) as pages:
        for page, tags in ((slices[0, ::4, ::4], {ASIDE: 1}), *((page, {}) for page in slices)):
            Image.fromarray(page).save(pages, "TIFF", tiffinfo=tags)
            pages.newFrame()
    return stream.getvalue()


def page_of(folder: Path, raw: bytes, page: int | None, image: ImageFormat = ImageFormat()) -> np.ndarray:  # noqa: B008
    (folder / "stack.tif").write_bytes(raw)
    return read_slice(folder, SliceFile(index=0, file="stack.tif", page=page), image).grey


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("page", range(4))
def test_each_slice_is_the_page_that_is_named(page: int, compression: str, tmp_path: Path) -> None:
    assert (page_of(tmp_path, stack(SLICES, compression=compression), page) == SLICES[page]).all()
    deep = page_of(tmp_path, stack(DEEP, compression=compression), page, SIXTEEN)
    single = page_of(tmp_path, stack(DEEP[page : page + 1]), None, SIXTEEN)
    assert (deep == single).all()


def test_a_preview_in_front_is_passed_over_where_the_page_is_named(tmp_path: Path) -> None:
    raw = with_preview(SLICES[:1])
    assert (page_of(tmp_path, raw, 1) == SLICES[0]).all()
    with pytest.raises(SliceError, match="page 0 is a preview") as refused:
        page_of(tmp_path, raw, 0)
    assert refused.value.reason == Reason.SLICE_FORMAT


def test_a_page_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SliceError, match=r"it has 4 pages, none of them number 4; pages count from 0") as refused:
        page_of(tmp_path, stack(SLICES), 4)
    assert refused.value.reason == Reason.SLICE_FORMAT


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG"])
def test_only_a_tiff_has_pages(kind: str, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(SLICES[0]).save(stream, kind)
    with pytest.raises(SliceError, match="only a TIFF has a page 1"):
        page_of(tmp_path, stream.getvalue(), 1)
    page_of(tmp_path, stream.getvalue(), 0)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_of_a_stack_cut_short_no_page_is_read_otherwise(share: float, tmp_path: Path) -> None:
    whole = stack(SLICES)
    raw, refused = whole[: int(share * len(whole))], 0
    for page in range(4):
        try:
            assert (page_of(tmp_path, raw, page) == SLICES[page]).all()
        except SliceError:
            refused += 1
    assert refused


def job(*slices: SliceFile) -> Job:
    return Job(
        schema="axi-job/1",
        job_id="J",
        created="2026-11-27T00:00:00Z",
        board=Board(serial="S"),
        views=(View(id="v", slices=slices),),
        joints=(Joint(id="U1.1", type="BGA", view="v", roi=Roi(4, 4, 30, 30)),),
    )


def test_a_view_of_one_stack_is_the_view_of_as_many_files(tmp_path: Path) -> None:
    (tmp_path / "stack.tif").write_bytes(stack(SLICES))
    pages = job(*(SliceFile(index=i, file="stack.tif", page=i) for i in range(4)))
    for i in range(4):
        (tmp_path / f"v0{i}.tif").write_bytes(stack(SLICES[i : i + 1]))
    files = job(*(SliceFile(index=i, file=f"v0{i}.tif") for i in range(4)))
    assert parse_manifest(encode_manifest(pages)).job == pages
    seen = [read_view(each, each.views[0], tmp_path, read_slice, make_card().preprocess) for each in (pages, files)]
    assert [trouble for _, trouble in seen] == [None, None]
    assert all((seen[0][0][i] == seen[1][0][i]).all() for i in range(4))


@pytest.mark.parametrize("pages", [(0, 0), (0, None), (None, None), (1, 2, 1)])
def test_one_picture_is_not_two_slices(pages: tuple[int | None, ...]) -> None:
    told = job(*(SliceFile(index=i, file="stack.tif", page=page) for i, page in enumerate(pages)))
    with pytest.raises(JobRefused, match=r"views\[0\].slices: two slices name the same file"):
        parse_manifest(encode_manifest(told))
