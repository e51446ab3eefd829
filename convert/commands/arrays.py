"""``axi-convert arrays``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

import msgspec

from convert.commands import Commands
from convert.commands.apart import add_colours
from convert.reports.terminal import bar, plainly, tell_each
from edge.core.errors import UsageError
from edge.core.job import Polarity
from edge.core.preprocess import PreprocessSpec
from edge.core.wording import in_words

_USUAL = PreprocessSpec()


def add_arrays(commands: Commands) -> None:
    arrays = commands.add_parser("arrays", help="a lot -> joints as NumPy arrays, to train with tools of your own")
    arrays.add_argument("lot", type=Path, metavar="LOT", help="job folders with truth.csv beside them")
    arrays.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder for the arrays")
    for name, words in (
        ("size", "pixels a side"),
        ("channels", "slices"),
        ("margin", "the crop's side over the box's"),
    ):
        usual = getattr(_USUAL, name)
        arrays.add_argument(f"--{name}", type=type(usual), default=usual, help=f"{words} (default {usual})")
    arrays.add_argument(
        "--polarity", choices=get_args(Polarity), default=_USUAL.polarity, help=f"default {_USUAL.polarity}"
    )
    add_colours(arrays)
    arrays.set_defaults(action=_arrays)


def _arrays(arguments: argparse.Namespace) -> int:
    from convert.lots.arrays import LABELS, PATCHES, write_arrays
    from convert.lots.places import require_new
    from convert.lots.reading import load_lot

    said = {key: getattr(arguments, key) for key in ("size", "channels", "margin", "polarity", "colours")}
    try:
        spec = msgspec.convert(said | {"algorithm": "channel-wise/1"}, PreprocessSpec)
    except msgspec.ValidationError as error:
        what, where = in_words(str(error), PreprocessSpec)
        raise UsageError(f"--{where} {said.get(where, '')}: {what}") from error
    require_new(arguments.out, arguments.lot)  # before the lot, which takes longer to read
    lot = load_lot(arguments.lot, spec)
    tell_each(lot.left_out)
    with bar("writing", len(lot.rows)) as progress:
        write_arrays(lot, arguments.out, progress.advance)
    for name, what in (
        (PATCHES, f"uint8 {(len(lot.rows), *spec.input_shape)}; a device gives a network these, divided by 255"),
        (LABELS, f"int64 ({len(lot.rows)},), 1 for each of the {int(lot.labels.sum())} defects"),
        ("truth.csv", "whose joint each is, and its class, in the same order"),
    ):
        plainly(f"{arguments.out / name}: {what}")
    return 0
