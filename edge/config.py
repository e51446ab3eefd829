"""The configuration: one TOML file into frozen settings.

Every key has a default or is named as missing; an unknown key is an error that names the nearest valid one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge.core.errors import ConfigError
from edge.core.job import Polarity
from edge.core.payloads import Policy
from edge.core.qualification import Kernels
from edge.judging.messages import Choice, Load
from edge.judging.ports import RuntimeChoice, Unchecked
from edge.toml import load_toml

DEFAULT_PATH = Path("/etc/axi-edge/axi-edge.toml")

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_LEVELS = r"[^#+/$\x00\s][^#+/\x00\s]*(/[^#+/\x00\s]+)*"
_TOPIC = rf"^{_LEVELS}\Z"
_TOPIC_WORDS = "a topic such as acme/line3/axi1: no blanks, no # or +, no slash at either end, no $ in front"
_HOST = r"^([^\s/:]+|[^\s/]*:[^\s/]*:[^\s/]*)\Z"
_HOST_WORDS = "a name or an address alone, such as broker.plant; its port goes to port"
_NAME = "of letters, digits and . _ - alone"
_URL = r"^(https?://[^\s/?#\"'<>\\]+(/[^\s?#\"'<>\\]*)?)?\Z"
Count = Annotated[int, Meta(ge=1)]
MOST_PROCESSES, MOST_THREADS = 8, 64
"""Of ``[inference]``."""


class DeviceSettings(Struct, frozen=True, kw_only=True):
    """``name`` is part of every event_id: keep it when the hardware behind it is replaced."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]*\Z", description=_NAME)]


class SpoolSettings(Struct, frozen=True, kw_only=True):
    """A finished job is kept, with what the journal holds of it, until every verdict on it was acknowledged; then
    until it is older than ``keep_days`` or, the oldest first, finished jobs take more than ``keep_gb``; until
    ``keep_waiting_days`` where reviews come at all and one of its joints still waits for its own. ``settle_s``:
    for machines that write in place instead of renaming, how long nothing in a folder must have changed before it is
    claimed. ``joint_type`` and ``polarity``: of jobs that come as a result XML or a table, which do not say.
    ``unchecked``: what becomes of slices of which nothing proves the pixels, neither the file's own check sums (PNG)
    nor a sha256 in the manifest. ``repeated_days``: a picture that was judged so lately is not believed under another
    job or view; 0 for never asking.
    """

    path: str = "/var/spool/axi-edge"
    poll_s: Seconds = 0.2
    keep_days: Annotated[float, Meta(gt=0, le=3_650)] = 7.0
    keep_waiting_days: Annotated[float, Meta(gt=0, le=3_650)] = 30.0
    keep_gb: Annotated[float, Meta(gt=0)] = 20.0
    settle_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    joint_type: Annotated[str, Meta(max_length=256)] = ""
    polarity: Polarity = "solder_dark"
    unchecked: Unchecked = "judge"
    repeated_days: Annotated[float, Meta(ge=0, le=3_650)] = 7.0


class JournalSettings(Struct, frozen=True, kw_only=True):
    path: Annotated[str, Meta(min_length=1)] = "/var/lib/axi-edge/journal.db"


class RouteSettings(Struct, frozen=True, kw_only=True):
    """The bundle of one joint type. Empty ``operating_point``: the card's."""

    bundle: str
    operating_point: str = ""


class ModelSettings(Struct, frozen=True, kw_only=True):
    """``bundle`` judges the joint types that its card names; ``routes``: those that have a bundle of their own.

    ``public_key_file``: refuse any bundle that none of these Ed25519 keys signed. Empty ``operating_point``: the
    card's. ``require_certificate``: nothing is released until ``axi-edge qualify`` has certified this device, as it is
    now. ``follow``: a file of wanted bundles for many devices, an https:// address or a path (``axi-edge bundle
    follow``); ``follow_ca_file``: PEM of the authority of that server's certificate, where the system does not trust
    it. ``watch_s``: for how long a bundle that was activated in stages is watched, and left again where it does badly.
    """

    bundle: str
    public_key_file: str = ""
    operating_point: str = ""
    require_certificate: bool = False
    follow: Annotated[str, Meta(max_length=1_024)] = ""
    follow_ca_file: str = ""
    watch_s: Seconds = 600.0
    routes: dict[Annotated[str, Meta(min_length=1, max_length=256)], RouteSettings] = {}

    def bundle_of(self, joint_type: str) -> str:
        """Path of the bundle that is configured for a joint type, '' for the main one. Raises ConfigError."""
        if not joint_type:
            return self.bundle
        if joint_type not in self.routes:
            known = ", ".join(self.routes) or "none"
            remedy = f"leave the type out for the main bundle, or add the route; there are: {known}"
            raise ConfigError(f"[model.routes.{joint_type}]: missing; {remedy}")
        return self.routes[joint_type].bundle


