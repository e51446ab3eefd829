"""The figures printed by Zhang et al., on their real boards. They stand beside ours, never against them."""

from __future__ import annotations

from typing import NamedTuple

CAPTION = "their real data, not comparable"
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)


class PaperRow(NamedTuple):
    """Recall and FPR at one threshold: validation, then testing (Tables V and VI)."""

    validation_recall: float
    validation_fpr: float
    test_recall: float
    test_fpr: float


class PaperModel(NamedTuple):
    """One model of the paper: its Table V or VI, and its lines of Tables VII and VIII."""

    table: str
    by_threshold: dict[float, PaperRow]
    chosen_threshold: float
    chosen_recall: float
    chosen_fpr: float
    auroc: float
    fpr_at_90: float
    fpr_at_95: float


PAPER: dict[str, PaperModel] = {
    "cnn3d": PaperModel(
        "V",
        {
            0.1: PaperRow(0.9795, 0.4204, 0.9200, 0.4240),
            0.2: PaperRow(0.9457, 0.3018, 0.8884, 0.2798),
            0.3: PaperRow(0.9149, 0.2248, 0.8654, 0.2058),
            0.4: PaperRow(0.8797, 0.1729, 0.8402, 0.1582),
            0.5: PaperRow(0.8445, 0.1365, 0.8146, 0.1255),
        },
        0.34,
        0.8556,
        0.1849,
        0.9005,
        0.3349,
        0.6040,
    ),
    "cnn-lstm": PaperModel(
        "VI",
        {
            0.1: PaperRow(0.9826, 0.4745, 0.9556, 0.5568),
            0.2: PaperRow(0.9535, 0.3597, 0.9134, 0.3574),
            0.3: PaperRow(0.9213, 0.2564, 0.8754, 0.2433),
            0.4: PaperRow(0.8830, 0.1849, 0.8508, 0.1800),
            0.5: PaperRow(0.8480, 0.1378, 0.8261, 0.1362),
        },
        0.28,
        0.8836,
        0.2908,
        0.8916,
        0.3637,
        0.5872,
    ),
}
"""Table VIII's FPR at 90 and 95 % recall for the LSTM contradict its Table VI rows; both are given as printed."""


def paper_model(network: str) -> PaperModel | None:
    """The paper's model of a network, full or factorised."""
    for name, model in PAPER.items():
        if network.startswith(name):
            return model
    return None
