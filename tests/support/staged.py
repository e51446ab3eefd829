"""A device with bundles beside its active one, and what it says as they are activated in stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from edge.adapters.host import utc_now
from edge.bundle.format import Bundle, open_bundle, write_bundle
from edge.bundle.signing import public_bytes
from edge.config import load_settings
from edge.upkeep.trial import Trials
from tests.support.daemon import DaemonProcess
from tests.support.mosquitto import Mosquitto, Subscriber


class Line:
    """A device with a link to its bundle; ``good`` and ``strange`` lie beside it: the second knows no joint."""

    def __init__(self, work: Path, bundle: Path, mosquitto: Mosquitto) -> None:
        self.bundles, self.key = work / "bundles", Ed25519PrivateKey.generate()
        self.sound = open_bundle(bundle)
        card = self.sound.card
        self.first = self.add(card)
        self.link = self.bundles / "current"
        self.link.symlink_to(self.first.path.name)
        self.good = self.add(replace(card, version="9.0.0"))
        assert card.familiarity
        strange = replace(card, version="9.1.0", familiarity=replace(card.familiarity, limit=-1))
        self.strange = self.add(strange)
        self.device = DaemonProcess(work, self.link, mosquitto.port)
        self.subscriber = Subscriber(mosquitto.port)
        (work / "trusted.pem").write_bytes(public_bytes(self.key.public_key()))
        self.set(f'watch_s = 3.0\npublic_key_file = "{work}/trusted.pem"')
        self.change('policy = "card"', 'policy = "advise"')

    def add(self, card: Any) -> Bundle:
        model, sound = self.sound.model_path.read_bytes(), self.sound
        return open_bundle(write_bundle(self.bundles, card, model, sound.golden, self.key, sound.parity))

    def set(self, line: str) -> None:
        self.change("[model]\n", f"[model]\n{line}\n")

    def change(self, old: str, new: str) -> None:
        text = self.device.config.read_text()
        assert old in text
        self.device.config.write_text(text.replace(old, new, 1))

    def put_on_trial(self, bundle: Bundle) -> None:
        """As a staged activation leaves it."""
        self.link.with_name("current.previous").symlink_to(self.first.path.name)
        self.link.unlink()
        self.link.symlink_to(bundle.path.name)
        self.trials.begin(bundle.path.name, bundle.digest, "", utc_now(), 600)

    @property
    def trials(self) -> Trials:
        return Trials(Path(load_settings(self.device.config).journal.path))

    def judges_with(self, bundle: Bundle) -> None:
        """Wait until the retained status says so."""
        self.subscriber.wait_for(
            lambda one: one.payloads("/status") and one.payloads("/status")[-1]["bundle"]["digest"] == bundle.digest
        )

    def alarm(self, code: str) -> str:
        self.subscriber.wait_for(lambda one: any(said["code"] == code for said in one.payloads("/alarm")))
        return next(str(said["text"]) for said in self.subscriber.payloads("/alarm") if said["code"] == code)

    def ask(self, payload: object) -> dict[str, Any]:
        before = len(self.subscriber.payloads("/response"))
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.subscriber.publish("acme/line3/axi1/cmd/activate", raw)
        self.subscriber.wait_for(lambda one: len(one.payloads("/response")) > before)
        return self.subscriber.payloads("/response")[-1]

    def close(self) -> None:
        self.device.kill()
        self.subscriber.close()
