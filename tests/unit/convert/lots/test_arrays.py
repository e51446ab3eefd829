"""A lot as arrays that any tool reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.cli import main
from convert.lots.reading import load_lot
from convert.lots.truth import read_truth
from edge.core.preprocess import PreprocessSpec


@pytest.mark.parametrize("words", [[], ["--size", "32", "--margin", "2"]])
def test_patches_labels_and_truth_are_those_of_the_lot_in_one_order(
    words: list[str], lots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "arrays"
    assert main(["arrays", str(lots / "evaluate"), "--out", str(out), *words]) == 0
    spec = PreprocessSpec(size=32, margin=2.0) if words else PreprocessSpec()
    lot = load_lot(lots / "evaluate", spec)
    patches = np.load(out / "patches.npy", mmap_mode="r")
    assert (patches.dtype, patches.shape) == (np.uint8, (len(lot.rows), *spec.input_shape))
    assert np.array_equal(patches, lot.patches)
    assert np.array_equal(np.load(out / "labels.npy"), lot.labels)
    assert list(read_truth(out).values()) == list(lot.rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arrays"]
    said = " ".join(capsys.readouterr().err.split())
    assert f"uint8 {patches.shape}" in said.replace("( ", "(")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--channels", "7"], "--channels 7"),
        (["--margin", "9"], "--margin 9"),
        (["--out", "."], "exists already"),
        (["--out", "LOT/arrays"], "lies within the lot"),
        (["--channels", "2"], "it has 4, so take as many"),
    ],
)
def test_what_cannot_be_is_refused(
    words: list[str], says: str, lots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lot = lots / "evaluate"
    assert (
        main(
            ["arrays", str(lot), "--out", str(tmp_path / "arrays"), *(word.replace("LOT", str(lot)) for word in words)]
        )
        == 2
    )
    assert says in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "arrays").exists()
