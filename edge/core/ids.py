"""Ids that hang on what they name alone, so that whatever is said again is known again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import msgspec


def id_of(namespace: uuid.UUID, fields: Sequence[str]) -> str:
    """UUIDv5 of the fields, as a JSON array, so that no two of them share one text."""
    return str(uuid.uuid5(namespace, msgspec.json.encode(fields).decode()))
