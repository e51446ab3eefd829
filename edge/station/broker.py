"""The station's two ways to the broker: verdicts and reviews come in, its own reviews go out, and none is lost."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from edge.adapters.mqtt import MqttSession
from edge.adapters.mqtt_client import BrokerSettings
from edge.adapters.mqtt_lasting import MqttLasting, Subscription
from edge.core.errors import BrokerUnavailable
from edge.core.review import Review, ReviewError, read_payload
from edge.core.wire import Message, schema_of
from edge.feedback.ports import Heard
from edge.reporting.ports import Outcome
from edge.station.alarms import Alarm, NotAnAlarm, alarm_of
from edge.station.joints import Joint, NotAVerdict, joint_of
from edge.station.outbox import Outbox

log = logging.getLogger(__name__)

_AT_ONCE, _LOOK_S, _LONGEST_WAIT_S, _ECHO_S = 50, 1.0, 30.0, 10.0


class News(NamedTuple):
    """What one heap of messages said."""

    joints: list[Joint]
    reviews: list[Review]
    alarms: list[Alarm]


def news_in(payloads: Sequence[bytes]) -> News:
    """Joints, reviews and alarms; what is none is passed over with a word in the log: it would come again for ever."""
    found = News([], [], [])
    for payload in payloads:
        try:
            _sort(payload, found)
        except (NotAVerdict, NotAnAlarm, ReviewError) as error:
            log.warning("a message passed over", extra={"problem": str(error)})
        except Exception:  # whatever somebody wrote must not keep other messages from being heard
            log.exception("a message that nobody understands passed over")
    return found


def _sort(payload: bytes, found: News) -> None:
    match schema_of(payload):
        case "axi-review/1":
            found.reviews.append(read_payload(payload))
        case "axi-alarm/1":
            found.alarms.append(alarm_of(payload))
        case _:
            found.joints.append(joint_of(payload))


class Ears:
    """Hears of joints, reviews and alarms for as long as it runs; acknowledges none before ``keep`` has it on disk."""

    def __init__(self, settings: BrokerSettings, base_topic: str, keep: Callable[[News], None]):
        self._arrived, self._stop, self._answered = threading.Event(), threading.Event(), threading.Event()
        self._to_keep = keep
        self._told = ""
        topics = f"{base_topic}/verdict/+", f"{base_topic}/review", f"{base_topic}/alarm"
        wanted = Subscription("joints", topics, "verdicts", "verdicts_unheard")
        self._post = MqttLasting(settings, wanted, self._arrived.set, self._note)
        self._thread = threading.Thread(target=self._run, name="ears")

    def start(self) -> None:
        self._post.listen()
        self._thread.start()

    def await_answer(self, seconds: float) -> None:
        """Until the broker has said whether it lets joints through; no longer than ``seconds``, for it may be away."""
        self._answered.wait(seconds)

    @property
    def trouble(self) -> str:
        """What keeps joints from coming in; empty where nothing does."""
        away = "" if self._post.connected else "the broker does not answer: joints do not come in, and reviews wait"
        return self._told or away

    def close(self) -> None:
        self._stop.set()
        self._arrived.set()
        self._thread.join()
        self._post.close()

    def _note(self, code: str, text: str, *, on: bool) -> None:
        self._told = text if on else ""
        self._answered.set()
        if on:
            log.warning("verdicts", extra={"code": code, "text": text})
        else:
            log.info("verdicts", extra={"text": text})

    def _run(self) -> None:
        while not self._stop.is_set():
            self._arrived.wait()
            self._arrived.clear()
            heard = self._post.take()
            if heard:
                self._keep(heard)

    def _keep(self, heard: Sequence[Heard]) -> None:
        try:
            self._kept(heard)
        except (sqlite3.Error, OSError):  # the broker keeps them until they are on disk
            log.exception("joints not kept", extra={"messages": len(heard)})
            self._post.put_back(heard)
            self._stop.wait(_LOOK_S)
            self._arrived.set()

    def _kept(self, heard: Sequence[Heard]) -> None:
        """All of them, or one by one, without that which nothing can be made of: it would come again for ever."""
        try:
            self._to_keep(news_in([message.payload for message in heard]))
        except (sqlite3.Error, OSError):
            raise
        except Exception:
            log.exception("a message passed over", extra={"among": len(heard)})
            if len(heard) > 1:
                for message in heard:
                    self._kept([message])
                return
        self._post.acknowledge(heard)


class Mouth:
    """Sends what was decided until the broker has acknowledged it. ``also``: retained messages that are said at each
    connection, and where they have changed.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        topic: str,
        outbox: Outbox,
        clock: Callable[[], float] = time.time,
        also: Callable[[], Sequence[Message]] = tuple,
    ) -> None:
        self._settings = settings._replace(client_id=f"{settings.client_id}-says")
        self._topic, self._outbox, self._clock, self._also = topic, outbox, clock, also
        self._said, self._unsaid = set[Message](), ""
        self._stop, self._woken = threading.Event(), threading.Event()
        self._session: MqttSession | None = None
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="mouth")

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    def close(self) -> None:
        self._stop.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._woken.clear()
            try:
                failures = 0 if self._sent_all() else failures + 1
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever happens: decisions wait in the store
                log.log(
                    logging.WARNING if isinstance(error, BrokerUnavailable) else logging.ERROR,
                    "reviews not sent",
                    extra={"problem": str(error)},
                )
                self.trouble, failures = str(error), failures + 1
                self._drop()
            self._woken.wait(_LOOK_S if not failures else min(_LONGEST_WAIT_S, 2.0 ** min(failures, 5)))
        self._drop()

    def _sent_all(self) -> bool:
        """False where the broker took some of them only, or none."""
        self._drop_if_dead()
        while due := self._outbox.to_send(self._clock(), _AT_ONCE):
            session = self._connected()
            outcomes = session.publish([Message(self._topic, payload) for _, payload in due])
            pairs = zip(due, outcomes, strict=True)
            taken = [number for (number, _), outcome in pairs if outcome is Outcome.ACKNOWLEDGED]
            if self._settings.version == "5":
                self._outbox.sent(taken)
            else:  # a broker of that age acknowledges what it throws away, too: its echo is what counts
                self._outbox.put_off(taken, self._clock() + _ECHO_S)
            if Outcome.ACKNOWLEDGED not in outcomes:
                self.trouble = f"the broker takes no reviews ({session.refusal or session.ended}): let this station "
                self.trouble += f"write {self._topic}"
                log.warning("reviews refused", extra={"problem": self.trouble})
                return False
        self._say_also()
        self.trouble = self._unsaid
        return True

    def _say_also(self) -> None:
        """What is new of it, once for each connection."""
        fresh = [message for message in self._also() if message not in self._said]
        if not fresh:
            return
        pairs = list(zip(fresh, self._connected().publish(fresh), strict=True))
        self._said.update(message for message, one in pairs if one is not Outcome.UNKNOWN)
        refused = [message.topic for message, one in pairs if one is Outcome.REFUSED]
        self._unsaid = f"the broker takes no configurations: let this station write {refused[0]}" if refused else ""

    def _connected(self) -> MqttSession:
        self._drop_if_dead()
        if self._session is None:
            self._session = MqttSession(self._settings, None)
        return self._session

    def _drop_if_dead(self) -> None:
        if self._session is not None and not self._session.alive:
            self._drop()

    def _drop(self) -> None:
        session, self._session = self._session, None
        self._said.clear()
        if session is not None:
            session.close()


def broker_for(settings: BrokerSettings, station: str) -> BrokerSettings:
    """The device's broker, as the station's own client."""
    return settings._replace(client_id=f"axi-station-{station}", producer=settings.producer.replace("edge", "station"))
