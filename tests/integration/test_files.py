"""Whatever lies where a file or a folder is expected: read or refused, deleted or said, and nothing is left open."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.files import below, read_regular, remove_tree


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


ODD: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "socket": a_socket,
    "link": lambda path: path.symlink_to("/etc/hostname"),
    "nothing": lambda path: None,
    "too large": lambda path: path.write_bytes(bytes(11)),
}


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a number is wanted


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_plain_file_is_refused_and_leaves_no_descriptor(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "slice.png"
    ODD[kind](path)
    before = open_files()
    for _ in range(3):
        with pytest.raises(OSError):
            read_regular(path, 10)
    assert open_files() == before


def test_a_plain_file_is_read_and_closed(tmp_path: Path) -> None:
    (tmp_path / "slice.png").write_bytes(bytes(10))
    before = open_files()
    assert read_regular(tmp_path / "slice.png", 10) == bytes(10)
    assert open_files() == before


def deep(folder: Path, depth: int) -> None:
    """Folders in folders, with a file in the innermost."""
    here = Path.cwd()
    try:
        os.chdir(folder)
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        Path("slice.png").write_bytes(bytes(7))
    finally:
        os.chdir(here)


def test_folders_however_deep_are_looked_through_and_deleted(tmp_path: Path) -> None:
    job, outside = tmp_path / "job", tmp_path / "outside"
    job.mkdir()
    outside.mkdir()
    (outside / "kept.png").touch()
    (job / "link").symlink_to(outside)
    depth = (4_000 - len(str(job))) // 2
    assert depth > 1_500, "deeper than Python calls itself"
    deep(job, depth)
    assert sum(entry.is_file(follow_symlinks=False) for entry in below(job)) == 1
    remove_tree(job)
    assert not job.exists()
    assert (outside / "kept.png").exists()


def test_folders_deeper_than_a_path_are_said(tmp_path: Path) -> None:
    job = tmp_path / "job"
    job.mkdir()
    (job / "slice.png").touch()
    deep(job, 2_500)
    with pytest.raises(OSError, match="File name too long"):
        list(below(job))
    subprocess.run(["rm", "-rf", str(job)], check=True)  # which pytest, as it tidies up, would not get done
