"""Wiring: the store, the two ways to the broker, and the pages, served until somebody ends it."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvicorn
from starlette.types import ASGIApp

from edge.adapters.mqtt_live import MqttLive
from edge.adapters.systemd import Notifier
from edge.config import Settings, StationSettings
from edge.core.errors import ConfigError
from edge.core.wire import Message
from edge.daemon.broker import broker_settings
from edge.files import read_plain
from edge.jobs.vendors import JobDefaults
from edge.station.accounts import Accounts, Attempts
from edge.station.alarms import Alarms
from edge.station.boardmap import Boards
from edge.station.broker import Ears, Mouth, News, broker_for
from edge.station.claims import Claims
from edge.station.cleaning import Cleaning
from edge.station.database import Database
from edge.station.discovery import discovery
from edge.station.figures import Device, Figures, topics_of
from edge.station.history import History
from edge.station.known import KnownJoints
from edge.station.outbox import Outbox
from edge.station.pace import Pace
from edge.station.people import People
from edge.station.pictures import Pictures
from edge.station.records import Records
from edge.station.store import JointStore
from edge.station.truths import all_told
from edge.station.web.app import Parts, Rooms, application
from edge.station.web.live import Changes

_SECRET_BYTES = 32
_GRACE_S = 5
_ANSWER_S = 2.0
"""A broker that is there answers in less; what it said before that, a station that is new never hears."""
_NICE = 10
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
_CLEAR = "set [station] cert_file and key_file, or serve behind a proxy with TLS (behind_tls)"
log = logging.getLogger(__name__)
"""Where both want the same core the device's own work comes first."""
_CREDENTIALS = "/run/credentials/"


def open_database(settings: Settings) -> Database:
    """The station's own. Raises ConfigError where it cannot be used."""
    return Database(Path(settings.station.path))


class _Broker:
    """All that the station has to do with the broker."""

    def __init__(self, settings: Settings, keep: Callable[[News], None], outbox: Outbox, changes: Changes) -> None:
        base, name = settings.mqtt.base_topic, settings.station.name
        broker = broker_for(broker_settings(settings), name)
        self._changes, self.device = changes, Device()
        self._ears = Ears(broker, base, keep)
        self._mouth = Mouth(broker, f"{base}/review", outbox, also=self._configurations(settings))
        self._seen = MqttLive(broker, topics_of(base), self.device.hear)

    def _configurations(self, settings: Settings) -> Callable[[], Sequence[Message]]:
        """For Home Assistant, where that is asked for."""
        prefix, device = settings.station.home_assistant, self.device
        if not prefix:
            return tuple
        base = settings.mqtt.base_topic
        return lambda: discovery(prefix, base, device.metrics, device.status, list(device.licences.values()))

    def start(self) -> None:
        self._ears.start()
        self._mouth.start()
        self._seen.listen()
        self._ears.await_answer(_ANSWER_S)

    def close(self) -> None:
        self._seen.close()
        self._mouth.close()
        self._ears.close()

    def troubles(self) -> list[str]:
        return [trouble for trouble in (self._ears.trouble, self._mouth.trouble) if trouble]

    def wake(self) -> None:
        """Something was decided."""
        self._changes.changed()
        self._mouth.wake()


def serve(settings: Settings, told: Callable[[str], None]) -> None:
    """Until SIGTERM or SIGINT. ``told``, and the service manager, hear where the pages are, once joints come in, or
    the broker does not answer. Raises ConfigError.
    """
    settings = with_credentials(settings, os.environ.get("CREDENTIALS_DIRECTORY", ""))
    section = settings.station
    require_usable(section)
    with suppress(OSError):
        os.nice(_NICE)
    database, changes = open_database(settings), Changes()
    rooms = rooms_of(database, settings)
    broker = _Broker(settings, lambda news: _keep(rooms, news, changes), rooms.outbox, changes)
    parts = _parts(settings, rooms, broker, changes)
    secure = bool(section.cert_file) or section.behind_tls
    app = application(parts, _secret(Path(section.path)), secure=secure)
    broker.start()
    try:
        _serve(app, settings, changes, told)
    finally:
        broker.close()
        database.close()


def rooms_of(database: Database, settings: Settings) -> Rooms:
    """What the station keeps, and the pictures that it shows of it."""
    section = settings.station
    spool, defaults = Path(settings.spool.path), JobDefaults(settings.spool.joint_type, settings.spool.polarity)
    pictures = Pictures(spool, defaults)
    return Rooms(
        store=JointStore(database, section.name),
        outbox=Outbox(database),
        people=People(database),
        alarms=Alarms(database),
        history=History(database, _wall_clock),
        records=Records(database),
        known=KnownJoints(database, section.known_share, pictures.there, lambda: all_told(spool)),
        pictures=pictures,
        boards=Boards(database, pictures),
        cleaning=Cleaning(database, section.keep_days, _wall_clock),
    )


