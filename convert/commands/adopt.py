"""``axi-convert adopt``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from convert.commands import Commands
from convert.commands.apart import add_apart, add_colours, asked
from convert.commands.keys import PRIVATE, PUBLIC, make_keys
from convert.reports.terminal import plainly, show, tell
from edge.arguments import whole_number
from edge.core.errors import UsageError
from edge.core.preprocess import PreprocessSpec

if TYPE_CHECKING:
    from convert.adoption.order import Order

_NAME, _VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"), re.compile(r"\d+\.\d+\.\d+")


def add_adopt(commands: Commands) -> None:
    adopt = commands.add_parser(
        "adopt", help="a lot -> a signed bundle of its own: split, fine-tune, build, gate, report"
    )
    adopt.add_argument("lot", type=Path, metavar="LOT", help="job folders with truth.csv beside them")
    adopt.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="lots, model, recipe, report and bundle go there"
    )
    adopt.add_argument("--name", help="of the bundle (default: the lot's)")
    adopt.add_argument("--version", default="1.0.0", help="of the bundle")
    adopt.add_argument(
        "--key", type=Path, metavar="FILE.pem", help="to sign with (default: DIR/signing.pem, made where missing)"
    )
    add_apart(adopt)
    add_colours(adopt)
    adopt.add_argument(
        "--shares",
        nargs=3,
        type=float,
        default=(0.5, 0.25, 0.25),
        metavar="SHARE",
        help="of training, validation and held-out (default 0.5 0.25 0.25)",
    )
    adopt.add_argument(
        "--joint-type",
        default="",
        metavar="TYPE",
        help="of several in the lot the only one (default: all, in one bundle)",
    )
    adopt.add_argument("--seed", type=int, default=0, help="of the split and the training")
    adopt.add_argument(
        "--curve-seeds",
        type=whole_number(0, 20),
        default=3,
        metavar="N",
        help="trainings at each point of the learning curve; 0: none",
    )
    adopt.set_defaults(action=_adopt)


def _adopt(arguments: argparse.Namespace) -> int:
    name = arguments.name or arguments.lot.resolve().name
    if not _NAME.fullmatch(name):
        raise UsageError(f"--name {name}: give letters, digits, '.', '_' and '-', at most 64")
    if not _VERSION.fullmatch(arguments.version):
        raise UsageError(f"--version {arguments.version}: give MAJOR.MINOR.PATCH, such as 1.0.0")
    if not arguments.lot.is_dir():
        raise UsageError(f"{arguments.lot}: is no folder; name a lot, such as axi-convert import writes")
    if arguments.key and not arguments.key.is_file():
        raise UsageError(f"--key {arguments.key}: no such file; name a private key, or leave it out to have one made")
    from convert.adoption.adopt import adopt
    from convert.adoption.order import Order

    order = Order(
        lot=arguments.lot,
        out=arguments.out,
        name=name,
        key=arguments.key or arguments.out / PRIVATE,
        version=arguments.version,
        by=asked(arguments.by),
        shares=tuple(arguments.shares),
        seed=arguments.seed,
        curve_seeds=arguments.curve_seeds,
        joint_type=arguments.joint_type,
        spec=PreprocessSpec(colours=arguments.colours),
    )
    with _signing_key(order):
        done = adopt(order, tell)
    show(done.tables)
    for word in done.words:
        plainly(word)
    print(order.bundle)
    return 0


@contextmanager
def _signing_key(order: Order) -> Iterator[None]:
    """A new one where there is none; removed again where the adoption comes to nothing that it could sign."""
    if order.key.exists():
        yield
        return
    fresh = not order.out.exists()
    make_keys(order.out)
    try:
        yield
    except BaseException:
        if not order.bundle.exists() and not order.report.exists():
            for name in (PRIVATE, PUBLIC):
                (order.out / name).unlink(missing_ok=True)
            if fresh:
                with suppress(OSError):  # somebody has put something there meanwhile
                    order.out.rmdir()
        raise
    finally:
        if order.key.exists():
            tell(f"{order.key}: a new key to sign with; {order.out / PUBLIC} goes to devices")
