"""A certificate as a qualification leaves it, without the minutes that one takes."""

from __future__ import annotations

from msgspec.structs import replace

from edge.core.payloads import ModelRef
from edge.core.qualification import Chosen, Kernels, Machine, Proved, Qualification, Sustained

MODEL = ModelRef(name="slicenet", version="1.0.0", digest="sha256:" + "0" * 64)
HERE = Machine(
    id="sha256:here",
    processor="A processor",
    architecture="x86_64",
    cores=4,
    os="Debian",
    kernel="6.1",
    python="3.11.2",
    version="0.1.0",
    packages={"ai-edge-litert": "2.3.0", "numpy": "1.26.4"},
)


def proved(kernels: Kernels = "fast", threads: int = 1, **changed: object) -> Proved:
    usual = Proved(
        bundle=MODEL,
        runtime="litert",
        kernels=kernels,
        threads=threads,
        joints=502,
        of=502,
        identical=None if kernels == "fast" else True,
        flipped=0,
        furthest=0.0,
        joints_per_s={"fast": 900.0, "exact": 300.0, "reference": 20.0}[kernels],
    )
    return replace(usual, **changed)


def qualification(**changed: object) -> Qualification:
    usual = Qualification(
        time="2026-11-30T10:00:00.000Z",
        device="axi1",
        machine=HERE,
        bundles=[MODEL],
        chosen=Chosen(runtime="litert", kernels="fast", threads=1, processes=4),
        proved=[proved(), proved("exact"), proved("reference")],
        sustained=Sustained(
            seconds=60,
            joints=60_000,
            joints_per_s=1000.0,
            first_per_s=1000.0,
            last_per_s=990.0,
            median_ms=1.0,
            p99_ms=2.0,
            memory_mb=300.0,
            temperature_c=61.0,
            throttled=False,
        ),
    )
    return replace(usual, **changed)
