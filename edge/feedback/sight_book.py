"""What learning views needs of the journal."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple, Protocol

from edge.core.looks import Sight
from edge.core.reference import Reference
from edge.core.review import Said


class Place(NamedTuple):
    """A view of a board type."""

    board_type: str
    view: str


class SightHeld(NamedTuple):
    """A sight of a view, by its number, and the joints that its job has there."""

    number: int
    joints: tuple[str, ...]
    sight: Sight


class Word(NamedTuple):
    """A review of a joint of a sight. ``score``: p_defect, or the quality index."""

    sight: int
    joint: str
    said: Said
    settled: bool
    digest: str | None
    score: float | None


class SightBook(Protocol):
    """The journal's sights of views, and the references that were learnt of them."""

    def waiting(self, least: int) -> list[tuple[Place, int]]:
        """Views with at least that many sights, and how many."""

    def sights(self, place: Place) -> list[SightHeld]:
        """Of a view, the oldest first."""

    def words(self, place: Place) -> list[Word]:
        """What reviewers said of the joints of its sights."""

    def learn(self, place: Place, reference: Reference, now: datetime) -> None:
        """Keep the reference, and forget the view's sights; durably."""

    def forget_sights(self, numbers: Collection[int]) -> None:
        """Nothing is to be learnt from these."""

    def expire(self, before: datetime, most: int) -> None:
        """Forget sights taken before then, and the oldest where there are more than ``most``."""
