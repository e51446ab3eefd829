"""The demo's workstation: simulated lots, and the shipped network converted, gated and signed on them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convert.cli import main as axi_convert
from convert.commands.keys import make_keys
from convert.reference.plans import SEED as SHIPPED_SEED
from convert.reports.terminal import console
from convert.shipped.paths import SHIPPED

SEED = 7

_RECIPE = """\
[bundle]
name = "cnn3d-demo"
version = "0.1.0"

[source]
model = "{model}"
network = "cnn3d"
seed = {seed}

[calibration]
lot = "calibration"
joints = 96

[validation]
lot = "validation"
recalls = [0.90, 0.95]

[evaluation]
lot = "held-out"
golden = 8
everywhere = 24

[budget]
max_auroc_drop = 0.005
# On so few held-out joints one flip weighs 0.8 %, one defect 2.8 %; a real build keeps to the defaults.
max_flipped = 0.03
max_recall_drop = 0.06

[signing]
key = "signing.pem"
"""


def make_bundle(work: Path) -> Path:
    """Simulate lots of board types that the shipped network never saw, convert it and gate it.

    Beside the lots it learns from lies ``line``: what the demo's machine will hand over.
    """
    lots = (
        ("calibration", 8, 96, 300, 8, 0.50, "patches"),
        ("validation", 4, 120, 320, 4, 0.30, "patches"),
        ("held-out", 4, 120, 330, 4, 0.30, "jobs"),
    )
    for number, (name, boards, joints, first_type, types, share, form) in enumerate(lots):
        words = f"simulate --out {work / name} --boards {boards} --joints {joints} --seed {SEED + number}"
        _command(f"{words} --first-type {first_type} --types {types} --form {form} --defect-share {share}")
    make_keys(work)
    recipe = work / "recipe.toml"
    recipe.write_text(_RECIPE.format(seed=SHIPPED_SEED, model=SHIPPED["cnn3d-factorised"]))
    line = f"simulate --out {work / 'line'} --boards 6 --joints 120 --seed {SEED + 3} --first-type 340 --types 3"
    with _meanwhile(line):
        _command(f"build {recipe} --out {work / 'bundles'}")
    return work / "bundles" / "cnn3d-demo-0.1.0"


@contextmanager
def _meanwhile(words: str) -> Iterator[None]:
    """Run a command beside the block, quietly; it must end well."""
    console.print(f"[bold]$ axi-convert {words} &[/bold]", soft_wrap=True, markup=True, highlight=False)
    process = subprocess.Popen([sys.executable, "-m", "convert.cli", *words.split()], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        code = process.wait(300)
    if code:
        raise SystemExit(f"axi-convert {words} ended with exit code {code}")


def _command(words: str) -> None:
    console.print(f"[bold]$ axi-convert {words}[/bold]", soft_wrap=True, markup=True, highlight=False)
    code = axi_convert(words.split())
    if code:
        raise SystemExit(code)
