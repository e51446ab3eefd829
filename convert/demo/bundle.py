"""The demo's workstation: simulated lots, and the shipped network converted, gated and signed on them."""

from __future__ import annotations

from pathlib import Path

from convert.cli import main as axi_convert
from convert.reference.plans import SEED as SHIPPED_SEED
from convert.reports.terminal import console
from convert.shipped.paths import SHIPPED

SEED = 7
NAME = "slicenet-demo-0.1.0"

_RECIPE = """\
[bundle]
name = "slicenet-demo"
version = "0.1.0"

[source]
model = "{model}"
classes = ["normal", "insufficient", "missing", "short", "voided"]
seed = {seed}

[calibration]
lot = "calibration"
joints = 96

[validation]
lot = "validation"
recalls = [0.98, 0.90, 0.95]

[evaluation]
lot = "held-out"
golden = 8
everywhere = 24

[familiarity]
joints = 128

[budget]
max_auroc_drop = 0.005
# On so few held-out joints one flip weighs 0.8 %, one defect 2.8 %; a real build keeps to the defaults.
max_flipped = 0.03
max_recall_drop = 0.06

[signing]
key = "signing.pem"
"""


def simulate_line(work: Path) -> None:
    """What the demo's machine will hand over: boards of types that the shipped network never saw."""
    command(f"simulate --out {work / 'line'} --boards 8 --joints 160 --seed {SEED + 3} --first-type 340 --types 4")


def make_bundle(work: Path) -> Path:
    """Simulate lots of further board types, convert the shipped network and gate it on them."""
    lots = (
        ("calibration", 8, 96, 300, 8, 0.50, "patches"),
        ("validation", 4, 120, 320, 4, 0.30, "patches"),
        ("held-out", 4, 120, 330, 4, 0.30, "jobs"),
    )
    for number, (name, boards, joints, first_type, types, share, form) in enumerate(lots):
        words = f"simulate --out {work / name} --boards {boards} --joints {joints} --seed {SEED + number}"
        command(f"{words} --first-type {first_type} --types {types} --form {form} --defect-share {share}")
    recipe = work / "recipe.toml"
    recipe.write_text(_RECIPE.format(seed=SHIPPED_SEED, model=SHIPPED["slicenet"]))
    command(f"build {recipe} --out {work / 'bundles'}")
    return work / "bundles" / NAME


def command(words: str) -> None:
    """Say and run a command of the workstation. Raises SystemExit where it fails."""
    console.print(f"[bold]$ axi-convert {words}[/bold]", soft_wrap=True, markup=True, highlight=False)
    code = axi_convert(words.split())
    if code:
        raise SystemExit(code)
