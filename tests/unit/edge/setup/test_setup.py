"""What a device is told, by flags, by a file or at a terminal, and what is written of it."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config import Settings, load_settings
from edge.core.errors import ConfigError, UsageError
from edge.setup.answers import Told, of_file, over, own_name, whole
from edge.setup.written import PROFILES, Places, already, changed_files, filled, profiles, write_all
from tests.support.certificates import Authority

TOLD = Told(base_topic="acme/{name}", broker="broker.plant:8883", profile="x86-64-box")
FLEET = """
[all]
base_topic = "acme/smt/{name}"
broker = "broker.plant"
username = "{name}"
password_file = "passwords/{name}"

[devices.axi1]
[devices.axi2]
broker = "other.plant:1884"
"""


def written(tmp_path: Path, told: Told = TOLD, name: str = "axi1") -> Places:
    places = Places(tmp_path / "etc" / "axi-edge.toml", tmp_path / "units")
    write_all(whole(name, told, None), places, bundle="/bundles/current", trusted="/etc/trusted.pem")
    return places


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_becomes_a_configuration(tmp_path: Path, profile: str) -> None:
    places = written(tmp_path, over(TOLD, Told(profile=profile)))
    settings = load_settings(places.config)
    assert (settings.device.name, settings.mqtt.base_topic) == ("axi1", "acme/axi1")
    assert (settings.mqtt.host, settings.mqtt.port) == ("broker.plant", 8883)
    assert (settings.model.bundle, settings.model.public_key_file) == ("/bundles/current", "/etc/trusted.pem")
    assert settings.mqtt.password_file == settings.mqtt.ca_file == ""
    assert "<--" not in places.config.read_text().split("[device]")[1]


def test_secrets_are_copied_for_root_alone_and_handed_over_by_the_service_manager(tmp_path: Path) -> None:
    password, authority = tmp_path / "pw", tmp_path / "plant-ca.pem"
    password.write_text("secret")
    shutil.copy(Authority(tmp_path).file, authority)
    places = written(tmp_path, over(TOLD, Told(username="u", password_file=str(password), ca_file=str(authority))))
    kept = places.folder / "mqtt-password"
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == ("secret", 0o600)
    assert stat.S_IMODE((places.folder / "mqtt-ca.pem").stat().st_mode) == 0o644
    mqtt = load_settings(places.config).mqtt
    assert mqtt.password_file.split("/")[1:] == ["run", "credentials", "axi-edge.service", "mqtt-password"]
    assert mqtt.ca_file == str(places.folder / "mqtt-ca.pem")
    for unit in ("axi-edge", "axi-station"):
        drop_in = (places.units / f"{unit}.service.d/10-setup.conf").read_text()
        assert f"LoadCredential=mqtt-password:{kept}\n" in drop_in


def test_once_more_changes_what_is_said_and_no_more(tmp_path: Path) -> None:
    password = tmp_path / "pw"
    password.write_text("secret")
    places = written(tmp_path, over(TOLD, Told(username="u", password_file=str(password))))
    places.config.write_text(places.config.read_text().replace("keep_days = 7.0", "keep_days = 3.0"))
    name, known, tls = already(places)
    assert (name, known.broker, known.username, tls) == ("axi1", "broker.plant:8883", "u", False)
    write_all(whole(name, over(known, Told(broker="[fd00::1]:1883")), None), places, bundle="b", trusted="t")
    assert load_settings(places.config).model.bundle == "/bundles/current", "what judges is not what this asks"
    settings = load_settings(places.config)
    assert (settings.mqtt.host, settings.mqtt.port, settings.spool.keep_days) == ("fd00::1", 1883, 3.0)
    assert settings.mqtt.password_file.endswith("/mqtt-password")
    assert "LoadCredential=mqtt-password:" in (places.units / "axi-edge.service.d/10-setup.conf").read_text()
    assert already(places)[1].broker == "[fd00::1]:1883"


def test_what_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    places = written(tmp_path)
    before = places.config.read_bytes()
    secret, authority = tmp_path / "secret", Authority(tmp_path)
    secret.write_bytes(b"\xff")
    certificate, key = authority.issue("device")
    for bad, said in (
        (Told(base_topic="acme/#"), "--base-topic"),
        (Told(username="u", password_file=str(tmp_path / "nowhere")), "nowhere"),
        (Told(username="x" * 2000), "username"),
        (Told(username="\udcff"), "plain text"),
        (Told(password_file=str(key)), "username: missing"),
        (Told(username="u", password_file=str(secret)), "password_file"),
        (Told(ca_file=str(secret)), "--ca-file"),
        (Told(ca_file=str(authority.file), cert_file=str(certificate)), "cert_file and key_file"),
        (Told(cert_file=str(certificate), key_file=str(key)), "ca_file: missing"),
        (Told(ca_file=str(authority.file), cert_file=str(certificate), key_file=str(secret)), "key_file"),
        (Told(broker="b:" + "9" * 5000), "HOST or HOST:PORT"),
        (Told(broker="b:70000"), "HOST or HOST:PORT"),
    ):
        with pytest.raises(ConfigError, match=said):
            written(tmp_path, over(TOLD, bad))
    assert places.config.read_bytes() == before
    assert sorted(path.name for path in places.folder.iterdir()) == ["axi-edge.toml"]


def test_one_file_tells_many_devices(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(FLEET)
    first = whole("axi1", of_file(fleet, "axi1"), None)
    assert (first.base_topic, first.host, first.port, first.username) == ("acme/smt/axi1", "broker.plant", 1883, "axi1")
    assert first.password_file == str(tmp_path / "passwords/axi1")
    second = whole("axi2", of_file(fleet, "axi2"), None)
    assert (second.host, second.port) == ("other.plant", 1884)
    with pytest.raises(ConfigError, match=r"\[devices.axi3\]: missing; add it, or say --name with one of axi1, axi2"):
        of_file(fleet, "axi3")
    fleet.write_text("[all]\nbroke = 'x'\n")
    with pytest.raises(ConfigError, match="nearest valid name is 'broker'"):
        of_file(fleet, "axi1")


def test_what_is_missing_is_asked_for_or_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--base-topic: missing"):
        whole("axi1", Told(broker="b"), None)
    with pytest.raises(UsageError, match="--broker: missing"):
        whole("axi1", Told(base_topic="a"), None)
    with pytest.raises(ConfigError, match="HOST or HOST:PORT"):
        whole("axi1", Told(base_topic="a", broker="mqtts://b"), None)
    for topic in ("a/#", "$SYS/a", "a//b", "/a", "a b", "a/+/b"):
        with pytest.raises(ConfigError, match=r"--base-topic: .*no #"):
            whole("axi1", Told(base_topic=topic, broker="b"), None)
    for name in ("", "a b", "a/b", "x" * 65, "ä"):
        with pytest.raises(ConfigError, match=r"--name: .*letters, digits"):
            whole(name, Told(base_topic="a", broker="b"), None)
    asked = []

    def ask(question: str, default: str, require: Callable[[str], object]) -> str:
        asked.append(question)
        what = question.split(maxsplit=1)[0].strip(",")
        for bad in {"broker": ("b:x",), "topic": ("a/#", ""), "file": ("/nowhere",)}.get(what, ()):
            with pytest.raises(ConfigError):
                require(bad)
        answer = {"topic": "acme/line", "broker": "b:8884"}.get(what, default)
        require(answer)
        return answer

    answers = whole("axi1", Told(), ask)
    assert (answers.host, answers.port, answers.base_topic) == ("b", 8884, "acme/line")
    assert len(asked) == 5
    assert whole("axi1", Told(base_topic="a", broker="b", ca_file="ca.pem"), ask).port == 8883, "nothing is asked"
    assert whole("axi1", Told(base_topic="a", broker="b"), ask, tls=True).port == 8883, "it has a CA already"
    assert len(asked) == 5


def test_what_must_be_well_first_is_given_what_can_be_tried_and_else_nothing_is_changed(tmp_path: Path) -> None:
    password, other = tmp_path / "pw", tmp_path / "other"
    password.write_text("secret")
    other.write_text("another")
    places = written(tmp_path, over(TOLD, Told(username="u", password_file=str(password))))
    before = {path: path.read_bytes() for path in places.folder.iterdir()}
    tried: list[Settings] = []

    def first(settings: Settings) -> None:
        tried.append(settings)
        raise ConfigError("no such broker")

    for told in (Told(broker="elsewhere"), Told(password_file=str(other))):
        answers = whole("axi1", over(already(places)[1], told), None)
        with pytest.raises(ConfigError, match="no such broker"):
            write_all(answers, places, bundle="b", trusted="t", first=first)
    assert [(each.mqtt.host, each.mqtt.password_file) for each in tried] == [
        ("elsewhere", str(places.folder / "mqtt-password")),
        ("broker.plant", str(other)),
    ]
    assert {path: path.read_bytes() for path in places.folder.iterdir()} == before


def test_a_file_has_changed_only_where_it_says_something_else(tmp_path: Path) -> None:
    password = tmp_path / "pw"
    password.write_text("secret")
    told = over(TOLD, Told(username="u", password_file=str(password)))
    places = written(tmp_path, told)
    assert changed_files(whole("axi1", told, None), places) == {}
    password.write_text("another")
    assert changed_files(whole("axi1", told, None), places) == {
        "password_file": f"{places.folder / 'mqtt-password'}.before"
    }
    write_all(whole("axi1", told, None), places, bundle="b", trusted="t")
    before = places.folder / "mqtt-password.before"
    assert (before.read_text(), stat.S_IMODE(before.stat().st_mode)) == ("secret", 0o600)


def test_values_take_the_place_of_others_and_comments_stay() -> None:
    text = '[a]\nx = "1 # 2"   # why\ny = 2\n[b]\nx = 3 # <-- set me\n'
    new = filled(text, {("a", "x"): 'q"', ("b", "x"): 4})
    assert new == '[a]\nx = "q\\""  # why\ny = 2\n[b]\nx = 4  # set me\n'
    assert filled(text, {("a", "z"): 1, ("c", "y"): 2}).startswith("[a]\nz = 1\nx")
    assert filled(text, {("c", "y"): 2}).endswith("\n\n[c]\ny = 2\n")
    assert filled("[ a ]\n  x = 1 # \u2028 y\n", {("a", "x"): 2}) == "[ a ]\nx = 2  # \u2028 y\n"


def test_this_computers_name_is_one_that_a_device_may_have() -> None:
    assert own_name()
    assert set(own_name()) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert (PROFILES / "x86-64-box.toml").exists()
