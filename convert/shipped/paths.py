"""What ships: names and files of the reference models."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "models"
RECIPES = Path(__file__).parent / "recipes"

QUALITY_MODEL = FOLDER / "neurofuzzy.keras"
"""The network that grades; 50 kB."""

SHIPPED: dict[str, Path] = {
    "baseline": FOLDER / "baseline.json",
    "slicenet": FOLDER / "slicenet.keras",
    "cnn3d": FOLDER / "cnn3d.scores.npz",
    "cnn3d-factorised": FOLDER / "cnn3d-factorised.keras",
    "cnn-lstm": FOLDER / "cnn-lstm.scores.npz",
    "cnn-lstm-factorised": FOLDER / "cnn-lstm-factorised.keras",
}
"""The papers' full networks (220 and 82 MB) are too large to ship; their scores on the papers' lots are recorded."""
