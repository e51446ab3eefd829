"""A duty whose trouble is an alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


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
