"""The ``axi-convert`` command: words in, exit code out. TensorFlow is imported only by the commands that need it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from convert.commands.adopt import add_adopt
from convert.commands.arrays import add_arrays
from convert.commands.build import add_build
from convert.commands.evaluate import add_evaluate
from convert.commands.examples import EXAMPLES
from convert.commands.importing import add_import
from convert.commands.keys import add_keys
from convert.commands.simulate import add_gallery, add_simulate
from convert.commands.split import add_split
from convert.commands.train import add_reference, add_train
from edge import __version__
from edge.arguments import Parser, with_examples
from edge.core.errors import INTERRUPTED, AxiError, UsageError
from edge.logs import set_up_logging

_OF_A_PATH = (FileExistsError, FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
_EXIT_CODES = (
    "exit codes: 0 done, 1 an export with faults, 2 usage, 3 configuration, 4 bundle refused, 5 job refused, "
    "6 gate refused, 70 internal. Words are explained in docs/glossary.md, all of it in docs/guides/own-data.md"
)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; errors become one sentence on stderr and an exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    arguments = parser().parse_args(words)
    set_up_logging("warning")
    try:
        return int(arguments.action(arguments))
    except AxiError as error:
        if arguments.debug:
            raise
        print(f"axi-convert: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("axi-convert: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if arguments.debug:
            raise
        print(f"axi-convert: {error}; name a folder this user may write to", file=sys.stderr)
        return UsageError.exit_code if isinstance(error, _OF_A_PATH) else AxiError.exit_code


def parser() -> Parser:
    program = Parser(
        prog="axi-convert", description="Import or simulate, train, convert and prove.", epilog=_EXIT_CODES
    )
    program.add_argument("--version", action="version", version=f"axi-convert {__version__}")
    program.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = program.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        *(add_import, add_adopt, add_simulate, add_split, add_arrays, add_train),
        *(add_keys, add_build, add_evaluate, add_gallery, add_reference),
    ):
        add(commands)
    with_examples(program, EXAMPLES)
    return program


if __name__ == "__main__":
    sys.exit(main())
