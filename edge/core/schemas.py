"""JSON Schemas of every contract, generated from the code that enforces it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from edge.core.card import ModelCard
from edge.core.job import Job, Rejection
from edge.core.payloads import PAYLOADS
from edge.core.qualification import Qualification
from edge.core.review import ReviewPayload

CONTRACTS: tuple[type[Struct], ...] = (Job, Rejection, ModelCard, *PAYLOADS, ReviewPayload, Qualification)


def schema_name(contract: type[Struct]) -> str:
    """``axi-job-1`` for the struct whose ``schema`` field says ``axi-job/1``."""
    field = next(field for field in msgspec.structs.fields(contract) if field.name == "schema")
    (literal,) = field.type.__args__
    return str(literal).replace("/", "-")


def json_schemas() -> dict[str, dict[str, Any]]:
    """Contract name -> JSON Schema (draft 2020-12)."""
    return {
        schema_name(contract): {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **msgspec.json.schema(contract),
        }
        for contract in CONTRACTS
    }
