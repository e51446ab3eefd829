"""The ``axi-edge`` command: words in, exit code out."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from edge import __version__
from edge.bundle import load_public_key, open_bundle
from edge.commands import audit, doctor, tail
from edge.commands.bundles import activate, rollback
from edge.commands.inspect import inspect
from edge.commands.status import as_text, device_status
from edge.config import DEFAULT_PATH, load_settings
from edge.core.card import encode_card
from edge.core.errors import AxiError
from edge.daemon import run_daemon
from edge.exchange import Choice, Load
from edge.loading import load_model, load_models
from edge.logs import set_up_logging

_EXIT_CODES = (
    "exit codes: 0 done, 1 failed check, 2 usage, 3 configuration, 4 bundle refused, 5 job refused, 70 internal"
)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; errors become one sentence on stderr and an exit code."""
    arguments = _parser().parse_args(words)
    set_up_logging("debug" if arguments.debug else arguments.log_level)
    try:
        return int(arguments.action(arguments))
    except AxiError as error:
        return _say(error, error.exit_code, debug=arguments.debug)
    except BrokenPipeError:  # the reader of our output has gone; nothing is left to say
        sys.stderr.close()
        return 0
    except OSError as error:
        return _say(error, AxiError.exit_code, debug=arguments.debug)


def _say(error: Exception, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    print(f"axi-edge: {error}", file=sys.stderr)
    return code


def _run(arguments: argparse.Namespace) -> int:
    run_daemon(arguments.config)
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    main, *others = (os.fsencode(bundle) for bundle in arguments.bundle)
    load = Load(
        choices=(
            Choice(bundle=main, operating_point=arguments.operating_point),
            *(Choice(bundle=bundle) for bundle in others),
        ),
        public_key_file=arguments.public_key,
        runtime=arguments.runtime,
        threads=arguments.threads,
        kernels=arguments.kernels,
    )
    if not load.public_key_file:
        print("axi-edge: signature not checked; name the signer's key with --public-key", file=sys.stderr)
    return inspect(arguments.job, load_models(load), arguments.device)


def _check(arguments: argparse.Namespace) -> int:
    worst = 0
    for finding in doctor.examine(load_settings(arguments.config)):
        print(f"{finding.grade.value:<4}  {finding.what:<13} {finding.text}", flush=True)
        worst |= finding.grade is doctor.Grade.FAIL
    return int(worst)


def _status(arguments: argparse.Namespace) -> int:
    status = device_status(load_settings(arguments.config))
    print(msgspec.json.encode(status).decode() if arguments.json else as_text(status))
    return 0


def _tail(arguments: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way of ending it is a clean one
    with suppress(KeyboardInterrupt):
        tail.follow(load_settings(arguments.config), as_json=arguments.json)
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    account = audit.device_account(load_settings(arguments.config), arguments.capture)
    print(msgspec.json.encode(account).decode() if arguments.json else audit.as_text(account))
    return int(bool(account.problems))


def _bundle_show(arguments: argparse.Namespace) -> int:
    print(encode_card(open_bundle(arguments.bundle).card).decode(), end="")
    return 0


def _bundle_verify(arguments: argparse.Namespace) -> int:
    key = load_public_key(Path(arguments.public_key)) if arguments.public_key else None
    bundle = open_bundle(arguments.bundle, key)
    signature = "signature good" if bundle.signed else "signature not checked (no --public-key)"
    choice = Choice(bundle=os.fsencode(arguments.bundle))
    model = load_model(choice, Load(choices=(choice,), public_key_file=arguments.public_key))
    print(f"{bundle.path.name}: digests good, {signature}, {model.replayed} golden joints reproduced")
    return 0


def _bundle_activate(arguments: argparse.Namespace) -> int:
    bundle = activate(load_settings(arguments.config), arguments.bundle, arguments.type, force=arguments.force)
    print(f"{bundle.card.name} {bundle.card.version} is active: reload axi-edge (SIGHUP) to judge with it")
    return 0


def _bundle_rollback(arguments: argparse.Namespace) -> int:
    bundle = rollback(load_settings(arguments.config), arguments.type)
    print(f"{bundle.card.name} {bundle.card.version} is active again: reload axi-edge (SIGHUP) to judge with it")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axi-edge", description="Verdicts for flagged solder joints, at the edge.", epilog=_EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"axi-edge {__version__}")
    parser.add_argument("--debug", action="store_true", help="log everything, and show tracebacks")
    parser.add_argument("--log-level", choices=["info", "warning", "error"], default="info")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("inspect", help="one-shot: one verdict JSON a line on stdout")
    one.add_argument("job", nargs="+", type=Path, metavar="JOB", help="a job folder")
    one.add_argument(
        "--bundle",
        required=True,
        type=Path,
        action="append",
        help="may be repeated: each judges its card's joint types",
    )
    one.add_argument("--public-key", default="", metavar="FILE", help="refuse a bundle this key did not sign")
    one.add_argument("--operating-point", default="", metavar="NAME", help="of the first bundle; default: the card's")
    one.add_argument("--runtime", choices=["auto", "litert", "tflite-runtime"], default="auto")
    one.add_argument("--kernels", choices=["fast", "exact"], default="fast", help="exact: same bits on every runtime")
    one.add_argument("--threads", type=int, choices=range(1, 65), default=1, metavar="N")
    one.add_argument("--device", default=socket.gethostname(), help="device name in the verdicts (this host's)")
    one.set_defaults(action=_inspect)

    for name, action, text in (
        ("run", _run, "the daemon"),
        ("check", _check, "doctor: runtime, bundle, broker, spool, disk, clock"),
        ("status", _status, "what the daemon is doing"),
        ("tail", _tail, "what the device publishes, live from the broker"),
        ("audit", _audit, "is every joint accounted for? exit 1 and its name if not"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, default=DEFAULT_PATH, help=f"default: {DEFAULT_PATH}")
        command.set_defaults(action=action)
        if name in {"status", "audit", "tail"}:
            command.add_argument("--json", action="store_true")
        if name == "audit":
            command.add_argument("--capture", type=Path, metavar="FILE", help="what axi-edge tail --json printed")

    bundles = commands.add_parser("bundle", help="look at bundles, and choose the active one")
    bundle = bundles.add_subparsers(required=True, metavar="ACTION")
    for name, action, text in (
        ("show", _bundle_show, "print the model card"),
        ("verify", _bundle_verify, "check digests, signature and golden joints"),
    ):
        command = bundle.add_parser(name, help=text)
        command.add_argument("bundle", type=Path)
        command.set_defaults(action=action)
        if name == "verify":
            command.add_argument("--public-key", default="", metavar="FILE")
    for name, action, text in (
        ("activate", _bundle_activate, "verify and replay a bundle, then point [model] bundle to it"),
        ("rollback", _bundle_rollback, "point [model] bundle to the bundle before"),
    ):
        command = bundle.add_parser(name, help=text)
        command.add_argument("--config", type=Path, default=DEFAULT_PATH, help=f"default: {DEFAULT_PATH}")
        command.set_defaults(action=action)
        command.add_argument("--type", default="", metavar="JOINT_TYPE", help="the bundle of this joint type's route")
        if name == "activate":
            command.add_argument("bundle", type=Path)
            command.add_argument("--force", action="store_true", help="also a version older than the active one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
