"""Write the JSON Schemas of every contract to docs/schemas."""

from __future__ import annotations

import json
from pathlib import Path

from edge.core.schemas import json_schemas

if __name__ == "__main__":
    folder = Path("docs/schemas")
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in json_schemas().items():
        (folder / f"{name}.json").write_text(json.dumps(schema, indent=1) + "\n")
