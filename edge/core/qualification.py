"""A device's certificate: what was measured and proved on it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from edge.core.payloads import ModelRef

Kernels = Literal["fast", "exact", "reference"]
"""``fast``: what the runtime prefers (XNNPACK). ``exact``: TFLite's integer kernels, bit-identical on every runtime.
``reference``: the plainest ones, bit-identical on every processor with LiteRT.

XNNPACK rescales int32 sums in float, TFLite in fixed point; they round a few percent of the values differently.
"""


class Machine(Struct, frozen=True, kw_only=True):
    """``id``: of this installation, hashed, as machine-ids are not to be handed out; ``cores``: of the processor;
    ``packages``: versions of what computes.
    """

    id: str
    processor: str
    architecture: str
    cores: int
    os: str
    kernel: str
    python: str
    version: str
    packages: dict[str, str]


class Proved(Struct, frozen=True, kw_only=True):
    """One bundle on one runtime, kind of kernels and number of threads.

    ``joints``: golden and varied ones that were scored, ``of`` so many; ``identical``: are all outputs those that the
    build wrote down (None: these kernels may round otherwise, or nothing is written of them); ``flipped``: joints whose
    decision is another, at that of the card's operating points where most are; ``furthest``: how far a reading is off
    at most; ``problem``: why it did not pass.
    """

    bundle: ModelRef
    runtime: str
    kernels: Kernels
    threads: int
    joints: int
    of: int
    identical: bool | None
    flipped: int
    furthest: float
    joints_per_s: float
    problem: str = ""

    @property
    def passed(self) -> bool:
        return not self.problem

    @property
    def whole(self) -> bool:
        """Was every joint scored in the time there was?"""
        return self.joints == self.of


class Chosen(Struct, frozen=True, kw_only=True):
    """What this device judges with from now on."""

    runtime: Literal["litert", "tflite-runtime"]
    kernels: Kernels
    threads: int
    processes: int


class Sustained(Struct, frozen=True, kw_only=True):
    """Joints in a row, preprocessing included, on all processes. ``first_per_s`` and ``last_per_s``: in the first and
    the last sixth of the time; ``memory_mb``: of all processes; ``temperature_c``: the highest; ``throttled``: did the
    processor say that it slowed down (None where it says nothing).
    """

    seconds: float
    joints: int
    joints_per_s: float
    first_per_s: float
    last_per_s: float
    median_ms: float
    p99_ms: float
    memory_mb: float
    temperature_c: float | None
    throttled: bool | None


class Qualification(Struct, frozen=True, kw_only=True):
    """``beside_daemon``: the daemon ran meanwhile, so speeds are what it left."""

    schema: Literal["axi-qualification/1"] = "axi-qualification/1"
    time: str
    device: str
    machine: Machine
    bundles: list[ModelRef]
    chosen: Chosen
    proved: list[Proved]
    sustained: Sustained
    beside_daemon: bool = False
