"""What licences permit, within what the configuration allows from this moment on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.core.release import NOTHING, Permit
from edge.core.rules import Rule
from edge.core.verdict import Reason
from edge.inspection.ports import Permits


class Within:
    """Until licences are weighed anew after a reload, they may go by a point that is no longer allowed."""

    def __init__(self, licences: Permits, rules: Mapping[str, Sequence[Rule]]) -> None:
        self._licences, self._rules = licences, rules

    def permit(self, board_type: str, joint_type: str, digest: str) -> Permit:
        found = self._licences.permit(board_type, joint_type, digest)
        return found if found.rule is None or found.rule in self._rules.get(digest, ()) else NOTHING

    def closed(self, board_type: str, *, strange: bool) -> None:
        self._licences.closed(board_type, strange=strange)


class Withheld:
    """Permits nothing, for ``reason``; ``asked``: who is asked nonetheless, so that what is asked of is known."""

    def __init__(self, asked: Permits | None, reason: Reason) -> None:
        self._asked, self._nothing = asked, NOTHING._replace(reason=reason)

    def permit(self, board_type: str, joint_type: str, digest: str) -> Permit:
        if self._asked is not None:
            self._asked.permit(board_type, joint_type, digest)
        return self._nothing

    def closed(self, board_type: str, *, strange: bool) -> None:
        if self._asked is not None:
            self._asked.closed(board_type, strange=strange)
