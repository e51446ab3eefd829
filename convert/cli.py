"""The ``axi-convert`` command: words in, exit code out. TensorFlow is imported only by the commands that need it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from convert.console import bar, console
from convert.simulator.lot import DEFECT_SHARE, LotPlan, simulate_lot
from edge import __version__
from edge.core.errors import AxiError, UsageError
from edge.core.preprocess import PreprocessSpec
from edge.logs import set_up_logging

_EXIT_CODES = (
    "exit codes: 0 done, 2 usage, 3 configuration, 4 bundle refused, 5 job refused, 6 gate refused, 70 internal"
)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; errors become one sentence on stderr and an exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    arguments = _parser().parse_args(words)
    set_up_logging("warning")
    try:
        return int(arguments.action(arguments))
    except AxiError as error:
        if arguments.debug:
            raise
        print(f"axi-convert: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if arguments.debug:
            raise
        print(f"axi-convert: {error}; name a place this user may write to", file=sys.stderr)
        return AxiError.exit_code


def _simulate(arguments: argparse.Namespace) -> int:
    plan = LotPlan(
        boards=arguments.boards,
        joints=arguments.joints,
        seed=arguments.seed,
        types=arguments.types,
        first_type=arguments.first_type,
        defect_share=arguments.defect_share,
    )
    with bar(f"simulating {arguments.out.name}", plan.joints) as progress:
        for joints in simulate_lot(arguments.out, plan):
            progress.advance(joints)
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from convert import train
    from convert.dataset import load_lot

    if arguments.network != "cnn3d":
        console.print(f"axi-convert: network {arguments.network!r} cannot be trained yet; use cnn3d")
        return 2
    plan = train.TrainingPlan(
        epochs=arguments.epochs,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        validation_share=arguments.validation_share,
        dense_units=arguments.dense_units,
        time_limit_s=arguments.time_limit,
        balance=arguments.balance,
    )
    if arguments.out.suffix != ".keras" or not arguments.out.parent.is_dir():
        raise UsageError(f"--out {arguments.out}: name a .keras file in a folder that exists")
    lot = load_lot(arguments.data, PreprocessSpec())
    steps = train.steps_per_epoch(lot, plan) * plan.epochs
    with bar(f"training {arguments.network}", steps) as progress:

        def on_step(loss: float) -> None:
            progress.advance()
            progress.say(f"loss {loss:.3f}")

        def on_epoch(epoch: train.Epoch) -> None:
            console.print(
                f"epoch {epoch.epoch}: loss {epoch.loss:.4f}, validation AUROC {epoch.validation_auroc:.4f}, "
                f"{epoch.seconds:.0f} s"
            )

        train.train(lot, arguments.out, plan, on_step, on_epoch)
    console.print(f"saved {arguments.out}")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _build(arguments: argparse.Namespace) -> int:
    from convert.pipeline import build

    done = build(
        arguments.recipe, arguments.out, lambda text: console.print(f"- {text}", markup=False, highlight=False)
    )
    gate = Table(title="gate", title_justify="left")
    for heading in ("check", "measured", "budget", ""):
        gate.add_column(heading)
    for check in done.checks:
        gate.add_row(check.what, f"{check.measured:.4f}", f"{check.budget:.4f}", "ok" if check.passed else "exceeded")
    points = Table(title="operating points, on held-out joints (95 % intervals)", title_justify="left")
    for heading in ("name", "threshold", "recall", "false positive rate"):
        points.add_column(heading)
    for point in done.points:
        recall, false = point.recall, point.false_positive_rate
        points.add_row(
            point.name,
            f"{point.threshold:.4f}",
            f"{recall.value:.3f} ({recall.low:.3f} to {recall.high:.3f}, n={recall.total})",
            f"{false.value:.3f} ({false.low:.3f} to {false.high:.3f}, n={false.total})",
        )
    console.print(gate, points)
    print(done.bundle)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axi-convert", description="Simulate, train, convert and prove.", epilog=_EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"axi-convert {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    simulate = commands.add_parser("simulate", help="an AXI lot as job folders, with truth.csv beside them")
    simulate.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new or empty folder")
    simulate.add_argument("--boards", type=int, default=8, help="job folders (default 8)")
    simulate.add_argument("--joints", type=int, default=160, help="joints in all, spread over the boards (default 160)")
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument("--types", type=int, default=4, help="board types, boards take turns (default 4)")
    simulate.add_argument("--first-type", type=int, default=0, help="number of the first board type (default 0)")
    simulate.add_argument(
        "--defect-share", type=float, default=DEFECT_SHARE, help="default: 1 : 0.18, as the paper's population"
    )
    simulate.set_defaults(action=_simulate)

    train = commands.add_parser("train", help="train a network on a lot with truth")
    train.add_argument("network", choices=["cnn3d", "cnn-lstm", "neurofuzzy"])
    train.add_argument("--data", required=True, type=Path, metavar="DIR")
    train.add_argument("--out", required=True, type=Path, metavar="FILE.keras")
    train.add_argument("--epochs", type=_positive, default=12)
    train.add_argument("--batch", type=_positive, default=32)
    train.add_argument("--learning-rate", type=float, default=3e-4, help="default 3e-4; the paper's is 1e-5")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--validation-share", type=float, default=0.25, help="of the board types; 0: none held out")
    train.add_argument("--dense-units", type=_positive, default=1024, help="Table II has 1024")
    train.add_argument("--balance", choices=["fewer-normals", "repeat-defects"], default="fewer-normals")
    train.add_argument("--time-limit", type=float, metavar="SECONDS", help="stop after the epoch this runs out in")
    train.set_defaults(action=_train)

    build = commands.add_parser("build", help="trained model -> gated, signed bundle")
    build.add_argument("recipe", type=Path, metavar="RECIPE.toml")
    build.add_argument("--out", required=True, type=Path, metavar="DIR")
    build.set_defaults(action=_build)
    return parser


if __name__ == "__main__":
    sys.exit(main())
