"""Varied joints are the same on every computer, or nothing could be compared."""

from __future__ import annotations

import hashlib

import numpy as np

from edge.core.variants import variants


def test_they_are_the_same_everywhere() -> None:
    rows, columns = np.ogrid[:32, :32]
    patch = np.stack([(rows * 7 + columns * channel) % 256 for channel in range(3)], -1).astype(np.uint8)
    found = np.stack(list(variants([patch, patch[::-1]], 40)))
    assert (found.shape, found.dtype) == ((40, 32, 32, 3), np.uint8)
    assert (
        hashlib.sha256(found.tobytes()).hexdigest()
        == "9c8b575a44dafb271e8fb3f6798245ea53983bbdfc6f5d31a951fe8c5d72de0b"
    )


def test_they_differ_from_each_other_and_begin_alike() -> None:
    patch = np.arange(16 * 16, dtype=np.uint8).reshape(16, 16, 1)
    many = [one.tobytes() for one in variants([patch], 60)]
    assert len(set(many)) == len(many)
    assert many[:20] == [one.tobytes() for one in variants([patch], 20)]


def test_a_row_of_features_is_varied_too() -> None:
    (found,) = variants([np.full((1, 1, 5), 200, np.uint8)], 1)
    assert (found.shape, found.dtype) == ((1, 1, 5), np.uint8)
