"""What the unit allows the daemon, compared with what the configuration asks for."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.commands.doctor_places import journal_finding, spool_finding
from edge.commands.findings import Finding, Health
from edge.commands.service_limits import Service, as_the_service, seconds, service_of, within_limits
from edge.config import load_settings

ROOT = Path(__file__).parents[3]
SETTINGS = load_settings(ROOT / "firmware_cfg/devices/x86-64-box.toml")
SHIPPED = Service("axi-edge", (Path("/var/spool/axi-edge"), Path("/var/lib/axi-edge")), 30.0, 60.0)


def said_by(unit: str) -> dict[str, str]:
    """As systemctl would, of what the unit file says."""
    said = dict(line.partition("=")[::2] for line in unit.splitlines() if "=" in line and line[0] != "#")
    return {
        **said,
        "WatchdogUSec": f"{said['WatchdogSec']}s",
        "TimeoutStopUSec": {"60": "1min"}[said["TimeoutStopSec"]],
    }


def test_what_ships_goes_together() -> None:
    unit = service_of(said_by((ROOT / "systemd/axi-edge.service").read_text()))
    assert unit == SHIPPED
    (finding,) = within_limits(SETTINGS, unit)
    assert (finding.health, finding.text) == (Health.OK, "axi-edge.service as axi-edge, within what it may")


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("health", {"stall_s": 30.0}, "[health] stall_s 30 is not below the unit's WatchdogSec=30"),
        ("health", {"drain_s": 61.0}, "[health] drain_s 61 is not below the unit's TimeoutStopSec=60"),
        ("spool", {"path": "/srv/spool"}, "[spool] path: the unit lets it write below /var/spool/axi-edge, "),
        ("spool", {"path": "/var/spool/axi-edge/../else"}, "[spool] path: the unit lets it write below"),
        ("journal", {"path": "/srv/journal.db"}, "[journal] path: the unit lets it write below"),
    ],
)
def test_what_the_unit_would_not_have_is_found(section: str, change: dict[str, object], words: str) -> None:
    settings = replace(SETTINGS, **{section: replace(getattr(SETTINGS, section), **change)})
    (finding,) = within_limits(settings, SHIPPED)
    assert finding.health is Health.FAIL
    assert finding.text.startswith(words)
    (unlimited,) = within_limits(settings, Service("", (), None, None))
    assert unlimited.health is Health.OK, "where nothing limits it"


@pytest.mark.parametrize(
    ("span", "wanted"), [("30s", 30.0), ("1min 30s", 90.0), ("500ms", 0.5), ("infinity", None), ("0", None), ("", None)]
)
def test_spans_are_read_as_systemd_says_them(span: str, wanted: float | None) -> None:
    assert seconds(span) == wanted


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may do everything")
def test_root_looks_with_the_services_eyes() -> None:
    nobody = Service("nobody", (), None, None)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for name in ("spool", "state"):
            (root / name).mkdir(mode=0o755)
        journal = root / "state" / "journal.db"

        def spool() -> Finding:
            return spool_finding(root / "spool")

        root.chmod(0o755)
        for unit, health in ((None, Health.OK), (nobody, Health.FAIL)):
            assert as_the_service(unit, spool).health is health
            assert as_the_service(unit, lambda: journal_finding(journal)).health is health
        assert "not writable for this user" in as_the_service(nobody, spool).text
        root.chmod(0o700)
        assert "Permission denied for the service's user" in as_the_service(nobody, spool).text
        strange = as_the_service(Service("no-such-account", (), None, None), spool)
        assert "systemd-sysusers makes it" in strange.text
