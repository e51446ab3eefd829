"""Weights rounded and packed: a small file that says exactly what is measured of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convert.networks.compact import rounded, save_compact
from convert.networks.scoring import load_model
from convert.networks.slicenet import slicenet


def test_what_is_loaded_is_what_was_saved_and_half_the_size(tmp_path: Path) -> None:
    model = slicenet()
    model.save(tmp_path / "full.keras")
    kept = [np.array(weight) for weight in model.weights]
    save_compact(model, tmp_path / "small.keras")
    small = load_model(tmp_path / "small.keras")
    for before, now, loaded in zip(kept, model.weights, small.weights, strict=True):
        np.testing.assert_array_equal(now, loaded)
        np.testing.assert_allclose(now, before, rtol=1 / 256)
        if now.name != "kernel":
            np.testing.assert_array_equal(now, before)
    assert (tmp_path / "small.keras").stat().st_size < (tmp_path / "full.keras").stat().st_size / 2
    assert {path.name for path in tmp_path.iterdir()} == {"full.keras", "small.keras"}


@given(st.floats(-(2.0**100), 2.0**100, width=32))
def test_a_value_moves_by_a_256th_at_most_and_twice_is_once(value: float) -> None:
    once = rounded(np.array([value], np.float32))
    assert abs(float(once[0]) - value) <= abs(value) / 256 + 1e-38
    np.testing.assert_array_equal(rounded(once), once)
