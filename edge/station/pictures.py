"""The slices of joints that wait, read from the spool's finished jobs and never written there."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import cv2

from edge.core.errors import JobRefused, SliceError
from edge.core.job import Job, Roi
from edge.core.places import Place
from edge.core.preprocess import to_polarity
from edge.jobs.folder import open_folder, read_job
from edge.jobs.vendors import JobDefaults
from edge.judging.slices import read_slice
from edge.station.joints import Joint

_PLACES = (Place.DONE, Place.REJECTED, Place.WORK)
_KEPT_JOBS, _KEPT_BYTES = 500, 256 * 1024 * 1024
_QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 1]
"""On one machine a browser decodes sooner than a file gets smaller."""


class Shown(NamedTuple):
    """What of a joint can be shown: the box in pixels of its slices, and how many those are. ``problem``: why nothing
    is.
    """

    roi: Roi | None = None
    slices: tuple[int, ...] = ()
    problem: str = ""


class Pictures:
    """``spool``: the device's. Solder is shown dark, however its pictures are stored."""

    def __init__(self, spool: Path, defaults: JobDefaults) -> None:
        self._spool, self._defaults = spool, defaults
        self._lock = threading.Lock()
        self._folders: dict[str, Path] = {}
        self._seen: set[Path] = set()
        self._jobs: OrderedDict[Path, Job] = OrderedDict()
        self._encoded: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        self._bytes = 0

    def shown(self, joint: Joint) -> Shown:
        """Where the joint lies in which slices."""
        job = self._job(joint.job_id)
        if job is None:
            return Shown(problem="its job is no longer in the spool")
        place = next((one for one in job.joints if one.id == joint.joint), None)
        view = next((view for view in job.views if place and view.id == place.view), None)
        if place is None or view is None:
            return Shown(problem="its job does not name it in a view")
        return Shown(place.roi, tuple(sorted(part.index for part in view.slices)))

    def slice(self, joint: Joint, index: int) -> bytes | None:
        """One slice of the joint's view, as PNG; None where it cannot be read."""
        job = self._job(joint.job_id)
        place = next((one for one in job.joints if one.id == joint.joint), None) if job else None
        if job is None or place is None:
            return None
        key = joint.job_id, place.view, index
        with self._lock:
            if key in self._encoded:
                self._encoded.move_to_end(key)
                return self._encoded[key]
        encoded = self._read(job, place.view, index)
        if encoded is not None:
            self._keep(key, encoded)
        return encoded

    def _read(self, job: Job, view_id: str, index: int) -> bytes | None:
        folder = self._folders.get(job.job_id)
        parts = (part for view in job.views if view.id == view_id for part in view.slices if part.index == index)
        part = next(parts, None)
        if part is None or folder is None:
            return None
        try:
            picture = read_slice(folder, part, job.image)
        except (SliceError, OSError):
            return None
        grey = to_polarity(picture.grey, job.image.polarity, "solder_dark")
        done, encoded = cv2.imencode(".png", grey, _QUICK)
        return encoded.tobytes() if done else None

    def _keep(self, key: tuple[str, str, int], encoded: bytes) -> None:
        with self._lock:
            if key not in self._encoded:
                self._encoded[key] = encoded
                self._bytes += len(encoded)
            while self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._encoded.popitem(last=False)[1])

    def _job(self, job_id: str) -> Job | None:
        """The job of that name, where its folder is still there."""
        with self._lock:
            folder = self._folders.get(job_id)
            if folder is None or not folder.is_dir():
                self._look()
                folder = self._folders.get(job_id)
            if folder is None:
                return None
            if folder not in self._jobs:
                job = self._opened(folder)
                if job is None or job.job_id != job_id:
                    return None
                self._jobs[folder] = job
            self._jobs.move_to_end(folder)
            while len(self._jobs) > _KEPT_JOBS:
                self._jobs.popitem(last=False)
            return self._jobs[folder]

    def _look(self) -> None:
        """Note the folders that are new."""
        there = {path for place in _PLACES for path in _folders(self._spool / place)}
        self._folders = {job: path for job, path in self._folders.items() if path in there}
        for path in there:
            if path not in self._seen or path.parent.name == Place.WORK:
                job = self._opened(path)
                if job is not None:
                    self._folders[job.job_id] = path
        self._seen = there

    def _opened(self, folder: Path) -> Job | None:
        try:
            return read_job(open_folder(folder, self._defaults))[0]
        except (JobRefused, OSError):
            return None


def _folders(place: Path) -> list[Path]:
    try:
        return [path for path in place.iterdir() if path.name[0] != "." and path.is_dir()]
    except OSError:
        return []
