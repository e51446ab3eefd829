"""Inputs that lie: images cut and flipped, manifests made to break a reader."""

from __future__ import annotations

import hashlib
import json
import os
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def damage_image(folder: Path, chance: random.Random) -> list[str]:
    """Cut one slice short, or flip some of its bits; the joints it shows, unless it decodes to the same picture."""
    _add_checksums(folder)
    path = some_slice(folder, chance)
    raw = bytearray(path.read_bytes())
    before = cv2.imdecode(np.frombuffer(bytes(raw), np.uint8), cv2.IMREAD_UNCHANGED)
    match chance.randrange(4):
        case 0:
            del raw[chance.randrange(len(raw)) :]
        case 1:
            for _ in range(chance.randrange(1, 9)):
                raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        case 2:
            start = chance.randrange(len(raw))
            raw[start : start + chance.randrange(1, 4_096)] = b""
        case _:
            start = chance.randrange(len(raw))
            raw[start : start + 64] = chance.randbytes(64)
    path.write_bytes(raw)
    after = cv2.imdecode(np.frombuffer(bytes(raw), np.uint8), cv2.IMREAD_UNCHANGED) if raw else None
    if after is not None and after.shape == before.shape and bool((after == before).all()):
        return []
    return joints_shown(folder, path)


def some_slice(folder: Path, chance: random.Random) -> Path:
    return chance.choice(sorted(path for path in folder.iterdir() if path.name != "manifest.json"))


def joints_shown(folder: Path, path: Path) -> list[str]:
    """The joints of the view that the slice belongs to."""
    document = json.loads((folder / "manifest.json").read_text())
    views = [view["id"] for view in document["views"] if path.name in {part["file"] for part in view["slices"]}]
    return [joint["id"] for joint in document["joints"] if joint["view"] in views]


def _add_checksums(folder: Path) -> None:
    """As decision 7 asks of senders: PNG has check sums of its own, every other format gets one in the manifest."""
    document = json.loads((folder / "manifest.json").read_text())
    for view in document["views"]:
        for part in view["slices"]:
            if not part["file"].endswith(".png"):
                part["sha256"] = hashlib.sha256((folder / part["file"]).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(document))


def _bomb() -> bytes:
    """A PNG of a few kilobytes that says it has 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    side = (60_000).to_bytes(4, "big")
    header = side + side + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10_000_000)))
        + chunk(b"IEND", b"")
    )


Bend = Callable[[dict[str, Any], Path, random.Random], str | None]
"""Bends a manifest, and perhaps the folder; a string is written as the manifest instead."""


def _traversal(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    document["views"][0]["slices"][0]["file"] = chance.choice(
        ["../../../etc/passwd", "/etc/passwd", "..", "a\0b", "a/b"]
    )


def _symlink(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    path = folder / document["views"][0]["slices"][0]["file"]
    path.unlink()
    path.symlink_to(chance.choice(["/dev/zero", "/etc/passwd", "/nowhere", str(path)]))


def _pipe(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    path = folder / document["views"][0]["slices"][0]["file"]
    path.unlink()
    os.mkfifo(path)


def _folder_for_file(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    path = folder / document["views"][0]["slices"][0]["file"]
    path.unlink()
    path.mkdir()


def _huge_number(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    document["joints"][0]["roi"][chance.randrange(4)] = chance.choice([2**63, -(2**63), 10**30, 1e308, 10**6 + 1])


def _big_boxes(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    document["joints"][0]["roi"] = [-1_000_000, -1_000_000, 1_000_000, 1_000_000]


def _nesting(document: dict[str, Any], folder: Path, chance: random.Random) -> str:
    depth = chance.choice([500, 5_000, 200_000])
    return json.dumps(document)[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"


def _repeated_key(document: dict[str, Any], folder: Path, chance: random.Random) -> str:
    return json.dumps(document)[:-1] + ', "joints": []}'


def _nan(document: dict[str, Any], folder: Path, chance: random.Random) -> str:
    word = chance.choice(["NaN", "Infinity", "-Infinity", "1e999"])
    return json.dumps(document).replace('"roi": [', f'"roi": [{word}, ', 1)


def _bombed(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    (folder / document["views"][0]["slices"][0]["file"]).write_bytes(_bomb())


def _not_json(document: dict[str, Any], folder: Path, chance: random.Random) -> str:
    whole = json.dumps(document)
    return chance.choice(["", "null", "[]", "\x00" * 100, whole[: chance.randrange(len(whole))], "\ud800", "42"])


def _twins(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    document["joints"].append(dict(document["joints"][0]))


def _odd_types(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    key = chance.choice(sorted(document))
    document[key] = chance.choice([None, 1, "x", [], {}, [[]], True])


def _flipped_bytes(document: dict[str, Any], folder: Path, chance: random.Random) -> str:
    raw = bytearray(json.dumps(document).encode())
    for _ in range(chance.randrange(1, 6)):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return raw.decode("latin-1")


def _long_names(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    document["joints"][0]["id"] = "J" * chance.choice([257, 100_000])


def _many_slices(document: dict[str, Any], folder: Path, chance: random.Random) -> None:
    one = document["views"][0]["slices"][0]
    document["views"][0]["slices"] = [{**one, "index": i % 6, "file": f"{i}.png"} for i in range(50)]


HOSTILE: tuple[Bend, ...] = (
    _traversal,
    _symlink,
    _pipe,
    _folder_for_file,
    _huge_number,
    _big_boxes,
    _nesting,
    _repeated_key,
    _nan,
    _bombed,
    _not_json,
    _twins,
    _odd_types,
    _flipped_bytes,
    _long_names,
    _many_slices,
)


def bend_manifest(folder: Path, bend: Bend, chance: random.Random) -> None:
    """Write the manifest as ``bend`` would have it."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    said = bend(document, folder, chance)
    path.write_bytes((json.dumps(document) if said is None else said).encode("utf-8", "surrogatepass"))
