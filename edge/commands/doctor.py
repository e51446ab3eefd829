"""``axi-edge check``: is everything the daemon needs in order? One line each: ok, warn or fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from cryptography.x509 import load_pem_x509_certificates

from edge.adapters.journal_view import totals
from edge.adapters.tflite import installed_runtimes, trouble_with
from edge.bootstrap import try_broker, utc_now
from edge.config import Settings
from edge.core.errors import AxiError
from edge.loading import LoadedModel, configured, load_model, together

_MIN_FREE = 512 * 1024 * 1024
_EARLIEST = datetime(2024, 1, 1, tzinfo=UTC)
_RENEW_DAYS = 30
_CPUINFO = Path("/proc/cpuinfo")
_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")


class Grade(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    what: str
    grade: Grade
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """One finding for each thing the daemon depends on."""
    yield _runtime()
    yield from _bundle(settings)
    yield from _certificates(settings)
    yield _broker(settings)
    yield _spool(settings)
    yield _journal(Path(settings.journal.path))
    for what, path in (("disk spool", settings.spool.path), ("disk journal", settings.journal.path)):
        yield _disk(what, Path(path))
    yield _clock()


def _runtime() -> Finding:
    found = installed_runtimes()
    if not found:
        return Finding("runtime", Grade.FAIL, "no TFLite runtime installed; install axi-edge anew")
    troubles = {one.name: trouble_with(one) for one in found}
    names = ", ".join(f"{one.name} {one.version}" for one in found if not troubles[one.name])
    said = "; ".join(trouble for trouble in troubles.values() if trouble)
    if not names:
        return Finding("runtime", Grade.FAIL, said)
    return Finding("runtime", Grade.WARN, f"{names}; but {said}") if said else Finding("runtime", Grade.OK, names)


def _bundle(settings: Settings) -> Iterator[Finding]:
    """Every bundle, alone and then all together."""
    load, models = configured(settings), list[LoadedModel]()
    for choice in load.choices:
        try:
            models.append(load_model(choice, load))
        except AxiError as error:
            yield Finding("bundle", Grade.FAIL, str(error))
    if len(models) < len(load.choices):
        return
    try:
        served = together(load, tuple(models)).joint_types
    except AxiError as error:
        yield Finding("bundle", Grade.FAIL, str(error))
        return
    for model, joint_types in zip(models, served, strict=True):
        card = model.bundle.card
        text = (
            f"{card.name} {card.version} on {model.runtime.name} for {', '.join(joint_types) or 'no joint type'}, "
            f"{model.replayed} golden joints reproduced, operating point {model.grader.rule.name}"
        )
        if not model.bundle.signed:
            yield Finding("bundle", Grade.WARN, f"{text}; signature not checked: set [model] public_key_file")
        else:
            yield Finding("bundle", Grade.OK, f"{text}, signature good")
    yield _kernels(settings, models[0])


def _kernels(settings: Settings, model: LoadedModel) -> Finding:
    if settings.inference.kernels == "exact":
        return Finding("kernels", Grade.OK, "exact, as configured; the fast ones take about a third of the time")
    if model.scorer.accelerated:
        return Finding("kernels", Grade.OK, "fast (XNNPACK)")
    remedy = "XNNPACK is off, so joints take several times as long; "
    if model.runtime.name != "litert":
        remedy += f"{model.runtime.name} has none for int8: install ai-edge-litert"
    elif not _CPUINFO.exists():
        remedy += f"{_CPUINFO} cannot be read: let the service see /proc (no ProcSubset=pid)"
    else:
        remedy += "this processor is not supported, or ai-edge-litert is damaged: install it anew"
    return Finding("kernels", Grade.WARN, remedy)


def _broker(settings: Settings) -> Finding:
    try:
        problem = try_broker(settings)
    except AxiError as error:
        problem = str(error)
    where = f"{settings.mqtt.host}:{settings.mqtt.port}"
    if problem:
        return Finding("broker", Grade.FAIL, problem)
    return Finding("broker", Grade.OK, f"{where} accepts MQTT {settings.mqtt.version} as {settings.device.name}")


def _certificates(settings: Settings) -> Iterator[Finding]:
    """Whether what we show the broker, and what we check it by, is still valid."""
    for key in ("ca_file", "cert_file"):
        path = getattr(settings.mqtt, key)
        if not path:
            continue
        try:
            ends = min(one.not_valid_after_utc for one in load_pem_x509_certificates(Path(path).read_bytes()))
        except (OSError, ValueError) as error:
            yield Finding("certificate", Grade.FAIL, f"[mqtt] {key}: {path}: {error}; name a readable PEM certificate")
            continue
        left = (ends - utc_now()).days
        grade = Grade.FAIL if left < 0 else Grade.WARN if left < _RENEW_DAYS else Grade.OK
        remedy = "" if grade is Grade.OK else "; renew it" if left >= 0 else "; it has expired: renew it"
        yield Finding("certificate", grade, f"[mqtt] {key}: {path}: valid until {ends:%Y-%m-%d}{remedy}")


def _spool(settings: Settings) -> Finding:
    root = Path(settings.spool.path)
    present = [root / name for name in ("incoming", "work", "done", "rejected") if (root / name).is_dir()]
    for folder in [_nearest(root), *present]:
        if not folder.is_dir():
            return Finding("spool", Grade.FAIL, f"{folder}: a file, not a folder; correct [spool] path")
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return Finding("spool", Grade.FAIL, f"{folder}: not writable for this user; correct its owner or mode")
    if len({folder.stat().st_dev for folder in present}) > 1:
        return Finding("spool", Grade.FAIL, f"{root}: its folders lie on different file systems; use one")
    return Finding("spool", Grade.OK, str(root))


def _journal(path: Path) -> Finding:
    if path.exists():
        try:
            held = totals(path)
        except AxiError as error:
            return Finding("journal", Grade.FAIL, str(error))
        return Finding("journal", Grade.OK, f"{path}, {held.unsent} messages waiting for the broker")
    nearest = _nearest(path.parent)
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Finding("journal", Grade.FAIL, f"{nearest}: no folder this user may write to; correct [journal] path")
    return Finding("journal", Grade.OK, f"{path}, to be created")


def _disk(what: str, path: Path) -> Finding:
    nearest = _nearest(path)
    free = shutil.disk_usage(nearest).free
    grade = Grade.OK if free >= _MIN_FREE else Grade.WARN if free >= _MIN_FREE // 8 else Grade.FAIL
    remedy = "" if grade is Grade.OK else "; free some space"
    return Finding(what, grade, f"{free // 2**20} MiB free at {nearest}{remedy}")


def _clock() -> Finding:
    now = utc_now()
    if now < _EARLIEST:
        return Finding("clock", Grade.FAIL, f"{now:%Y-%m-%d}: the clock is not set; set it, or enable time sync")
    if not _SYNCHRONISED.exists():
        return Finding("clock", Grade.WARN, f"{now:%Y-%m-%dT%H:%M:%SZ}; systemd-timesyncd has not synchronised it")
    return Finding("clock", Grade.OK, f"{now:%Y-%m-%dT%H:%M:%SZ}, synchronised")


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    return path
