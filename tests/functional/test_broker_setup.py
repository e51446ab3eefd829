"""The broker that ``axi-edge setup broker`` makes: a real mosquitto, real TLS, real accounts, a real bridge."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.core.errors import AxiError, ConfigError, UsageError
from edge.setup.answers import address_of, of_file
from edge.setup.bridging import Bridge
from edge.setup.broker import Line, Where, over, set_up, told_before
from tests.support.line_broker import Broker, Client
from tests.support.lines import wait_until
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker
LINE = Line(
    hosts=("localhost", "127.0.0.1"),
    base_topic="acme/penang/{name}",
    devices=("axi1", "axi2"),
    readers=("mes",),
    operators=("operator",),
    stations=("review1",),
)


def answers_without_certificate(broker: Broker) -> bool:
    context = ssl.create_default_context(cafile=str(broker.where.out / "ca.pem"))
    with socket.create_connection(("localhost", broker.port), 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as secured:
                secured.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04axi1")
                return bool(secured.recv(4))
        except OSError:
            return False


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    found = Broker(tmp_path, LINE)
    found.start()
    yield found
    found.kill()


def test_every_account_may_do_its_own_and_nothing_else(broker: Broker) -> None:
    device, other = broker.client("axi1"), broker.client("axi2")
    mes, operator, station = (broker.client(name) for name in ("mes", "operator", "review1"))
    mes.subscribe("acme/penang/#")
    assert device.may_write("acme/penang/axi1/verdict/S1")
    assert mes.hears("acme/penang/axi1/verdict/S1")
    assert not device.may_write("acme/penang/axi2/verdict/S1")
    assert not mes.may_write("acme/penang/axi1/verdict/S1")
    assert not mes.may_write("acme/penang/axi1/cmd/reload")
    device.subscribe("acme/penang/axi1/cmd/+")
    assert operator.may_write("acme/penang/axi1/cmd/reload")
    assert device.hears("acme/penang/axi1/cmd/reload")
    assert not operator.may_write("acme/penang/axi1/review")
    assert station.may_write("acme/penang/axi2/review")
    assert not station.may_write("acme/penang/axi2/verdict/S1")
    other.subscribe("acme/penang/axi1/#")
    assert device.may_write("acme/penang/axi1/verdict/S2")
    assert mes.hears("acme/penang/axi1/verdict/S2")
    assert other.heard == []
    for client in (device, other, mes, operator, station):
        client.close()


def test_a_wrong_word_and_no_name_are_refused(broker: Broker) -> None:
    for name, word in (("axi1", "not it"), ("nobody", "word"), ("", "")):
        client = Client(broker, name, word)
        assert client.refused
        client.close()
    with socket.create_connection(("localhost", broker.port)) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")


def test_a_certificate_does_as_well_as_a_password(tmp_path: Path) -> None:
    broker = Broker(tmp_path, replace(LINE, certificates=True))
    broker.start()
    device = broker.client("axi1")
    assert not device.refused
    assert device.may_write("acme/penang/axi1/status")
    assert not device.may_write("acme/penang/axi2/status")
    device.close()
    assert not answers_without_certificate(broker)
    broker.kill()


def test_a_device_is_set_up_from_what_it_is_given(broker: Broker) -> None:
    folder = broker.where.for_account("axi2")
    told = of_file(folder / "setup.toml", "axi2")
    assert (told.base_topic, told.broker, told.username) == ("acme/penang/{name}", "localhost:8883", "axi2")
    assert {path.name for path in folder.iterdir()} == {"setup.toml", "ca.pem", "password"}
    assert Path(told.ca_file).exists()
    assert Path(told.password_file).exists()
    others = (broker.where.for_account(name) / "password" for name in LINE.accounts if name != "axi2")
    secrets = [path.read_text().strip() for path in others]
    assert not [word for word in secrets for path in folder.iterdir() if word in path.read_text()]


def test_once_more_adds_and_keeps(broker: Broker) -> None:
    words = {path.parent.name: path.read_bytes() for path in broker.where.out.glob("accounts/*/password")}
    authority = (broker.where.out / "ca.pem").read_bytes()
    before = told_before(broker.where.out)
    assert before == LINE
    broker.kill()
    broker.write(over(before, Line(devices=("axi3",))))
    broker.start()
    after = {path.parent.name: path.read_bytes() for path in broker.where.out.glob("accounts/*/password")}
    assert after.keys() - words.keys() == {"axi3"}
    assert {name: after[name] for name in words} == words
    assert (broker.where.out / "ca.pem").read_bytes() == authority
    for name in ("axi1", "axi3"):
        client = broker.client(name)
        assert client.may_write(f"acme/penang/{name}/status")
        client.close()


def test_secrets_are_nobody_elses(broker: Broker) -> None:
    out = broker.where.out
    assert out.stat().st_mode & 0o777 == 0o700
    for path in (out / "ca.key", broker.where.for_account("axi1") / "password"):
        assert path.stat().st_mode & 0o777 == 0o600
    for path in (
        broker.where.keys / "axi-broker.key",
        broker.where.mosquitto / "axi-passwords",
        broker.where.configuration,
    ):
        assert path.stat().st_mode & 0o777 == 0o640
    assert "axi1:$" in (broker.where.mosquitto / "axi-passwords").read_text(), "no word as it is"


def test_its_certificates_please_newer_pythons(broker: Broker) -> None:
    """From 3.13 on they are read strictly."""
    context = ssl.create_default_context(cafile=str(broker.where.out / "ca.pem"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("localhost", broker.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        assert secured.version()


def test_what_could_say_more_than_it_should_is_refused(tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("good\nallow_anonymous true\n")
    with pytest.raises(ConfigError, match="not one line of text"):
        Broker(tmp_path, replace(LINE, bridge=Bridge("127.0.0.1", "axi", str(word))))
    for host in ("a b", "broker\nuser root", "br\u00f6ker", ""):
        with pytest.raises(UsageError, match="--host"):
            Broker(tmp_path, replace(LINE, hosts=(host,)))


@pytest.mark.parametrize(
    ("bridge", "words"),
    [
        (Bridge("broker.plant", ca_file="/no/such.pem"), "--bridge-ca-file: /no/such.pem"),
        (Bridge("broker.plant", "axi", "/no/such"), "/no/such"),
        (Bridge("broker plant"), "--bridge-to"),
        (Bridge("broker.plant", password_file="/no/such"), "--bridge-username"),  # noqa: S106 - a path
    ],
)
def test_a_wrong_word_about_the_bridge_changes_nothing(broker: Broker, bridge: Bridge, words: str) -> None:
    folder = broker.where.mosquitto
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(AxiError) as refused:
        set_up(replace(LINE, bridge=bridge), broker.where)
    assert words in str(refused.value)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_broker_that_somebody_set_up_by_hand_is_not_overwritten(tmp_path: Path) -> None:
    where = Where(tmp_path / "out", tmp_path / "etc", owner="root")
    where.configuration.parent.mkdir(parents=True)
    where.configuration.write_text("listener 1883\n")
    with pytest.raises(ConfigError, match="was not written by axi-edge setup broker; move it away"):
        set_up(LINE, where)
    assert where.configuration.read_text() == "listener 1883\n"


def test_a_host_of_ipv6_is_told_as_devices_read_it(tmp_path: Path) -> None:
    broker = Broker(tmp_path, replace(LINE, hosts=("fd00::1",)))
    told = of_file(broker.where.for_account("axi1") / "setup.toml", "axi1")
    assert address_of(told.broker, tls=True) == ("fd00::1", 8883)
    with pytest.raises(UsageError, match="no port"):
        set_up(replace(LINE, hosts=("broker.line3:8883",)), broker.where)


def test_what_the_plant_misses_waits_on_disk(tmp_path: Path) -> None:
    """Its broker is away, then the line's own is killed, too."""
    (tmp_path / "plant").mkdir()
    plant = Mosquitto(tmp_path / "plant")
    plant.start()
    (tmp_path / "line").mkdir()
    broker = Broker(tmp_path / "line", replace(LINE, bridge=Bridge(f"127.0.0.1:{plant.port}")))
    broker.start()
    device = broker.client("axi1")
    listener = Subscriber(plant.port, client_id="mes")
    assert device.may_write("acme/penang/axi1/verdict/S0")
    listener.wait_for(lambda one: len(one.payloads("/verdict/")) == 1, 40)
    plant.stop()
    for number in range(1, 50):
        assert device.may_write(f"acme/penang/axi1/verdict/S{number}")
    store = tmp_path / "line" / "mosquitto.db"
    wait_until(lambda: store.exists() and b"verdict/S49" in store.read_bytes())
    broker.kill()
    broker.start()
    plant.start()
    listener.wait_for(lambda one: len(one.payloads("/verdict/")) >= 50, 60)
    came = {said["to"].rpartition("/")[2] for said in listener.payloads("/verdict/")}
    assert came == {f"S{number}" for number in range(50)}
    listener.close()
    device.close()
    broker.kill()
    plant.stop()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (replace(LINE, devices=()), "--device: missing"),
        (replace(LINE, hosts=()), "--host: missing"),
        (replace(LINE, base_topic="acme/penang"), "needs a level {name}"),
        (replace(LINE, base_topic="acme/{name}/#"), "no #, +, space"),
        (replace(LINE, readers=("a b",)), "letters, digits"),
        (replace(LINE, readers=("axi1",)), "named twice"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, line: Line, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        set_up(line, Where(tmp_path / "out", tmp_path / "etc"))
    assert words in str(refused.value)
    assert not (tmp_path / "etc").exists()
