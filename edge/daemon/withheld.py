"""Policy "advise": licences are learnt, and nothing is released by them."""

from __future__ import annotations

from edge.core.licence import NOTHING, Permit
from edge.inspection.ports import Permits


class Withheld:
    """Asks, so that what it is asked of is known, and permits nothing."""

    def __init__(self, licences: Permits) -> None:
        self._licences = licences

    def permit(self, board_type: str, joint_type: str, digest: str) -> Permit:
        self._licences.permit(board_type, joint_type, digest)
        return NOTHING

    def closed(self, board_type: str, *, strange: bool) -> None:
        self._licences.closed(board_type, strange=strange)
