"""The ``axi-edge`` command: words in, exit code out."""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections.abc import Sequence

from edge import __version__
from edge.arguments import Parser, require_text, with_examples
from edge.commands.audit import add_audit
from edge.commands.bundle import add_bundle
from edge.commands.check import add_check
from edge.commands.examples import EXAMPLES
from edge.commands.inspect import add_inspect
from edge.commands.licence import add_licence
from edge.commands.qualify import add_qualify
from edge.commands.reload import add_reload
from edge.commands.review import add_review
from edge.commands.run import add_run
from edge.commands.sample import add_sample
from edge.commands.setup import add_setup
from edge.commands.station import add_station
from edge.commands.status import add_status
from edge.commands.tail import add_tail
from edge.commands.upgrade import add_upgrade
from edge.commands.view import add_view
from edge.core.errors import INTERRUPTED, AxiError, ConfigError
from edge.logs import set_up_logging

_NOBODY_READS = 141
"""As shells have it for a program that a broken pipe ended: whether all was well nobody has read."""
_EXIT_CODES = (
    "exit codes: 0 done, 1 failed check, 2 usage, 3 configuration, 4 bundle refused, 5 job refused, 70 internal, "
    "78 configuration of run. "
    "Words are explained in docs/glossary.md, all of it in docs/guides/device.md"
)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; errors become one sentence on stderr and an exit code."""
    arguments = parser().parse_args(words)
    set_up_logging("debug" if arguments.debug else arguments.log_level)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names that a terminal cannot show are written out
            stream.reconfigure(errors="backslashreplace")
    try:
        return _done(arguments)
    except AxiError as error:
        return _failed(error, error.exit_code, debug=arguments.debug)
    except KeyboardInterrupt:
        print("axi-edge: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone; nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or it is flushed in vain at the end
        return _NOBODY_READS
    except PermissionError as error:
        code = ConfigError.exit_code
        return _failed(
            error, code, debug=arguments.debug, remedy="run this as root, or as the daemon's user, with sudo"
        )
    except OSError as error:
        return _failed(error, AxiError.exit_code, debug=arguments.debug)


def _done(arguments: argparse.Namespace) -> int:
    require_text(arguments)
    code = int(arguments.action(arguments))
    sys.stdout.flush()  # here, where a reader that has gone is noticed
    return code


def _failed(error: Exception, code: int, *, debug: bool, remedy: str = "") -> int:
    if debug:
        traceback.print_exception(error)
    print(f"axi-edge: {error}{'; ' * bool(remedy)}{remedy}", file=sys.stderr)
    return code


def parser() -> Parser:
    program = Parser(
        prog="axi-edge", description="Verdicts for flagged solder joints, at the edge.", epilog=_EXIT_CODES
    )
    program.add_argument("--version", action="version", version=f"axi-edge {__version__}")
    program.add_argument("--debug", action="store_true", help="log everything, and show tracebacks")
    program.add_argument(
        "--log-level", choices=["info", "warning", "error"], default="info", help="what the log says at least"
    )
    commands = program.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        add_inspect,
        add_run,
        add_reload,
        add_qualify,
        add_check,
        add_status,
        add_tail,
        add_audit,
        add_review,
        add_licence,
        add_view,
        add_bundle,
        add_station,
        add_setup,
        add_sample,
        add_upgrade,
    ):
        add(commands)
    with_examples(program, EXAMPLES)
    return program


if __name__ == "__main__":
    sys.exit(main())
