"""``axi-convert reference``: make the shipped models again, from nothing but their recipe.

Every step leaves a file in the work folder and is skipped when its file is there, so an interrupted run goes on where
it was; training itself resumes after its last whole epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from convert.reference.curve import make_curve
from convert.reference.grades import make_grades
from convert.reference.papers import make_papers
from convert.reference.provenance import Tell
from convert.reference.recipe import REFERENCE, Recipe
from convert.reference.slicenet import make_slicenet

PARTS: dict[str, Callable[[Recipe, Path, Path, Tell], None]] = {
    "papers": make_papers,
    "slicenet": make_slicenet,
    "curve": make_curve,
    "neurofuzzy": make_grades,
}
"""What can be made by itself."""


def make_reference(
    work: Path, out: Path, tell: Tell, parts: Sequence[str] = tuple(PARTS), recipe: Recipe = REFERENCE
) -> None:
    """Simulate, train the networks, record; the shipped files end in ``out``."""
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    for part in parts:
        PARTS[part](recipe, work, out, tell)
