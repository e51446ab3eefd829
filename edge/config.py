"""The configuration: one TOML file into frozen settings.

Every key has a default or is named as missing; an unknown key is an error that names the nearest valid one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from edge.core.errors import ConfigError
from edge.core.job import Polarity
from edge.ports import Kernels, RuntimeChoice

DEFAULT_PATH = Path("/etc/axi-edge/axi-edge.toml")

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1)]
S = TypeVar("S", bound=Struct)


class DeviceSettings(Struct, frozen=True, kw_only=True):
    """``name`` is part of every event_id: keep it when the hardware behind it is replaced."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]*\Z")]


class SpoolSettings(Struct, frozen=True, kw_only=True):
    """A finished job is kept, with what the journal holds of it, until every verdict on it was acknowledged; then
    until it is older than ``keep_days`` or, the oldest first, finished jobs take more than ``keep_gb``. ``settle_s``:
    for machines that write in place instead of renaming, how long nothing in a folder must have changed before it is
    claimed. ``joint_type`` and ``polarity``: of jobs that come as a result XML or a table, which do not say.
    """

    path: str = "/var/spool/axi-edge"
    poll_s: Seconds = 0.2
    keep_days: Annotated[float, Meta(gt=0, le=3_650)] = 7.0
    keep_gb: Annotated[float, Meta(gt=0)] = 20.0
    settle_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    joint_type: Annotated[str, Meta(max_length=256)] = ""
    polarity: Polarity = "solder_dark"


class JournalSettings(Struct, frozen=True, kw_only=True):
    path: str = "/var/lib/axi-edge/journal.db"


class RouteSettings(Struct, frozen=True, kw_only=True):
    """The bundle of one joint type. Empty ``operating_point``: the card's."""

    bundle: str
    operating_point: str = ""


class ModelSettings(Struct, frozen=True, kw_only=True):
    """``bundle`` judges the joint types that its card names; ``routes``: those that have a bundle of their own.

    ``public_key_file``: refuse any bundle this Ed25519 key did not sign. Empty ``operating_point``: the card's.
    """

    bundle: str
    public_key_file: str = ""
    operating_point: str = ""
    routes: dict[Annotated[str, Meta(min_length=1, max_length=256)], RouteSettings] = {}

    def bundle_of(self, joint_type: str) -> str:
        """Path of the bundle that is configured for a joint type, '' for the main one. Raises ConfigError."""
        if not joint_type:
            return self.bundle
        if joint_type not in self.routes:
            known = ", ".join(self.routes) or "none"
            raise ConfigError(f"[model.routes.{joint_type}]: missing; joint types with a route: {known}")
        return self.routes[joint_type].bundle


class InferenceSettings(Struct, frozen=True, kw_only=True):
    """``kernels``: "exact" gives bit-identical scores on every runtime, about three times slower on x86.

    ``threads``: joints judged at once, each on a core of its own with a copy of the model in memory.
    ``joint_timeout_s``: the longest silence of the process that judges before it is taken to hang; the first joint of
    a view includes decoding its slices. ``verdict_within_s``: a job that would be judged later than this after its
    arrival goes to the specialist at once (0: never).
    """

    runtime: RuntimeChoice = "auto"
    kernels: Kernels = "fast"
    threads: Annotated[int, Meta(ge=1, le=64)] = 1
    start_timeout_s: Seconds = 60.0
    joint_timeout_s: Seconds = 5.0
    job_timeout_s: Seconds = 120.0
    verdict_within_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0


class MqttSettings(Struct, frozen=True, kw_only=True):
    """Secrets come from files, so that systemd credentials work."""

    base_topic: Annotated[str, Meta(max_length=512, pattern=r"^[^#+/$\x00\s][^#+/\x00\s]*(/[^#+/\x00\s]+)*\Z")]
    host: str = "localhost"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 1883
    version: Literal["5", "3.1.1"] = "5"
    client_id: Annotated[str, Meta(max_length=128)] = ""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=2, le=600)] = 30
    timeout_s: Annotated[float, Meta(gt=0, le=15)] = 10.0
    window: Annotated[int, Meta(ge=1, le=1_000)] = 100
    backoff_base_s: Seconds = 0.5
    backoff_cap_s: Seconds = 30.0


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


class Settings(Struct, frozen=True, kw_only=True):
    device: DeviceSettings
    model: ModelSettings
    mqtt: MqttSettings
    spool: SpoolSettings = SpoolSettings()
    journal: JournalSettings = JournalSettings()
    inference: InferenceSettings = InferenceSettings()
    health: HealthSettings = HealthSettings()


def load_settings(path: Path) -> Settings:
    """Read the daemon's configuration. Raises ConfigError naming file, key and remedy."""
    return load_toml(path, Settings)


def load_toml(path: Path, kind: type[S]) -> S:
    """Read a TOML file into the struct ``kind``. Raises ConfigError naming file, key and remedy."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; name a readable TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    _refuse_unknown(document, kind, path, "")
    return _converted(document, kind, path)


def _converted(document: Any, kind: type[S], path: Path, section: str = "") -> S:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_plain(str(error), section)}") from error


def _refuse_unknown(document: Any, kind: type[Struct], path: Path, section: str) -> None:
    """Unknown keys here and in every nested table; also what is no table where each key is free to choose."""
    if not isinstance(document, dict) or section.endswith(".(empty)"):
        raise ConfigError(f"{path}: [{section}]: a table with a name is expected, its keys below it")
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in document.items():
        where = f"[{section}] {key}" if section else f"[{key}]"
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.0)
            raise ConfigError(f"{path}: {where}: unknown; the nearest valid name is {near[0]!r}")
        for name, table, inner in _tables(fields[key], value, f"{section}.{key}" if section else key):
            _refuse_unknown(table, inner, path, name)
            if get_origin(fields[key]) is dict:  # where msgspec would not say in which of the tables
                _converted(table, inner, path, name)


def _tables(kind: Any, value: Any, name: str) -> Iterator[tuple[str, dict[str, Any], type[Struct]]]:
    """The tables of known keys in a value: itself, or each of a table of tables."""
    if not isinstance(value, dict):
        return
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield name, value, kind
    elif get_origin(kind) is dict and isinstance(inner := get_args(kind)[1], type) and issubclass(inner, Struct):
        yield from ((f"{name}.{key or '(empty)'}", one, inner) for key, one in value.items())


def _plain(problem: str, within: str = "") -> str:
    """msgspec's 'problem - at `$.section.key`' as '[section] key: problem'; ``within``: the section that was read."""
    match = re.fullmatch(r"(.*?)(?: - at `\$\.(.*)`)?", problem, re.DOTALL)
    what, where = (match.group(1), match.group(2) or "") if match else (problem, "")
    missing = re.fullmatch(r"Object missing required field `(.*)`", what)
    if missing:
        where = f"{where}.{missing.group(1)}" if where else missing.group(1)
        what = "missing; add it"
    section, _, key = f"{within}.{where}".strip(".").rpartition(".")
    return f"[{section}] {key}: {what}" if section else f"[{key}]: {what}"
