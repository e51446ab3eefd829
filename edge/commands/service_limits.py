"""What the unit allows the daemon, which is not what it allows whoever asks: its user, the folders it may write to, the
watchdog.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from edge.adapters.systemd import properties_of
from edge.commands.findings import Finding, Health
from edge.config import Settings

UNIT = "axi-edge.service"
_ASKED = ("LoadState", "User", "ReadWritePaths", "StateDirectory", "WatchdogUSec", "TimeoutStopUSec", "ProtectSystem")
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


class Service(NamedTuple):
    """``writable``: where it may write, everything where that is empty; a limit of None is none."""

    user: str
    writable: tuple[Path, ...]
    watchdog_s: float | None
    stop_s: float | None


def service() -> Service | None:
    """As systemd has the unit; None where there is no such unit, or no systemd."""
    said = properties_of(UNIT, *_ASKED)
    return service_of(said) if said.get("LoadState") == "loaded" else None


def service_of(said: dict[str, str]) -> Service:
    """What ``systemctl show`` says of a unit."""
    states = (Path("/var/lib") / name for name in said.get("StateDirectory", "").split())
    paths = (Path(path.lstrip("-+")) for path in said.get("ReadWritePaths", "").split())
    writable = (*paths, *states) if said.get("ProtectSystem") == "strict" else ()
    limits = (seconds(said.get(name, "")) for name in ("WatchdogUSec", "TimeoutStopUSec"))
    return Service(said.get("User", ""), writable, *limits)


def seconds(span: str) -> float | None:
    """Of "1min 30s", as systemd says it; None for no limit."""
    words = span.split()
    try:
        return sum(_span(word) for word in words) or None
    except (ValueError, KeyError):
        return None


def _span(word: str) -> float:
    number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(number) * _UNITS_S[word[len(number) :]]


def within_limits(settings: Settings, unit: Service) -> Iterator[Finding]:
    """What the configuration asks for, and the unit would not have."""
    health = settings.health
    pairs = (
        ("stall_s", health.stall_s, "WatchdogSec", unit.watchdog_s, "the service would be killed before it says why"),
        ("drain_s", health.drain_s, "TimeoutStopSec", unit.stop_s, "a stop would be cut short"),
    )
    troubles = [
        f"[health] {key} {asked:g} is not below the unit's {name}={limit:g}: {what}; lower it"
        for key, asked, name, limit, what in pairs
        if limit is not None and asked >= limit
    ]
    paths = {"[spool] path": settings.spool.path, "[journal] path": str(Path(settings.journal.path).parent)}
    for key, path in paths.items():
        real = Path(os.path.realpath(path))
        if unit.writable and not any(real.is_relative_to(os.path.realpath(one)) for one in unit.writable):
            remedy = f"a drop-in for {UNIT} with ReadWritePaths={path} (docs: the spool on another disk)"
            troubles.append(f"{key}: the unit lets it write below {_listed(unit.writable)} alone; give it {remedy}")
    for trouble in troubles:
        yield Finding("service", Health.FAIL, trouble)
    if not troubles:
        yield Finding("service", Health.OK, f"{UNIT} as {unit.user or 'root'}, within what it may")


def _listed(paths: tuple[Path, ...]) -> str:
    return ", ".join(map(str, paths))


def as_the_service(unit: Service | None, find: Callable[[], Finding]) -> Finding:
    """The finding of the service's user, where it can be made to look; root may do everything."""
    if unit is None or not unit.user or os.geteuid() != 0:
        return find()
    try:
        account = pwd.getpwnam(unit.user)
    except KeyError:
        return Finding("service", Health.FAIL, f"user {unit.user}: no such account; systemd-sysusers makes it")
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _look(account, find, writer)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    os.waitpid(child, 0)
    what, _, rest = text.partition("\n")
    health, _, found = rest.partition("\n")
    return Finding(what, Health(health), found) if what else find()


def _seen(find: Callable[[], Finding]) -> str:
    try:
        found = find()
    except OSError as error:
        what = f"{error.filename}: {error.strerror} for the service's user; correct its owner or mode"
        return f"service\n{Health.FAIL.value}\n{what}"
    return f"{found.what}\n{found.health.value}\n{found.text}"


def _look(account: pwd.struct_passwd, find: Callable[[], Finding], writer: int) -> None:
    """In a process of its own, which ends with it."""
    try:
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        said = _seen(find)
        os.write(writer, said.encode(errors="backslashreplace"))
    finally:
        os._exit(0)