def _wall_clock() -> datetime:
    """As a clock on the wall shows it here."""
    return datetime.now(UTC).astimezone().replace(tzinfo=None)


def _keep(rooms: Rooms, news: News, changes: Changes) -> None:
    """On disk once this returns."""
    now = time.time()
    fresh = rooms.store.hear(news.joints, news.reviews, now)
    rooms.alarms.hear(news.alarms)
    rooms.known.deal(fresh, now)
    rooms.cleaning.clean(now)
    changes.changed()


def _parts(settings: Settings, rooms: Rooms, broker: _Broker, changes: Changes) -> Parts:
    section = settings.station
    figures = Figures(rooms.store, rooms.outbox, broker.device, lambda: len(broker.troubles()), time.time)
    return Parts(
        station=section.name,
        classes=section.classes,
        undo_s=section.undo_s,
        pace=Pace(section.shortest_s, time.monotonic),
        session_s=round(section.session_hours * 3600),
        rooms=rooms,
        device=broker.device,
        accounts=Accounts(rooms.people),
        attempts=Attempts(time.monotonic),
        claims=Claims(section.claim_s, time.monotonic),
        changes=changes,
        figures=figures if section.metrics else None,
        troubles=broker.troubles,
        wake=broker.wake,
    )


def _serve(app: ASGIApp, settings: Settings, changes: Changes, told: Callable[[str], None]) -> None:
    section = settings.station
    tls = {"ssl_certfile": section.cert_file, "ssl_keyfile": section.key_file} if section.cert_file else {}
    config = uvicorn.Config(
        app,
        host=section.host,
        port=section.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=section.behind_tls,
        timeout_graceful_shutdown=_GRACE_S,
        lifespan="off",
        **tls,  # type: ignore[arg-type]
    )
    address = f"{'https' if tls else 'http'}://{section.host}:{section.port}/"
    server = _Server(config, changes, lambda: _say_started(address, told))
    try:
        server.run()
    except SystemExit as error:  # uvicorn's way to say that it cannot listen
        raise ConfigError(
            f"[station] host and port: cannot listen on {section.host}:{section.port}; name another, or end what does"
        ) from error


def _say_started(address: str, told: Callable[[str], None]) -> None:
    Notifier().ready(f"pages at {address}")
    told(address)


class _Server(uvicorn.Server):
    """Says when it listens, and lets pages that wait for news go when it ends."""

    def __init__(self, config: uvicorn.Config, changes: Changes, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._changes, self._listening = changes, listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._changes.begin()
            self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._changes.end()
        await super().shutdown(sockets)


def require_usable(section: StationSettings) -> None:
    """Raises ConfigError naming the key for what no station can be served with."""
    if bool(section.cert_file) != bool(section.key_file):
        raise ConfigError("[station] cert_file and key_file: one is missing; name both for TLS")
    twice = next((name for name in section.classes if section.classes.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"[station] classes: {twice!r} stands there twice; keep one")
    if not section.cert_file and not section.behind_tls and section.host not in _OWN_HOSTS:
        log.warning("passwords go over the network in clear", extra={"host": section.host, "remedy": _CLEAR})
    if section.cert_file:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(section.cert_file, section.key_file)
        except (OSError, ssl.SSLError) as error:
            files = f"{section.cert_file}, {section.key_file}"
            raise ConfigError(f"[station] cert_file and key_file: {files}: {error}; name readable PEM files") from error


def with_credentials(settings: Settings, folder: str) -> Settings:
    """The broker's secrets as this unit has them: systemd hands each unit its own copies, in a folder of its own."""
    if not folder:
        return settings
    names = ("password_file", "ca_file", "cert_file", "key_file")
    own = {
        name: str(Path(folder) / Path(path).name)
        for name in names
        if (path := getattr(settings.mqtt, name)).startswith(_CREDENTIALS)
    }
    return msgspec.structs.replace(settings, mqtt=msgspec.structs.replace(settings.mqtt, **own))


def _secret(beside: Path) -> str:
    """What signs cookies, made once; readable for the station alone. Raises ConfigError."""
    path = beside.with_name(f"{beside.name}.secret")
    try:
        if not path.exists():
            beside.parent.mkdir(parents=True, exist_ok=True)
            with (
                suppress(FileExistsError),
                os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new,
            ):
                new.write(secrets.token_urlsafe(_SECRET_BYTES))
        return read_plain(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}; let this user write beside [station] path") from error
