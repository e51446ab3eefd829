"""A job made of a bundle's own golden joints: something to hand over where no machine has exported anything yet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.bundle.format import Bundle, GoldenJoint
from edge.core.errors import BundleRefused
from edge.core.job import Board, ImageFormat, Job, Joint, MachineCall, Roi, SliceFile, View, encode_manifest
from edge.core.preprocess import Grey, PreprocessSpec

BOARD_TYPE = "sample"
"""Of every sample: what is said of its joints is evidence for no board of a line."""
_FRAME, _NOISE = 16, 3


def sample_job(bundle: Bundle, job_id: str, time: str, folder: Path) -> Job:
    """Write the job into ``folder``, which is there and empty: a view for each golden joint. Two are never alike: a
    picture that was seen before is not believed again, so each gets a frame of noise.

    Raises BundleRefused for one that does not judge pictures of slices.
    """
    spec = bundle.card.preprocess
    if not isinstance(spec, PreprocessSpec) or spec.colours:
        raise BundleRefused(f"{bundle.path}: a sample can be made for networks that see grey slices; hand over a job")
    views, joints = list[View](), list[Joint]()
    for number, golden in enumerate(bundle.golden, 1):
        views.append(_written(golden, f"v{number}", folder))
        joints.append(
            Joint(
                id=f"S1.{number}",
                refdes="S1",
                pin=str(number),
                type=bundle.card.joint_types[0],
                view=f"v{number}",
                roi=Roi(*(side + _FRAME for side in golden.roi)),
                machine_call=MachineCall(name="sample"),
            )
        )
    job = Job(
        schema="axi-job/1",
        job_id=job_id,
        created=time,
        board=Board(serial=job_id, type=BOARD_TYPE),
        views=tuple(views),
        joints=tuple(joints),
        image=ImageFormat(polarity=spec.polarity),
    )
    (folder / "manifest.json").write_bytes(encode_manifest(job))
    return job


def _written(golden: GoldenJoint, name: str, folder: Path) -> View:
    parts = list[SliceFile]()
    for index, grey in sorted(golden.slices.items()):
        file = f"{name}-{index}.png"
        (folder / file).write_bytes(cv2.imencode(".png", _framed(grey))[1].tobytes())
        parts.append(SliceFile(index=index, file=file))
    return View(id=name, slices=tuple(parts))


def _framed(grey: Grey) -> Grey:
    """What the network sees stays as it is; round it, where nobody looks, there is other noise in each."""
    framed = np.pad(grey, _FRAME, mode="edge")
    noise = np.random.default_rng().integers(-_NOISE, _NOISE + 1, framed.shape)
    noise[_FRAME:-_FRAME, _FRAME:-_FRAME] = 0
    found: Grey = np.clip(framed + noise, 0, 255).astype(np.uint8)
    return found
