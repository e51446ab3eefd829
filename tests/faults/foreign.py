"""Jobs as other people's machines and shares leave them: exports that are broken, pictures that mean something else."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.faults.inputs import joints_shown, some_slice
from tests.faults.rig import Result
from tests.faults.stage import Stage

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def broken_exports(stage: Stage) -> Result:
    """Result XML with boxes, and tables of joints: whole, and cut, bent, zeroed, in other encodings.

    A table that is left whole must be judged as its manifest would be; of every other job each joint that the audit can
    read has a verdict, and where one may be missing the audit says so.
    """
    rig = stage.rig()
    rig.start()
    for number in stage.each_round():
        tell, whole = _TOLD[number % len(_TOLD)], number % 8 < len(_TOLD)
        (name,) = rig.submit(1, partial(_retold, tell, stage.chance, whole=whole))
        if not whole or tell is _as_xml:  # whose job has an id of its own
            rig.leave_to_the_audit(name)
        rig.audited_every(50, number)
    rig.submit(2)
    return rig.finish()


def foreign_pictures(stage: Stage) -> Result:
    """Slices that are to be turned, cut and ended, of several pages, of other depths: never judged as stored."""
    rig = stage.rig()
    rig.start()
    for number in stage.each_round():
        spoilt: list[str] = []
        rewrite = _REWRITTEN[number % len(_REWRITTEN)]
        (name,) = rig.submit(
            1,
            lambda folder, rewrite=rewrite, spoilt=spoilt: spoilt.extend(_rewritten(folder, rewrite, stage.chance)),  # type: ignore[misc]
        )
        rig.expect_unjudged(name, spoilt)
        rig.audited_every(50, number)
    return rig.finish()


def _retold(
    tell: Callable[[dict[str, Any]], dict[str, str]], chance: random.Random, folder: Path, *, whole: bool
) -> None:
    """Write the manifest's joints as an export has them, and break one of its documents, unless they are left whole."""
    document = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").unlink()
    now = time.time_ns()
    for picture in folder.iterdir():  # as boards that are alike are told apart
        os.utime(picture, ns=(now, now))
    told = {name: text.encode() for name, text in tell(document).items()}
    if not whole:
        name = chance.choice(sorted(told))
        told[name] = chance.choice(_BREAKS)(told[name], chance)
    for name, raw in told.items():
        (folder / name).write_bytes(raw)


def _as_xml(document: dict[str, Any]) -> dict[str, str]:
    board = document["board"]
    indicted = "".join(
        f'<TestXML><IndictmentXML indictmentType="Short" jointType="{joint["type"]}">'
        f'<ComponentXML designator="{joint["refdes"]}" pin="{joint["pin"]}"/></IndictmentXML></TestXML>\n'
        for joint in document["joints"]
    )
    count = len({(joint["refdes"], joint["pin"]) for joint in document["joints"]})
    xml = (
        f'<BoardTestXMLExport testTime="{document["job_id"]}" numberOfIndictedPins="{count}">\n'
        f'<BoardXML serialNumber="{board["serial"]}" boardType="{board.get("type", "")}"/>\n{indicted}'
        "</BoardTestXMLExport>\n"
    )
    rows = [(joint["refdes"], joint["pin"], joint["view"], *joint["roi"]) for joint in document["joints"]]
    return {"result.xml": xml, "rois.csv": _table(("designator", "pin", "view", *_CORNERS), rows)}


def _as_table(document: dict[str, Any]) -> dict[str, str]:
    first = {view["id"]: view["slices"][0]["file"] for view in document["views"]}
    rows = [
        (joint["refdes"], joint["pin"], joint["type"], "short", *joint["roi"], first[joint["view"]])
        for joint in document["joints"]
    ]
    return {"joints.csv": _table(("component", "pin", "type", "defect_type", *_CORNERS, "image"), rows)}


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


_TOLD = (_as_xml, _as_table)


def _cut(raw: bytes, chance: random.Random) -> bytes:
    return raw[: chance.randrange(len(raw))]


def _flip(raw: bytes, chance: random.Random) -> bytes:
    bent = bytearray(raw)
    for _ in range(chance.randrange(1, 9)):
        bent[chance.randrange(len(bent))] ^= 1 << chance.randrange(8)
    return bytes(bent)


def _take_out(raw: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(raw))
    return raw[:start] + raw[start + chance.randrange(1, 200) :]


def _zero(raw: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(raw))
    length = chance.randrange(1, 500)
    return raw[:start] + bytes(min(length, len(raw) - start)) + raw[start + length :]


_WORDS = (b"&", b",", b'"', b"'", b"<", b"\n", b"\xb5\xe7", b"\xe9", b"<!DOCTYPE x>", b"<BoardXML/>", b";")


def _insert(raw: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(raw))
    return raw[:start] + chance.choice(_WORDS) + raw[start:]


def _repeat(raw: bytes, chance: random.Random) -> bytes:
    lines = raw.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join([*lines[:at], lines[at], *lines[at:]])


def _encode(raw: bytes, chance: random.Random) -> bytes:
    return raw.decode("utf-8", "replace").encode(chance.choice(["utf-16", "utf-8-sig", "utf-16-le", "utf-32"]))


_BREAKS = (_cut, _flip, _take_out, _zero, _insert, _repeat, _encode)


def _rewritten(folder: Path, rewrite: Callable[[np.ndarray], bytes], chance: random.Random) -> list[str]:
    """Write one slice anew; the joints it shows."""
    path = some_slice(folder, chance)
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    path.write_bytes(rewrite(picture))
    document = json.loads((folder / "manifest.json").read_text())
    for view in document["views"]:
        for part in view["slices"]:
            part.pop("sha256", None)
    (folder / "manifest.json").write_text(json.dumps(document))
    return joints_shown(folder, path)


def _saved(picture: Any, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture if picture.ndim == 2 else picture[..., ::-1]).save(stream, kind, **options)
    return stream.getvalue()


def _turned(kind: str, orientation: int) -> Callable[[np.ndarray], bytes]:
    def rewrite(picture: np.ndarray) -> bytes:
        exif = Image.Exif()
        exif[274] = orientation
        options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif}
        return _saved(np.ascontiguousarray(picture[::-1, ::-1]), kind, **options)

    return rewrite


def _cut_and_ended(picture: np.ndarray) -> bytes:
    whole = _saved(picture, "JPEG")
    return whole[: 2 * len(whole) // 3] + b"\xff\xd9"


def _two_pages(picture: np.ndarray) -> bytes:
    blank = Image.fromarray(np.full_like(picture, 90))
    return _saved(picture, "TIFF", save_all=True, append_images=[blank])


def _one_bit(picture: np.ndarray) -> bytes:
    grey = picture if picture.ndim == 2 else picture[..., 1]
    stream = io.BytesIO()
    Image.fromarray(grey > grey.mean()).save(stream, "TIFF")
    return stream.getvalue()


def _floating(picture: np.ndarray) -> bytes:
    grey = picture if picture.ndim == 2 else picture[..., 1]
    return _saved(grey.astype(np.float32), "TIFF")


_REWRITTEN: tuple[Callable[[np.ndarray], bytes], ...] = (
    _turned("JPEG", 3),
    _turned("PNG", 3),
    _turned("TIFF", 3),
    _cut_and_ended,
    _two_pages,
    _one_bit,
    _floating,
)
