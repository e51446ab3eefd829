"""Troubles that are alarms: of a duty, and of what is left in the spool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge.core.job import printable
from edge.upkeep.alarms import Alarms


class SetAlarm(Protocol):
    def __call__(self, code: str, text: str, *, on: bool) -> None: ...


@dataclass(frozen=True)
class Told:
    """Does ``step``, and says whether that went well."""

    step: Callable[[], None]
    alarm: SetAlarm
    code: str

    def __call__(self) -> None:
        try:
            self.step()
        except Exception as error:
            self.alarm(self.code, f"{error or type(error).__name__}; after some minutes nothing is released", on=True)
            raise
        self.alarm(self.code, "reviews are looked at again", on=False)


def left_behind(alarms: Alarms) -> Callable[[str, str | None], None]:
    """An alarm for each entry of the spool that is left where it lies, and its end when it is gone."""

    def left(entry: str, problem: str | None) -> None:
        name = printable(entry)
        alarms.set("job_left", f"{name}: {problem or 'gone'}", on=problem is not None, about=name)

    return left