class InferenceSettings(Struct, frozen=True, kw_only=True):
    """``kernels``: "exact" gives bit-identical scores on both runtimes of an x86-64, about three times slower;
    "reference" on every processor with LiteRT, ten times slower than that.

    ``processes``: views judged at once, each by a process of its own, of this job and of those that wait; each takes
    some 100 MB, and a reload has two sets of them for a moment (MemoryMax and TasksMax of the service hold for eight).
    ``threads``: joints of a view judged at once, with a copy of the model in memory each.
    ``joint_timeout_s``: the longest silence of the process that judges before it is taken to hang; the first joint of
    a view includes decoding its slices. ``verdict_within_s``: a job that would be judged later than this after its
    arrival goes to the specialist at once (0: never).
    """

    runtime: RuntimeChoice = "auto"
    kernels: Kernels = "fast"
    processes: Annotated[int, Meta(ge=1, le=MOST_PROCESSES)] = 2
    threads: Annotated[int, Meta(ge=1, le=MOST_THREADS)] = 1
    start_timeout_s: Seconds = 60.0
    joint_timeout_s: Seconds = 5.0
    job_timeout_s: Seconds = 120.0
    verdict_within_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0


class MqttSettings(Struct, frozen=True, kw_only=True):
    """Secrets come from files, so that systemd credentials work.

    ``reviews``: take reviews from ``<base_topic>/review``, too. ``answer_under``: topics at or below which commands may
    have their answers sent; always allowed is the command's own ``/response``.
    """

    base_topic: Annotated[str, Meta(max_length=512, pattern=_TOPIC, description=_TOPIC_WORDS)]
    host: Annotated[str, Meta(pattern=_HOST, description=_HOST_WORDS)] = "localhost"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 1883
    version: Literal["5", "3.1.1"] = "5"
    client_id: Annotated[str, Meta(max_length=128)] = ""
    username: Annotated[str, Meta(max_length=1_024)] = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=2, le=600)] = 30
    timeout_s: Annotated[float, Meta(gt=0, le=15)] = 10.0
    window: Annotated[int, Meta(ge=1, le=1_000)] = 100
    backoff_base_s: Seconds = 0.5
    backoff_cap_s: Seconds = 30.0
    reviews: bool = True
    answer_under: tuple[Annotated[str, Meta(max_length=512, pattern=_TOPIC, description=_TOPIC_WORDS)], ...] = ()


class HealthSettings(Struct, frozen=True, kw_only=True):
    """``stall_s``: a loop without progress for this long starves the watchdog. ``drain_s``: time to stop in.

    With less than ``min_free_mb`` on a disk no job is claimed. Alarms: the oldest waiting job is older than
    ``stuck_s``; the 99th percentile of latency is above ``latency_ms`` (0: no alarm).
    """

    stall_s: Seconds = 20.0
    drain_s: Seconds = 20.0
    interval_s: Seconds = 10.0
    min_free_mb: Annotated[int, Meta(ge=1)] = 256
    stuck_s: Seconds = 600.0
    latency_ms: Annotated[float, Meta(ge=0)] = 0.0


class ReleaseSettings(Struct, frozen=True, kw_only=True):
    """``policy``: what a joint called normal needs to be released. "licensed": reviews have proved, at ``confidence``,
    that of its board type's defects at most ``target_escape`` are released, and ``audit_share`` of all joints, drawn at
    random, go to a specialist to keep that proved. "advise": nothing is released. "card": the word of the bundle's
    operating point is enough, and nobody checks. ``max_unfamiliar_share``: of a board's joints; when more of them look
    like none that the network knows, an alarm says so, and three such boards in succession end their type's licence.
    """

    policy: Policy = "licensed"
    target_escape: Annotated[float, Meta(ge=0.001, le=0.5)] = 0.05
    confidence: Annotated[float, Meta(ge=0.5, le=0.999)] = 0.95
    audit_share: Annotated[float, Meta(ge=0.005, le=1)] = 0.05
    max_unfamiliar_share: Annotated[float, Meta(ge=0, le=1)] = 0.2


