"""Every relative link of every page leads somewhere, its anchor included."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split() if (ROOT / name).exists()]


def anchor(heading: str) -> str:
    """As the site makes it: lower case, words joined by hyphens, marks dropped."""
    words = re.sub(r"[^\w\s-]", "", re.sub(r"[`*]", "", heading).lower()).strip()
    return re.sub(r"[-\s]+", "-", words)


def text_of(page: Path) -> str:
    return _FENCED.sub("", page.read_text("utf-8"))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, name = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: nothing there"
        assert target.is_relative_to(ROOT), f"{link}: outside the project"
        if name:
            headings = [anchor(heading) for heading in _HEADING.findall(text_of(target))]
            assert name in headings, f"{link}: no such heading"


def test_the_readme_fits_two_screens() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120
