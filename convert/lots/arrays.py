"""A lot as plain arrays, for whoever trains with tools of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from convert.lots.lot import LabelledLot
from convert.lots.truth import truth_writer

PATCHES, LABELS = "patches.npy", "labels.npy"
_AT_ONCE = 256


def write_arrays(lot: LabelledLot, out: Path, tick: Callable[[int], None] = lambda _: None) -> None:
    """Write the new folder ``out``: patches.npy, uint8 (n, size, size, channels); labels.npy, int64 (n,), 1 for a
    defect; and truth.csv, their joints in the same order. ``tick`` is told of joints as they are written.

    Raises UsageError for graded joints; OSError.
    """
    rows, unfinished = lot.defect_rows, out.with_name(f".{out.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        about = {"descr": "|u1", "fortran_order": False, "shape": (len(rows), *lot.files.shape)}
        with (unfinished / PATCHES).open("wb") as stream:  # not mapped: a full disk is an error then, and no signal
            np.lib.format.write_array_header_1_0(stream, about)  # type: ignore[no-untyped-call]
            for batch in lot.batches(_AT_ONCE):
                stream.write(batch.tobytes())
                tick(len(batch))
        np.save(unfinished / LABELS, lot.labels)
        with truth_writer(unfinished) as write:
            write(rows)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
