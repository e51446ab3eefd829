"""Write what the docs repeat from the code: the JSON Schemas of every contract, and the table of features."""

from __future__ import annotations

import json
from pathlib import Path

from edge.core.fillet import FEATURES
from edge.core.schemas import json_schemas

_INTRODUCTION = """# Features of an optical joint

What the network that grades is given of a joint, in this order; written from the code (`edge/core/features.py`). The
crop has the toe pointing down, places are shares of its side, and grey values are stretched so that its low and high
percentiles are black and white. Source: geometric and wavelet features as families are those of Acciani et al. (2006);
each single one is our choice ([decision 18](decisions/0018-quality-index.md)). Each becomes 8 bits over the range that
the model card gives.

| feature | unit | meaning |
|---|---|---|
"""


def features_page() -> str:
    """docs/features.md."""
    return _INTRODUCTION + "".join(
        f"| `{feature.name}` | {feature.unit} | {feature.meaning} |\n" for feature in FEATURES
    )


if __name__ == "__main__":
    folder = Path("docs/schemas")
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in json_schemas().items():
        (folder / f"{name}.json").write_text(json.dumps(schema, indent=1) + "\n")
    Path("docs/features.md").write_text(features_page(), "utf-8")
