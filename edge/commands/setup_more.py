"""``axi-edge setup broker``, ``share`` and ``computer``: what stands around a device."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from edge.commands import Commands
from edge.config import DEFAULT_PATH, SpoolSettings, load_settings
from edge.core.errors import UsageError
from edge.setup.bridging import Bridge
from edge.setup.broker import Line, Where, over, set_up, told_before
from edge.setup.computer import APPLY, lay
from edge.setup.programs import run
from edge.setup.share import give_share

_OUT = Path("/root/axi-devices")


def add_broker(actions: Commands) -> None:
    broker = actions.add_parser(
        "broker",
        help="a mosquitto for one line, on this computer: TLS, accounts, rights, a bridge to the plant's",
        epilog="Once more, it adds what is said, and renews the broker's certificate; what is there stays.",
    )
    broker.add_argument("--host", action="append", default=[], help="name or address that devices reach it by; several")
    broker.add_argument("--base-topic", default="", help="of each device, such as acme/penang/smt/{name}")
    for flag, words in (
        ("device", "a device's name"),
        ("reader", "an account that reads everything: a dashboard, an MES"),
        ("operator", "an account that may ask devices, too: ping, status, reload, activate"),
        ("station", "an account for a review station"),
    ):
        broker.add_argument(f"--{flag}", action="append", default=[], metavar="NAME", help=f"{words}; several")
    broker.add_argument("--certificates", action="store_true", help="accounts show a certificate, not a password")
    broker.add_argument(
        "--bridge-to", default="", metavar="HOST[:PORT]", help="the plant's broker, which gets everything"
    )
    for flag in ("username", "password-file", "ca-file"):
        broker.add_argument(f"--bridge-{flag}", default="", help="there")
    broker.add_argument("--out", type=Path, default=_OUT, help=f"what devices are given; default: {_OUT}")
    broker.add_argument("--no-start", action="store_true", help="write everything, start nothing")
    broker.set_defaults(action=_as_root(_broker))


def add_share(actions: Commands) -> None:
    share = actions.add_parser("share", help="a Samba share that the X-ray machine writes its jobs to")
    share.add_argument("--user", default="axi-machine", help="the machine's account; default: axi-machine")
    share.add_argument("--password-file", type=Path, required=True, help="with that account's password")
    share.add_argument("--config", type=Path, default=DEFAULT_PATH, help=f"default: {DEFAULT_PATH}")
    share.add_argument("--no-start", action="store_true", help="write everything, start nothing")
    share.set_defaults(action=_as_root(_share))


def add_computer(actions: Commands) -> None:
    computer = actions.add_parser(
        "computer",
        help="parts of the system's configuration that a device is better for",
        epilog=f"Parts: {', '.join(APPLY)}. Files that are there already stay.",
    )
    computer.add_argument("parts", nargs="+", metavar="PART", help=f"of {', '.join(APPLY)}")
    computer.set_defaults(action=_as_root(_computer))


def _as_root(action: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    def guarded(arguments: argparse.Namespace) -> int:
        if os.geteuid():
            raise UsageError("setup writes the system's files: run it as root, for example with sudo")
        return action(arguments)

    return guarded


def _broker(arguments: argparse.Namespace) -> int:
    told = [arguments.bridge_to, arguments.bridge_username, arguments.bridge_password_file, arguments.bridge_ca_file]
    if any(told) and not arguments.bridge_to:
        raise UsageError("--bridge-to: missing; the other flags of a bridge say nothing without it")
    told_now = Line(
        hosts=tuple(arguments.host),
        base_topic=arguments.base_topic,
        devices=tuple(arguments.device),
        readers=tuple(arguments.reader),
        operators=tuple(arguments.operator),
        stations=tuple(arguments.station),
        certificates=arguments.certificates,
        bridge=Bridge(*told) if arguments.bridge_to else None,
    )
    for path in set_up(over(told_before(arguments.out), told_now), Where(arguments.out)):
        print(f"{path}: written")
    _start("mosquitto", arguments)
    print(f"each device: copy its folder in {arguments.out}/accounts there, then")
    print("axi-edge setup --from setup.toml --name NAME")
    return 0


def _share(arguments: argparse.Namespace) -> int:
    spool = load_settings(arguments.config).spool if arguments.config.exists() else SpoolSettings()
    print(f"{give_share(arguments.user, arguments.password_file, Path(spool.path))}: written")
    _start("smbd", arguments)
    print(
        f"the machine writes to \\\\{os.uname().nodename}\\axi-incoming as {arguments.user}: NAME.tmp, renamed to NAME"
    )
    return 0


def _computer(arguments: argparse.Namespace) -> int:
    for laid in lay(arguments.parts):
        words = "stays as it is: another one is there already" if laid.kept else "written"
        print(
            f"{laid.path}: {words}; look at what is marked <--"
            if "<--" in laid.path.read_text()
            else f"{laid.path}: {words}"
        )
    for part in arguments.parts:
        print(f"then: {APPLY[part]}")
    return 0


def _start(unit: str, arguments: argparse.Namespace) -> None:
    if not arguments.no_start and Path("/run/systemd/system").is_dir():
        run(["systemctl", "enable", unit])
        run(["systemctl", "restart", unit])
        print(f"started: {unit}")
