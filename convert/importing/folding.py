"""One fault in many rows, said once: people look for the cause, not for each row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from convert.importing.found import Problem

_CHANGES = re.compile(r"'[^']*'|\"[^\"]*\"|\([^()]*\)|\S*[\d/\\]\S*")
"""What differs between rows with the same fault: what is quoted, in brackets, or has a digit or a path in it."""


class Folded(NamedTuple):
    """A fault, as it was found first; ``others``: where else it is."""

    first: Problem
    others: tuple[str, ...]

    def __str__(self) -> str:
        if not self.others:
            return str(self.first)
        last = "" if len(self.others) == 1 else f" to {self.others[-1]}"
        return f"{self.first} (so are {len(self.others)} more, {self.others[0]}{last})"


def folded(problems: Sequence[Problem]) -> list[Folded]:
    """Each fault once, in the order they were found, those that nobody can go on with first."""
    groups = dict[tuple[bool, str], list[Problem]]()
    for problem in problems:
        like = problem.text if problem.grave else _CHANGES.sub("#", problem.text)
        groups.setdefault((not problem.grave, like), []).append(problem)
    return [
        Folded(group[0], tuple(one.where for one in group[1:]))
        for _, group in sorted(groups.items(), key=lambda item: item[0][0])
    ]
