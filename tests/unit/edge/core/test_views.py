"""What views look like: learnt from some boards, told from mistakes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from msgspec import msgpack
from msgspec.structs import replace
from numpy.typing import NDArray

from edge.core.learning import LEAST_BOARDS, learnt
from edge.core.looks import SIDE, Look, Sight, blended
from edge.core.reference import Doubt, Known, Reference, known_of
from edge.judging.look import look_of
from tests.support.views import as_stored, drawing, pictured, reference_of, sight_of, sights

Stack = NDArray[np.uint8]
DRAWN, OTHER = drawing(1), drawing(2)


@pytest.fixture(scope="module")
def known() -> Known:
    reference = reference_of(sights(DRAWN, np.random.default_rng(1), LEAST_BOARDS))
    return Known(msgpack.decode(msgpack.encode(reference), type=Reference))


@pytest.fixture(scope="module")
def boards() -> list[Stack]:
    rng = np.random.default_rng(2)
    return [pictured(DRAWN, rng, (0, 0)) for _ in range(10)]


def test_other_boards_of_the_type_are_right(known: Known) -> None:
    doubts = [known.doubt(sight).text for sight in sights(DRAWN, np.random.default_rng(3), 100)]
    assert doubts == [""] * 100


MISTAKES: dict[str, Callable[[Stack], Stack]] = {
    "turned by 180 degrees": lambda seen: seen[:, ::-1, ::-1],
    "turned by 90 degrees": lambda seen: np.rot90(seen, 1, (1, 2)),
    "mirrored left to right": lambda seen: seen[:, :, ::-1],
    "mirrored top to bottom": lambda seen: seen[:, ::-1],
    "slices in reverse order": lambda seen: seen[::-1],
    "slices 1 and 2 swapped": lambda seen: seen[[0, 2, 1]],
    "darker": lambda seen: as_stored(0.3 * seen),
    "brighter": lambda seen: as_stored(1.6 * seen),
    "poorer in contrast": lambda seen: as_stored(seen / 4 + 135.0),
    "noisier": lambda seen: as_stored(seen + np.random.default_rng(4).normal(0, 12, seen.shape)),
    "smoother": lambda seen: np.stack([cv2.GaussianBlur(grey, (0, 0), 2) for grey in seen]).astype(np.uint8),
    "of 2 slices, not 3": lambda seen: seen[:2],
    "of 256 x 200 pixels, not 256 x 256": lambda seen: seen[:, :200],
}


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_mistake_of_an_exporter_is_named(known: Known, boards: list[Stack], mistake: str) -> None:
    doubts = [known.doubt(sight_of(np.ascontiguousarray(MISTAKES[mistake](seen)))).text for seen in boards]
    assert all(mistake in doubt for doubt in doubts), doubts


def test_a_mistake_that_nobody_thought_of_is_unlike_every_board(known: Known) -> None:
    rng = np.random.default_rng(5)
    stripes = np.tile(190 + 25 * np.sin(np.arange(256) / 6), (3, 256, 1))
    text = np.full((3, 256, 256), 190.0, np.float32)
    for grey in text:
        for line in range(20, 256, 20):
            cv2.putText(grey, "no joint is shown here", (4, line), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (110.0,), 2)
    for wrong in (stripes, text, rng.integers(0, 256, (3, 256, 256))):
        assert known.doubt(sight_of(as_stored(wrong + rng.normal(0, 4, wrong.shape)))).text


def test_another_view_of_the_board_is_named(known: Known) -> None:
    rng = np.random.default_rng(6)
    other = Known(reference_of(sights(OTHER, rng, LEAST_BOARDS), {"top-1": known}))
    assert other.reference.told_views == ("top-1",)
    said, views = "the picture of view top-2", {"top-2": other}
    assert {known.doubt(sight, views) for sight in sights(OTHER, rng, 10)} == {Doubt(said, mistake=True)}
    assert {known.doubt(sight, views).text for sight in sights(DRAWN, rng, 10)} == {""}


@pytest.mark.parametrize("shift", [(0, 10), (-9, 0)])
def test_a_picture_that_is_shifted_under_its_boxes_is_doubted(
    known: Known, boards: list[Stack], shift: tuple[int, int]
) -> None:
    assert all("against its boxes" in known.doubt(sight_of(seen, shift)).text for seen in boards)


def test_few_boards_are_not_learnt_from() -> None:
    assert learnt(sights(DRAWN, np.random.default_rng(7), LEAST_BOARDS - 1)).reference is None
    assert learnt([]).reference is None


def test_a_board_unlike_the_others_is_not_learnt_from(boards: list[Stack]) -> None:
    rng = np.random.default_rng(8)
    wrong = [
        sight_of(boards[0][:, ::-1, ::-1]),
        sight_of(boards[1][::-1]),
        sight_of(boards[2][:2]),
        *sights(OTHER, rng, 2),
    ]
    found = learnt([*wrong[:2], *sights(DRAWN, rng, LEAST_BOARDS), *wrong[2:]])
    assert found.odd == (0, 1, LEAST_BOARDS + 2, LEAST_BOARDS + 3, LEAST_BOARDS + 4)
    assert found.reference is not None
    assert found.reference.boards == LEAST_BOARDS
    assert all(Known(found.reference).doubt(sight).text for sight in wrong)


def test_boards_of_two_looks_are_not_learnt_from() -> None:
    """Their mean would be neither, and every mistake between them would pass."""
    rng = np.random.default_rng(13)
    right = [pictured(DRAWN, rng, (0, 0)) for _ in range(2 * LEAST_BOARDS)]
    mixed = [np.ascontiguousarray(seen[:, :, ::-1]) if number % 2 else seen for number, seen in enumerate(right)]
    assert learnt([sight_of(seen) for seen in mixed]).reference is None
    assert learnt([sight_of(seen) for seen in right]).reference is not None


def test_one_dark_board_does_not_make_dark_ones_right(boards: list[Stack]) -> None:
    rng = np.random.default_rng(14)
    dark = as_stored(0.4 * boards[0])
    found = learnt([sight_of(dark), *sights(DRAWN, rng, LEAST_BOARDS)])
    assert found.odd == (0,)
    assert found.reference is not None
    assert "darker" in Known(found.reference).doubt(sight_of(as_stored(0.5 * boards[1]))).text


def test_one_board_with_its_boxes_elsewhere_does_not_make_that_right(boards: list[Stack]) -> None:
    found = learnt([sight_of(boards[0], (0, 60)), *sights(DRAWN, np.random.default_rng(15), LEAST_BOARDS)])
    assert found.odd == (0,)
    assert found.reference is not None
    assert Known(found.reference).doubt(sight_of(boards[1], (0, 30))).mistake


def test_boxes_on_other_joints_than_they_name_are_doubted(known: Known, boards: list[Stack]) -> None:
    for seen in boards:
        sight = sight_of(seen)
        swapped = replace(sight, boxes=replace(sight.boxes, joints=sight.boxes.joints[::-1]))
        assert "from where its joint lies" in known.doubt(swapped).text


def test_a_board_half_a_pixel_elsewhere_is_right_though_all_others_lay_alike() -> None:
    rng = np.random.default_rng(16)
    known = Known(reference_of([sight_of(pictured(DRAWN, rng, (0, 0))) for _ in range(LEAST_BOARDS)]))
    for shift in ((1, 0), (1, 1), (3, 3), (2, 1)):
        doubts = {known.doubt(sight_of(pictured(DRAWN, rng, shift), shift)).text for _ in range(10)}
        assert doubts == {""}, shift


def test_a_reference_that_is_cut_off_or_no_numbers_is_none(known: Known) -> None:
    raw = msgpack.encode(known.reference)
    assert known_of(raw) is not None
    assert known_of(raw[:-7]) is None
    assert known_of(msgpack.encode(replace(known.reference, means=known.reference.means[:-2]))) is None


def test_a_view_that_looks_the_same_when_mirrored_says_so() -> None:
    rng = np.random.default_rng(9)
    half = drawing(3)
    symmetric = (half + half[:, :, ::-1]) / 2
    reference = reference_of([sight_of(pictured(symmetric, rng, (0, 0))) for _ in range(LEAST_BOARDS)])
    assert "mirrored left to right" in reference.missed
    assert "mirrored top to bottom" not in reference.missed
    assert reference_of(sights(DRAWN, rng, LEAST_BOARDS)).missed == ()


def test_slices_that_look_the_same_can_be_swapped_unnoticed() -> None:
    rng = np.random.default_rng(10)
    reference = reference_of(sights(DRAWN[[0, 1, 1]], rng, LEAST_BOARDS))
    assert reference.missed == ("slices 1 and 2 swapped",)
    assert {Known(reference).doubt(sight).text for sight in sights(DRAWN[[0, 1, 1]], rng, 30)} == {""}


def test_a_grid_that_is_shifted_by_one_joint_is_a_named_mistake() -> None:
    rng = np.random.default_rng(15)
    step, slices = 32, 3
    size = 256 + 2 * step
    ground = cv2.GaussianBlur(rng.normal(size=(size, size)).astype(np.float32), (0, 0), 6) * 60 + 180
    for middle in np.ndindex(size // step, size // step):
        place = tuple(int((part + 0.5) * step) for part in middle)
        cv2.circle(ground, place, 9, (80.0,), -1)

    def board(down: int = 0, across: int = 0) -> Sight:
        top, left = step - down, step - across
        cut = ground[top : top + 256, left : left + 256] * rng.normal(1, 0.04)
        return sight_of(as_stored(cut + rng.normal(0, 4, (slices, 256, 256))))

    known = Known(reference_of([board() for _ in range(LEAST_BOARDS)]))
    assert {known.doubt(board()).text for _ in range(20)} == {""}
    for shift in ((step, 0), (0, -step), (step, step)):
        doubts = [known.doubt(board(*shift)) for _ in range(5)]
        assert all(doubt.mistake and "repeats itself" in doubt.text for doubt in doubts), doubts


def test_a_look_does_not_depend_on_the_polarity_that_is_stored(boards: list[Stack]) -> None:
    dark = look_of(dict(enumerate(boards[0])), "solder_dark")
    bright = look_of(dict(enumerate(np.bitwise_not(boards[0]))), "solder_bright")
    assert np.abs(dark.seen() - bright.seen()).max() < 0.1
    assert tuple(dark.levels[0]) == pytest.approx(tuple(bright.levels[0]), abs=0.5)


def test_a_flat_picture_has_a_look_and_is_doubted(known: Known) -> None:
    flat = np.full((3, 256, 256), 190, np.uint8)
    assert known.doubt(sight_of(flat)).text
    assert blended(sight_of(flat).look.seen()).shape == (SIDE, SIDE)


def test_a_sight_is_written_and_read_again(boards: list[Stack]) -> None:
    sight = sight_of(boards[0])
    again = msgpack.decode(msgpack.encode(sight), type=Sight)
    assert again == sight
    assert isinstance(again.look, Look)
