"""Scores that were recorded when a model was at hand: how a network too large to ship keeps its row in the tables."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from convert.lots.lot import LabelledLot
from convert.metrics.defects import Scores
from edge.core.errors import ConfigError, UsageError


class Recorded(NamedTuple):
    """p_defect by the digest of a lot's truth."""

    path: Path
    by_digest: Mapping[str, Scores]

    def of(self, lot: LabelledLot) -> Scores:
        """The scores of this very lot. Raises UsageError when they were recorded on another."""
        if lot.truth_digest not in self.by_digest:
            raise UsageError(
                f"{self.path}: holds no scores of the joints of {lot.name}; simulate the reference lots "
                "(axi-convert simulate --reference), or name the models to evaluate without this one"
            )
        return self.by_digest[lot.truth_digest]


def save_recorded(path: Path, scores: Mapping[str, Scores]) -> None:
    """Write p_defect by the digest of a lot's truth, float32."""
    arrays = {f"scores{i}": score.astype(np.float32) for i, score in enumerate(scores.values())}
    np.savez_compressed(path, digests=np.array(json.dumps(list(scores))), **arrays)


def load_recorded(path: Path) -> Recorded:
    """Raises ConfigError."""
    try:
        with path.open("rb") as stream, np.load(stream) as stored:
            digests = json.loads(str(stored["digests"]))
            return Recorded(path, {key: stored[f"scores{i}"].astype(np.float64) for i, key in enumerate(digests)})
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{path}: not readable as recorded scores ({error}); name a model, or make the reference models anew"
        ) from error