class StationSettings(Struct, frozen=True, kw_only=True):
    """The review station, ``axi-edge station``. ``name``: as reviews have it; ``path``: its own database. ``cert_file``
    and ``key_file``: serve over TLS; ``behind_tls``: a proxy does. ``classes``: of defects, by the keys 1 to 9.
    ``claim_s``: for how long a joint stays a page's own that no longer asks for it; ``undo_s``: for how long a decision
    can be taken back, unless another follows. ``shortest_s``: sooner after the one before no decision is taken.
    ``metrics``: figures at ``/metrics`` for Prometheus, without logging in. ``home_assistant``: where that looks for
    configurations, such as ``homeassistant``; empty: none are said. ``keep_days``: for how many days on which joints
    came the station knows one that waits for nobody. ``known_share``: of the joints that are reviewed, those whose
    truth is known, dealt among the others to measure the reviewers. ``url``: where browsers find the station's pages,
    such as ``https://station.line3.example``; every verdict then carries a link to its joint's.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]*\Z", description=_NAME)] = (
        "station1"
    )
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 8440
    path: Annotated[str, Meta(min_length=1)] = "/var/lib/axi-station/station.db"
    cert_file: str = ""
    key_file: str = ""
    behind_tls: bool = False
    classes: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...], Meta(min_length=1, max_length=9)
    ] = ("insufficient", "missing", "short", "voided", "other")
    claim_s: Seconds = 300.0
    undo_s: Annotated[float, Meta(ge=0, le=3_600)] = 20.0
    shortest_s: Annotated[float, Meta(ge=0, le=60)] = 0.4
    session_hours: Annotated[float, Meta(gt=0, le=168)] = 12.0
    metrics: bool = True
    keep_days: Annotated[int, Meta(ge=1, le=3_650)] = 90
    home_assistant: Annotated[str, Meta(max_length=256, pattern=rf"^({_LEVELS})?\Z", description=_TOPIC_WORDS)] = ""
    known_share: Annotated[float, Meta(ge=0, le=0.5)] = 0.05
    url: Annotated[
        str, Meta(max_length=256, pattern=_URL, description="an address such as https://station.line3.example")
    ] = ""


class Settings(Struct, frozen=True, kw_only=True):
    device: DeviceSettings
    model: ModelSettings
    mqtt: MqttSettings
    spool: SpoolSettings = SpoolSettings()
    journal: JournalSettings = JournalSettings()
    inference: InferenceSettings = InferenceSettings()
    release: ReleaseSettings = ReleaseSettings()
    health: HealthSettings = HealthSettings()
    station: StationSettings = StationSettings()


def load_settings(path: Path) -> Settings:
    """Read the daemon's configuration: the file, and over it those of its folder of drop-ins, in the order of their
    names. Raises ConfigError naming file, key and remedy.
    """
    return load_toml(path, Settings, over=drop_ins_of(path))


def drop_ins_of(path: Path) -> list[Path]:
    """In the order in which they come over the file. Raises ConfigError for a folder that cannot be looked into: what
    stands in it would silently not be in force.
    """
    folder = drop_ins(path)
    try:
        found = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror or error}; make it a folder that this user may read") from error
    return [one for one in found if one.suffix == ".toml" and not one.name.startswith(".")]


def drop_ins(path: Path) -> Path:
    """Beside ``axi-edge.toml`` that is ``axi-edge.d``."""
    return path.with_suffix(".d")


def bundles_to_load(settings: Settings) -> Load:
    """What the configuration asks to be loaded: the main bundle, then one for each route.

    Where it names a link, what that points to now is meant: a process that is started anew must judge with the bundles
    of the one before, wherever links have moved since.
    """
    model, inference = settings.model, settings.inference
    main = Choice(bundle=_resolved(model.bundle), operating_point=model.operating_point)
    routes = [
        Choice(bundle=_resolved(route.bundle), operating_point=route.operating_point, joint_types=(kind,))
        for kind, route in model.routes.items()
    ]
    return Load(
        choices=(main, *routes),
        public_key_file=model.public_key_file,
        runtime=inference.runtime,
        threads=inference.threads,
        kernels=inference.kernels,
        unchecked=settings.spool.unchecked,
    )


def _resolved(path: str) -> bytes:
    return os.fsencode(Path(path).resolve())
