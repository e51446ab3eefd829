"""What learning views needs of the journal."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple, Protocol

from edge.core.looks import Sight
from edge.core.reference import Known, Reference
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

    def stamp(self) -> tuple[int, int, int]:
        """Another one, once there are other sights or reviews."""

    def words(self, place: Place) -> list[Word]:
        """What reviewers said of the joints of its sights."""

    def references(self, board_type: str, without: str) -> dict[str, Known]:
        """The newest of every other view of the board type that can be read."""

    def learn(self, place: Place, reference: Reference, used: Collection[int], now: datetime) -> bool:
        """Keep the reference, and forget the view's sights; durably. Not where a sight that it was learnt from has gone
        meanwhile: somebody had it forgotten.
        """

    def forget_sights(self, numbers: Collection[int]) -> None:
        """Nothing is to be learnt from these."""

    def expire(self, before: datetime, most: int) -> None:
        """Forget sights taken before then, and the oldest where there are more than ``most`` of a board type."""
