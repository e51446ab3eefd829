"""A device's files: its configuration out of a profile, its secrets, and what the service manager is told of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from edge.adapters.certificates import certificates_in
from edge.config import Settings, drop_ins_of
from edge.core.errors import ConfigError
from edge.daemon.broker import broker_settings
from edge.files import read_plain, write_durably
from edge.setup.answers import Answers, Told, address, content_of
from edge.toml import load_toml

PROFILES = Path(__file__).parents[2] / "firmware_cfg" / "devices"
_UNITS = ("axi-edge", "axi-station")
_CREDENTIALS = "/run/credentials/axi-edge.service"
_FILES = {
    "password_file": "mqtt-password",
    "key_file": "mqtt-key.pem",
    "cert_file": "mqtt-cert.pem",
    "ca_file": "mqtt-ca.pem",
}
"""What each file that is told is kept as."""
_SECRETS = ("mqtt-password", "mqtt-key.pem")
_BEFORE = ".before"
"""Behind the name of a file that another took the place of."""
_HEAD = "# Written by axi-edge setup.\n"


def already(places: Places) -> tuple[str, Told, bool]:
    """The device's name, what it was told before, and whether that has TLS; empty where it was told nothing yet. Raises
    ConfigError.
    """
    if not places.config.exists():
        return "", Told(), False
    settings = load_toml(places.config, Settings)  # what drop-ins say is nobody's answer
    mqtt = settings.mqtt
    if _as_copied(places):  # nobody has said where to publish, nor to whom
        return "", Told(), False
    # Secrets stay.
    told = Told(base_topic=mqtt.base_topic, broker=address(mqtt.host, mqtt.port), username=mqtt.username)
    return settings.device.name, told, bool(mqtt.ca_file)


def _as_copied(places: Places) -> bool:
    """Is it a profile in which nobody has set what is to be set? The mark is still at its topic."""
    return bool(re.search(r"^\s*base_topic *=.*#.*<--", template(places, ""), re.MULTILINE))


class Places(NamedTuple):
    """``config``: the file; what belongs to it lies beside it. ``units``: drop-ins of the service manager."""

    config: Path
    units: Path = Path("/etc/systemd/system")

    @property
    def folder(self) -> Path:
        return self.config.parent


def profiles() -> list[str]:
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def template(places: Places, profile: str) -> str:
    """What is filled in: the configuration that is there, or the profile. Raises ConfigError."""
    if places.config.exists():
        try:
            return read_plain(places.config).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{places.config}: {error}; make it a readable text in UTF-8") from error
    path = PROFILES / f"{profile}.toml"
    if not path.exists():
        raise ConfigError(f"--profile: {profile}: no such profile; there are {', '.join(profiles())}")
    return path.read_text("utf-8")


def filled(text: str, values: Mapping[tuple[str, str], str | int]) -> str:
    """The text with these values, by section and key, in the place of those that stand there; comments stay."""
    section, lines, left = "", list[str](), dict(values)
    for line in text.removesuffix("\n").split("\n"):
        header = re.match(r"\s*\[\s*([^\]\s]+)\s*\]", line)
        section = header[1] if header else section
        key = re.match(r"\s*([a-z_]+) *= *(\"(?:[^\"\\]|\\.)*\"|[^#]*?)( *)(#.*)?$", line)
        if key and (section, key[1]) in left:
            value = json.dumps(left.pop((section, key[1])), ensure_ascii=False)
            comment = (key[4] or "").replace("<-- ", "").replace("<--", "").strip()
            comment = f"  # {comment.lstrip('# ')}" if comment.strip("# ") else ""
            lines.append(f"{key[1]} = {value}{comment}")
        else:
            lines.append(line)
    for (section, name), missing in left.items():
        _insert(lines, section, f"{name} = {json.dumps(missing, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _insert(lines: list[str], section: str, line: str) -> None:
    """A key that has its default so far, into its section."""
    header = f"[{section}]"
    if header not in (known := [each.split("#", 1)[0].strip() for each in lines]):
        lines += ["", header]
        known += ["", header]
    lines.insert(known.index(header) + 1, line)


def write_all(
    answers: Answers, places: Places, *, bundle: str, trusted: str, first: Callable[[Settings], None] | None = None
) -> Settings:
    """Configuration, secrets and drop-ins; nothing is changed where they could not be used, nor where ``first`` raises,
    which is given the settings as they can be tried before. Raises ConfigError.
    """
    files = _files(answers)
    text = filled(template(places, answers.profile), _values(answers, places, bundle, trusted))
    trial = places.config.with_name(f".{places.config.name}.trial")
    places.folder.mkdir(parents=True, exist_ok=True)
    try:
        trial.write_text(text, "utf-8")
        settings = load_toml(trial, Settings, over=drop_ins_of(places.config))
        _require_broker(settings, answers)
        if first:
            first(_tried_here(settings, answers, places))
    except ConfigError as error:
        raise ConfigError(str(error).replace(str(trial), "axi-edge setup")) from error
    except ValueError as error:  # of names that no file can hold
        raise ConfigError(f"axi-edge setup: {error}; say it in plain text") from error
    finally:
        trial.unlink(missing_ok=True)
    for name, (content, mode) in files.items():
        kept = places.folder / name
        if kept.is_file() and (was := kept.read_bytes()) != content:
            _write(kept.with_name(f"{name}{_BEFORE}"), was, mode)  # the way back
        _write(kept, content, mode)
    for unit in _UNITS:
        _write(places.units / f"{unit}.service.d" / "10-setup.conf", _drop_in(files, places).encode(), 0o644)
    _write(places.config, text.encode(), 0o644)
    return settings


def _require_broker(settings: Settings, answers: Answers) -> None:
    """Raises ConfigError for what the daemon could not reach a broker with: the files are looked at where they lie
    now.
    """
    for key in ("ca_file", "cert_file"):
        if path := getattr(answers, key):
            certificates_in(path, f"--{key.replace('_', '-')}")
    mqtt = replace(settings.mqtt, **_told_files(answers))
    unsaid = [key for key in _FILES if getattr(mqtt, key).startswith(_CREDENTIALS)]  # said earlier, and checked then
    if "key_file" in unsaid:
        unsaid.append("cert_file")
    broker_settings(replace(settings, mqtt=replace(mqtt, **dict.fromkeys(unsaid, ""))))


def _told_files(answers: Answers) -> dict[str, str]:
    return {key: source for key in _FILES if (source := getattr(answers, key))}


def _tried_here(settings: Settings, answers: Answers, places: Places) -> Settings:
    """With secrets where they lie now: those that are told, and else those that were kept."""
    mqtt = settings.mqtt
    kept = {
        key: str(places.folder / name) for key, name in _FILES.items() if getattr(mqtt, key).startswith(_CREDENTIALS)
    }
    return replace(settings, mqtt=replace(mqtt, **(kept | _told_files(answers))))


def changed_files(answers: Answers, places: Places) -> dict[str, str]:
    """Files that are told, and hold something else than those that were kept, by key, and where the old one will be, if
    there was any. Raises ConfigError.
    """
    found = {}
    for key, source in _told_files(answers).items():
        kept = places.folder / _FILES[key]
        if not kept.is_file():
            found[key] = ""
        elif kept.read_bytes() != content_of(source):
            found[key] = f"{kept}{_BEFORE}"
    return found


def _files(answers: Answers) -> dict[str, tuple[bytes, int]]:
    """Contents and modes by name. Raises ConfigError for one that cannot be read."""
    told = {_FILES[key]: source for key, source in _told_files(answers).items()}
    return {name: (content_of(source), 0o600 if name in _SECRETS else 0o644) for name, source in told.items()}


def _values(answers: Answers, places: Places, bundle: str, trusted: str) -> dict[tuple[str, str], str | int]:
    values: dict[tuple[str, str], str | int] = {
        ("device", "name"): answers.name,
        ("mqtt", "base_topic"): answers.base_topic,
        ("mqtt", "host"): answers.host,
        ("mqtt", "port"): answers.port,
        ("mqtt", "username"): answers.username,
    }
    told = places.config.exists() and not _as_copied(places)
    if not told:  # what judges, and whom it trusts, is not what this asks
        values |= {("model", "bundle"): bundle, ("model", "public_key_file"): trusted}
    # The service alone reads secrets: the service manager hands it copies.
    for key, name in _FILES.items():
        source = getattr(answers, key)
        where = f"{_CREDENTIALS}/{name}" if name in _SECRETS else str(places.folder / name)
        if source or not told:  # what is not said anew stays as it was
            values["mqtt", key] = where if source else ""
    return values


def _drop_in(files: Mapping[str, tuple[bytes, int]], places: Places) -> str:
    secrets = [name for name in _SECRETS if name in files or (places.folder / name).exists()]
    lines = [f"LoadCredential={name}:{places.folder / name}" for name in secrets]
    return "\n".join([_HEAD.strip(), "[Service]", *lines, ""])


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, content, mode)
    path.chmod(mode)  # whatever the umask took from it
