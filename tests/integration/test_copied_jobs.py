"""Job folders that the daemon may read and not move: judged from a copy, once, and said."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.adapters.spool import FolderSpool
from edge.jobs.folder import read_job
from tests.support.builders import make_job, write_job
from tests.support.users import as_a_user_without_rights

HANDED_OVER = {
    "cp -r": "cp -r {source} {incoming}/J.tmp && mv {incoming}/J.tmp {incoming}/J",
    "cp -a": "cp -a {source} {incoming}/J.tmp && mv {incoming}/J.tmp {incoming}/J",
    "mv": "mv {source} {incoming}/J",
    "install": "install -d -m 755 {incoming}/J.tmp && cp {source}/* {incoming}/J.tmp && cd {incoming} && mv J.tmp J",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
@pytest.mark.parametrize("how", HANDED_OVER)
def test_a_folder_that_its_sender_alone_may_write_is_judged_from_a_copy_once(how: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        root.chmod(0o755)
        spool, home = root / "spool", root / "home"
        FolderSpool(spool)
        for path in (spool, *spool.iterdir()):
            shutil.chown(path, 65_534, 65_534)
            path.chmod(0o2775)
        home.mkdir()
        job = make_job("L-1")
        source = write_job(home, job, side=16)
        source.chmod(0o755)
        command = HANDED_OVER[how].format(source=source, incoming=spool / "incoming")
        subprocess.run(["sh", "-c", f"umask 022; {command}"], check=True)

        def judged() -> str:
            said = list[str]()
            taken = FolderSpool(spool, quiet_s=0.0, left=lambda entry, problem: said.append(f"{entry}: {problem}"))
            found = taken.claim()
            assert found is not None
            assert read_job(found).job == job
            taken.finish(found)
            assert taken.claim() is None, "and not once more"
            assert taken.claim() is None
            return "\n".join(said)

        said = as_a_user_without_rights(judged)
        assert said.count("\n") == 0, said
        text = said
        assert text.startswith(".J.copied: judged from a copy, since it could not be moved: it has mode ")
        assert "belongs to root" in text
        assert "umask 002" in text
        assert sorted(path.name for path in (spool / "incoming").iterdir()) == [".J.copied"]
        copy, original = spool / "done" / "J", spool / "incoming" / ".J.copied"
        assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
            path.name: path.read_bytes() for path in original.iterdir()
        }


@contextmanager
def open_spool_with_a_closed_job() -> Iterator[Path]:
    """A folder with a spool that every user may write, and in it job L-1, which only its sender may."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        root.chmod(0o755)
        FolderSpool(root / "spool")
        for path in (root / "spool").iterdir():
            path.chmod(0o777)
        write_job(root / "spool" / "incoming", make_job("L-1"), side=16).chmod(0o755)
        yield root


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_where_not_even_a_name_may_be_changed_a_folder_is_copied_once_all_the_same() -> None:
    with open_spool_with_a_closed_job() as root:
        (root / "spool" / "incoming").chmod(0o1777)  # as /tmp is: what is another's cannot be renamed

        def judged() -> str:
            spool = FolderSpool(root / "spool", quiet_s=0.0)
            found = spool.claim()
            assert found is not None
            spool.finish(found)
            return str([spool.claim(), spool.claim()])

        assert as_a_user_without_rights(judged) == "[None, None]"
        assert (root / "spool" / "incoming" / "L-1").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_a_folder_that_may_still_be_written_is_not_copied_yet() -> None:
    """As ``cp -r`` straight into incoming: its sender gives it to the daemon when it is whole."""
    with open_spool_with_a_closed_job() as root:
        assert as_a_user_without_rights(lambda: str(FolderSpool(root / "spool", quiet_s=60.0).claim())) == "None"
        assert [path.name for path in (root / "spool" / "incoming").iterdir()] == ["L-1"]
