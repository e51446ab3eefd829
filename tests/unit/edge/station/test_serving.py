"""What no station can be served with is named before anything is served."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge.config import Settings, StationSettings, load_settings
from edge.core.errors import ConfigError
from edge.station.serving import require_usable, with_credentials

PROFILE = Path(__file__).parents[4] / "firmware_cfg" / "devices" / "x86-64-box.toml"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cert_file": "/a.pem"}, "one is missing"),
        ({"cert_file": "/nowhere/a.pem", "key_file": "/nowhere/b.pem"}, "/nowhere/a.pem, /nowhere/b.pem"),
        ({"cert_file": "/dev/null", "key_file": "/dev/null"}, "name readable PEM files"),
        ({"classes": ("short", "voided", "short")}, "'short' stands there twice"),
    ],
)
def test_wrong_values_are_named_with_their_key(change: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=r"\[station\] ") as refused:
        require_usable(msgspec.structs.replace(StationSettings(), **change))
    assert told in str(refused.value)


def test_secrets_are_the_units_own_copies() -> None:
    settings: Settings = load_settings(PROFILE)
    theirs = "/run/credentials/axi-edge.service/mqtt-password"
    mqtt = msgspec.structs.replace(settings.mqtt, password_file=theirs, ca_file="/etc/ca.pem")
    settings = msgspec.structs.replace(settings, mqtt=mqtt)
    own = with_credentials(settings, "/run/credentials/axi-station.service").mqtt
    assert own.password_file == "/run/credentials/axi-station.service/mqtt-password"  # noqa: S105 - a path
    assert own.ca_file == "/etc/ca.pem"
    assert with_credentials(settings, "") == settings
