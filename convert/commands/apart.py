"""What commands ask of lots: ``--by``, what keeps them apart, and ``--colours``."""

from __future__ import annotations

import argparse
from typing import get_args

from convert.lots.lot import Apart, LabelledLot

_WORDS: dict[str, Apart] = {name.replace(" ", "-"): name for name in get_args(Apart)}


def add_apart(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--by",
        choices=list(_WORDS),
        help="what keeps lots apart (default: board types, or serials where joints name no type)",
    )


def add_colours(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--colours", action="store_true", help="optical pictures: take the luminance of those in colours"
    )


def asked(word: str | None) -> Apart | None:
    return _WORDS[word] if word else None


def apart(lot: LabelledLot, word: str | None) -> LabelledLot:
    """The lot, kept apart as was asked. Raises UsageError where it cannot be."""
    by = asked(word)
    return lot.kept_apart(by) if by else lot
