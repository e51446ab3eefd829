"""A program that cannot even be loaded says why, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_package_that_cannot_be_loaded_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "msgspec").mkdir()
    (tmp_path / "msgspec" / "__init__.py").write_text(
        "raise ImportError('ELF load command alignment not page-aligned')"
    )
    code = "import sys; from edge.start import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "check"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 3
    assert "ELF load command alignment not page-aligned; install axi-edge anew" in done.stderr
    assert "Traceback" not in done.stderr
