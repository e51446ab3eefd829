"""Reviewed joints, judged again with a bundle just activated: what it would have released of them is evidence, too."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from edge import __version__
from edge.adapters.journal.licences import JournalLicences
from edge.adapters.spool_view import survey
from edge.bundle.format import Bundle
from edge.commands import user_name
from edge.config import Settings, bundles_to_load
from edge.core.errors import AxiError
from edge.core.licence import Standing, State, Terms
from edge.core.places import Place
from edge.core.wire import Encoder, Topics
from edge.feedback.evidence import Evidence
from edge.feedback.ports import Key
from edge.jobs.folder import open_folder, read_job
from edge.jobs.vendors import JobDefaults
from edge.judging.loading import LoadedModels, load_models
from edge.judging.ports import Batch, views_of


def replay_reviewed(settings: Settings, bundle: Bundle) -> list[str]:
    """Judge again what was reviewed since the bundle was made, where its pictures are still kept; what came of it, in
    lines for people.

    Joints that were reviewed before may be what the bundle has learnt from, and so prove nothing.
    """
    journal = Path(settings.journal.path)
    if settings.release.policy == "card" or not journal.exists():
        return []
    if journal.stat().st_uid != os.geteuid():
        return [f"reviewed joints not judged again: {journal} belongs to {user_name(journal.stat().st_uid)}"]
    book = JournalLicences(journal)
    try:
        return _replayed(settings, bundle, book)
    finally:
        book.close()


def _replayed(settings: Settings, bundle: Bundle, book: JournalLicences) -> list[str]:
    reviewed = book.reviewed(datetime.fromisoformat(bundle.card.lineage.created), bundle.digest)
    jobs = {job.found.job_id: job.name for job in survey(Path(settings.spool.path)) if job.place is Place.DONE}
    kept = [one for one in reviewed if one.job_id in jobs]
    if not kept:
        return [
            "no reviewed joint to judge again: none was reviewed since this bundle was made whose pictures are kept"
        ]
    wanted = {job_id: [one for one in kept if one.job_id == job_id] for job_id in {one.job_id for one in kept}}
    print(f"judging {len(kept)} reviewed joints of {len(wanted)} jobs again", file=sys.stderr)
    loaded = load_models(bundles_to_load(settings))
    scored = 0
    for job_id, joints in wanted.items():
        folder = Path(settings.spool.path) / Place.DONE / jobs[job_id]
        scores = dict(_scores(settings, folder, loaded, bundle.digest))
        found = [(one.event_id, scores[one.joint]) for one in joints if one.joint in scores]
        book.enter_scores(bundle.digest, found)
        scored += len(found)
    lines = [f"{scored} of {len(kept)} reviewed joints are familiar to it and count"]
    return lines + [_in_a_line(key, standing) for key, standing in _standings(settings, bundle, book)]


def _scores(settings: Settings, folder: Path, loaded: LoadedModels, digest: str) -> Iterator[tuple[str, float]]:
    """(joint, score) of a job's joints that this bundle judges, and believes."""
    encoder = Encoder("", Topics(""), __version__, loaded.models[0].bundle.reference, loaded.routes)
    try:
        job, _ = read_job(open_folder(folder, JobDefaults(settings.spool.joint_type, settings.spool.polarity)))
        for verdict in loaded.judge.views(Batch(job, folder, views_of(job)), lambda: None):
            decision = verdict.decision
            if encoder.model_for(verdict.joint.type).digest == digest and decision.scored and decision.reason is None:
                yield verdict.joint.id, decision.score
    except (AxiError, OSError) as error:
        print(f"axi-edge: {folder}: {error}; not judged again", file=sys.stderr)


def _standings(settings: Settings, bundle: Bundle, book: JournalLicences) -> Sequence[tuple[Key, Standing]]:
    """What the daemon will make of it, but for what was done by hand."""
    asked = settings.release
    model = settings.model
    places = [(model.bundle, model.operating_point)]
    places += [(route.bundle, route.operating_point) for route in model.routes.values()]
    limit = next((point for path, point in places if Path(path).resolve() == bundle.path.resolve()), "")
    terms, rules = Terms(asked.target_escape, asked.confidence), {bundle.digest: bundle.card.rules(limit)}
    evidence = Evidence(terms, rules)
    while spoken := book.spoken(evidence.heard, list(rules)):
        evidence.take(spoken)
    return [(key, line.course(()).standing()) for key, line in sorted(evidence.lines.items())]


def _in_a_line(key: Key, standing: Standing) -> str:
    found = standing.findings
    what = f"{found.escapes + found.caught} reviewed defects, {found.escapes} of them would have escaped"
    earned = (
        f"earns {standing.rule.name}" if standing.rule and standing.state is State.LICENSED else "earns nothing yet"
    )
    return f"{key.board_type} {key.joint_type}: {earned}: {what}"
