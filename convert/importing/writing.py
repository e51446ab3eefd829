"""Boards as the job folders of a lot, with their truth beside them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from convert.importing.boards import Board, Joint
from convert.importing.found import Page
from convert.lots.truth import TruthRow
from edge.core.card import NORMAL
from edge.core.job import Board as JobBoard
from edge.core.job import ImageFormat, Job, MachineCall, Roi, SliceFile, View, encode_manifest, parse_manifest
from edge.core.job import Joint as JobJoint

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 100


class Written(NamedTuple):
    """A board as it is going to be written. ``files``: its pictures, and what each is called in the job's folder."""

    job: str
    manifest: bytes
    files: Mapping[Path, str]
    rows: tuple[TruthRow, ...]


def as_job(board: Board, image: ImageFormat, placed: Sequence[tuple[Joint, Roi]]) -> Written:
    """A board as a job folder, and the truth of its joints. Raises JobRefused for what no manifest can say."""
    kept = {joint.found.view for joint, _ in placed}
    views = {view: pages for view, pages in board.views.items() if view in kept}
    files = _names(views)
    manifest = encode_manifest(_job(board, image, placed, views, files))
    parse_manifest(manifest, source=board.job)
    rows = tuple(_truth(board, joint, len(views[joint.found.view])) for joint, _ in placed)
    return Written(board.job, manifest, files, rows)


def write_job(out: Path, number: int, written: Written) -> None:
    """Its folder, pictures copied."""
    folder = out / f"{number:06d}-{_ODD.sub('-', written.job)[:_LONGEST]}"
    folder.mkdir()
    for path, name in written.files.items():
        shutil.copyfile(path, folder / name)
    (folder / "manifest.json").write_bytes(written.manifest)


def _names(views: Mapping[str, Sequence[Page]]) -> dict[Path, str]:
    """A name in the folder for each file: ``<number of the view>-<its first slice><ending>``."""
    names = dict[Path, str]()
    for number, pages in enumerate(views.values()):
        for index, page in enumerate(pages):
            names.setdefault(page.path, f"{number:03d}-{index}{page.path.suffix.lower()}")
    return names


def _job(
    board: Board,
    image: ImageFormat,
    placed: Sequence[tuple[Joint, Roi]],
    views: Mapping[str, Sequence[Page]],
    files: Mapping[Path, str],
) -> Job:
    return Job(
        schema="axi-job/1",
        job_id=board.job,
        created=board.time,
        board=JobBoard(serial=board.serial, type=board.board_type),
        image=image,
        views=tuple(
            View(
                id=view,
                slices=tuple(
                    SliceFile(index=index, file=files[page.path], page=page.number) for index, page in enumerate(pages)
                ),
            )
            for view, pages in views.items()
        ),
        joints=tuple(
            JobJoint(
                id=joint.found.joint,
                type=joint.found.joint_type,
                view=joint.found.view,
                roi=roi,
                machine_call=MachineCall(name=joint.found.call) if joint.found.call else None,
            )
            for joint, roi in placed
        ),
    )


def _truth(board: Board, joint: Joint, slices: int) -> TruthRow:
    label = int(joint.name != NORMAL)
    found = joint.found
    row = TruthRow(board.job, found.joint, board.board_type, joint.name, label, slices=slices)
    return row._replace(serial=board.serial, joint_type=found.joint_type)
