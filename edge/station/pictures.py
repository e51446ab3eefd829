"""The slices of joints that wait, read from the spool's finished jobs and never written there."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2

from edge.core.errors import JobRefused, SliceError
from edge.core.job import ImageFormat, Job, Roi, View
from edge.core.places import Place
from edge.core.preprocess import to_polarity
from edge.jobs.folder import open_folder, read_job
from edge.jobs.vendors import JobDefaults
from edge.judging.slices import read_slice
from edge.station.joints import Joint

_PLACES = (Place.DONE, Place.WORK, Place.REJECTED)
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


class _Found(NamedTuple):
    """A joint in its job's folder."""

    folder: Path
    job: Job
    view: View
    roi: Roi

    @property
    def image(self) -> ImageFormat:
        return self.job.image


class Pictures:
    """``spool``: the device's. Solder is shown dark, however its pictures are stored."""

    def __init__(self, spool: Path, defaults: JobDefaults) -> None:
        self._spool, self._defaults = spool, defaults
        self._lock = threading.Lock()
        self._folders: dict[tuple[str, bool], set[Path]] = {}
        self._seen: set[Path] = set()
        self._jobs: OrderedDict[Path, Job] = OrderedDict()
        self._encoded: OrderedDict[tuple[Path, str, int], bytes] = OrderedDict()
        self._bytes = 0

    def shown(self, joint: Joint) -> Shown:
        """Where the joint lies in which slices."""
        found = self._found(joint)
        if found is None:
            return Shown(problem="its job is no longer in the spool, or another has its name")
        view = found.view
        return Shown(found.roi, tuple(sorted(part.index for part in view.slices)))

    def there(self, joints: Sequence[Joint]) -> list[Joint]:
        """Those whose job is still there, and can be told from others; the spool is looked through once."""
        with self._lock:
            self._look()
            return [joint for joint in joints if len(self._folders.get((joint.job_id, joint.refused), ())) == 1]

    def job_of(self, joint: Joint) -> Job | None:
        """The joint's whole job; None where that is gone, or cannot be told from another."""
        found = self._found(joint)
        return found.job if found else None

    def slice(self, joint: Joint, index: int) -> bytes | None:
        """One slice of the joint's view, as PNG; None where it cannot be read."""
        found = self._found(joint)
        if found is None:
            return None
        key = found.folder, found.view.id, index
        with self._lock:
            if key in self._encoded:
                self._encoded.move_to_end(key)
                return self._encoded[key]
        encoded = _read(found, index)
        if encoded is not None:
            self._keep(key, encoded)
        return encoded

    def _keep(self, key: tuple[Path, str, int], encoded: bytes) -> None:
        with self._lock:
            if key not in self._encoded:
                self._encoded[key] = encoded
                self._bytes += len(encoded)
            while self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._encoded.popitem(last=False)[1])

    def _found(self, joint: Joint) -> _Found | None:
        """The joint in its job's folder; None where that is gone, or several have its name: another board's pictures
        are worse than none.
        """
        with self._lock:
            key = joint.job_id, joint.refused
            folders = self._folders.get(key, set())
            if len(folders) != 1 or not all(folder.is_dir() for folder in folders):
                self._look()
                folders = self._folders.get(key, set())
            if len(folders) != 1:
                return None
            (folder,) = folders
            job = self._job(folder)
        place = next((one for one in job.joints if one.id == joint.joint), None) if job else None
        view = next((view for view in job.views if place and view.id == place.view), None) if job else None
        if job is None or place is None or view is None or job.job_id != joint.job_id:
            return None
        return _Found(folder, job, view, place.roi)

    def _job(self, folder: Path) -> Job | None:
        if folder not in self._jobs:
            job = self._opened(folder)
            if job is None:
                return None
            self._jobs[folder] = job
        self._jobs.move_to_end(folder)
        while len(self._jobs) > _KEPT_JOBS:
            self._jobs.popitem(last=False)
        return self._jobs[folder]

    def _look(self) -> None:
        """Note the folders that are new, and forget those that are gone."""
        there = {path for place in _PLACES for path in _folders(self._spool / place)}
        self._folders = {key: left for key, folders in self._folders.items() if (left := folders & there)}
        for path in there - self._seen:
            job = self._opened(path)
            if job is not None:
                self._folders.setdefault((job.job_id, path.parent.name == Place.REJECTED), set()).add(path)
        for path in self._seen - there:
            self._jobs.pop(path, None)
            for key in [key for key in self._encoded if key[0] == path]:
                self._bytes -= len(self._encoded.pop(key))
        self._seen = there

    def _opened(self, folder: Path) -> Job | None:
        try:
            return read_job(open_folder(folder, self._defaults))[0]
        except (JobRefused, OSError):
            return None


def _read(found: _Found, index: int) -> bytes | None:
    part = next((part for part in found.view.slices if part.index == index), None)
    if part is None:
        return None
    try:
        picture = read_slice(found.folder, part, found.image)
    except (SliceError, OSError):
        return None
    grey = to_polarity(picture.grey, found.image.polarity, "solder_dark")
    done, encoded = cv2.imencode(".png", grey, _QUICK)
    return encoded.tobytes() if done else None


def _folders(place: Path) -> list[Path]:
    try:
        return [path for path in place.iterdir() if path.name[0] != "." and path.is_dir()]
    except OSError:
        return []
