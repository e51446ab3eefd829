"""Jobs from real X-ray images of BGA balls, where the data lies beside the project."""

from __future__ import annotations

from pathlib import Path

from convert.importing.mapping import read_mapping
from convert.importing.run import import_lot

DATA = Path(__file__).parents[3] / "shared" / "data" / "real-bga"
MAPPING = """
[source]
image = "bga_mosaic.jpg"
tiles = [2, 2]
joint_type = "BGA"
[labels]
"voided" = "voided"
"unclear" = "left-out"
"""
"""One picture of four blocks of balls, each block taken for a board."""


def write_lot(out: Path) -> None:
    """One job a block of balls, one slice each; those of unclear label are among them, as normal ones."""
    mapping = out.with_name("bga.toml")
    mapping.write_text(MAPPING.replace("left-out", "normal"))
    import_lot(DATA, read_mapping(mapping), out)
