"""Jobs from real X-ray images of BGA balls, where the data lies beside the project."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from convert.lots.table import TRUTH
from convert.lots.truth import TruthRow
from edge.core.job import Board, Job, Joint, Roi, SliceFile, Station, View, encode_manifest

DATA = Path(__file__).parents[3] / "shared" / "data" / "real-bga"
BLOCKS = ("top-left", "top-right", "bottom-left", "bottom-right")


def write_lot(out: Path, blocks: Iterable[str]) -> None:
    """One job a block of balls, one slice each. Balls of unclear label are in the job, but not in the truth."""
    mosaic = cv2.imread(str(DATA / "bga_mosaic.jpg"), cv2.IMREAD_UNCHANGED)
    mosaic = mosaic if mosaic.ndim == 2 else mosaic[..., 0]
    height, width = mosaic.shape
    with (DATA / "joints.csv").open(newline="") as stream:
        balls = list(csv.DictReader(stream))
    rows = []
    for block in blocks:
        top, left = block.startswith("top"), block.endswith("left")
        y0, x0 = (0 if top else height // 2), (0 if left else width // 2)
        joints = []
        for ball in balls:
            roi = Roi(*(int(ball[key]) for key in ("xmin", "ymin", "xmax", "ymax")))
            if (roi.ymin < height // 2) != top or (roi.xmin < width // 2) != left:
                continue
            here = Roi(roi.xmin - x0, roi.ymin - y0, roi.xmax - x0, roi.ymax - y0)
            joints.append(Joint(id=ball["joint"], type="BGA", view="block", roi=here))
            if ball["label"] != "unclear":
                label = int(ball["label"] == "voided")
                rows.append(TruthRow(block, ball["joint"], block, ball["label"], label, 0.0, 0.0, 1, 1))
        folder = out / block
        folder.mkdir(parents=True)
        image = np.ascontiguousarray(mosaic[y0 : y0 + height // 2, x0 : x0 + width // 2])
        (folder / "block.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
        job = Job(
            schema="axi-job/1",
            job_id=block,
            created="2026-11-21T08:15:30Z",
            station=Station(name="real-bga"),
            board=Board(serial=f"BGA-{block}", type="BGA"),
            views=(View(id="block", slices=(SliceFile(index=0, file="block.png"),)),),
            joints=tuple(joints),
        )
        (folder / "manifest.json").write_bytes(encode_manifest(job))
    with (out / TRUTH).open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(TruthRow._fields)
        writer.writerows(rows)
