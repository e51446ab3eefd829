"""Release that is earned while everything dies, and that ends with its evidence."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from edge.adapters.journal.licences import JournalLicences
from edge.bundle.format import open_bundle
from edge.core.licence import Terms
from edge.core.verdict import Call
from edge.feedback.evidence import Evidence
from edge.feedback.ports import Key
from tests.faults.rig import Result, Rig
from tests.faults.stage import EAGER, Stage, pause

_TERMS = Terms(target_escape=0.5, confidence=0.5)
"""Easily convinced, so that a few boards prove enough."""
_KNOWN_ROUNDS = 3
_EASY = 'target_escape = 0.5\nconfidence = 0.5\naudit_share = 0.2\npolicy = "licensed"'


def under_fire(stage: Stage) -> Result:
    """Reviewers know what boards are; daemon and broker are killed in turn. No joint is released before its licence
    can have been earned, nor once an older journal was put back.
    """
    rig = stage.rig({**EAGER, 'policy = "card"': _EASY})
    for number in stage.each_round():
        rig.submit(max(0, 3 - len(rig.device.waiting())))
        rig.start()
        pause(stage.chance, 0.8)
        rig.reviewing.review(known=number < _KNOWN_ROUNDS)
        if number % 3 == 2:
            rig.broker.kill()
            pause(stage.chance, 0.3)
            rig.broker.start()
        pause(stage.chance, 0.5)
        rig.device.kill()
        rig.audited()
    rig.start()
    _earn(rig)
    backup = _backed_up(rig, stage.work / "journal.old")
    rig.start()
    rig.submit(4)
    rig.emptied()
    rig.reviewing.review()
    result = rig.finish()
    early = [one for one in _released(rig.journal) if not _proved(rig.journal, one, stage)]
    return result._replace(wrong=result.wrong + len(early) + _released_after(rig, backup))


def _earn(rig: Rig) -> None:
    """Go on undisturbed until something is released."""

    def something() -> bool:
        if not rig.device.waiting():
            rig.submit(3)
        rig.reviewing.review()
        return bool(_released(rig.journal))

    rig.until(something, "a licence is earned")


def _backed_up(rig: Rig, to: Path) -> Path:
    """The journal as it is now."""
    rig.emptied()
    rig.device.stop()
    shutil.copy(rig.journal, to)
    return to


def _released_after(rig: Rig, backup: Path) -> int:
    """Joints that the device releases once the older journal lies there: it cannot know what was reviewed since."""
    for left in rig.journal.parent.glob("journal.db*"):
        left.unlink()
    shutil.copy(backup, rig.journal)
    rig.device.start()
    names = rig.submit(4)
    rig.emptied()
    rig.device.kill()
    asked = "SELECT count(*) FROM verdict JOIN job ON job.row = job WHERE verdict = ? AND job_id IN (?, ?, ?, ?)"
    with closing(_read(rig.journal)) as db:
        ((released,),) = db.execute(asked, (Call.NORMAL.value, *names)).fetchall()
    return int(released)


class _Release(NamedTuple):
    key: Key
    decided: str


def _released(journal: Path) -> list[_Release]:
    """The first joint of each kind that was."""
    asked = (
        "SELECT board_type, joint_type, digest, min(decided) FROM verdict JOIN job ON job.row = job "
        "WHERE verdict = ? GROUP BY 1, 2, 3"
    )
    with closing(_read(journal)) as db:
        return [_Release(Key(*key), decided) for *key, decided in db.execute(asked, (Call.NORMAL.value,))]


def _proved(journal: Path, release: _Release, stage: Stage) -> bool:
    """Had the reviews that were in by then earned it?"""
    with closing(_read(journal)) as db:
        asked = "SELECT coalesce(max(placed), 0) FROM review WHERE received <= ?"
        ((heard,),) = db.execute(asked, (release.decided,)).fetchall()
    bundles = [open_bundle(folder) for folder in stage.bundles]
    rules = {bundle.digest: bundle.card.rules() for bundle in bundles}
    evidence, book = Evidence(_TERMS, rules), JournalLicences(journal)
    try:
        while found := book.spoken(evidence.heard, [release.key.digest]):
            evidence.take(one for one in found if one.placed <= heard)
            if found[-1].placed > heard:
                break
    finally:
        book.close()
    return evidence.line(release.key).course(()).rule is not None


def _read(journal: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)
