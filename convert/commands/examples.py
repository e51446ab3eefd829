"""An example of each command, for the end of its help; a test reads every one as the program does."""

from __future__ import annotations

EXAMPLES = (
    "axi-convert import exports --mapping mapping.toml --check",
    "axi-convert adopt my-lot --out adopted --name own",
    "axi-convert simulate --out lot --boards 8 --joints 160 --seed 1",
    "axi-convert split my-lot --out parts",
    "axi-convert arrays parts/training --out arrays",
    "axi-convert train slicenet --data parts/training --validation parts/validation --out own.keras --start reference",
    "axi-convert keys --out keys",
    "axi-convert build own.toml --out bundles",
    "axi-convert evaluate own.keras --data parts/held-out --validation parts/validation --out results",
    "axi-convert gallery --out gallery",
    "axi-convert reference --work work --out models",
)
