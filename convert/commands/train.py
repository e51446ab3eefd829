"""``axi-convert train`` and ``reference``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from convert.console import bar, console
from convert.training_plan import RECIPES
from edge.core.errors import UsageError
from edge.core.preprocess import PreprocessSpec

if TYPE_CHECKING:
    from convert.commands import Commands

_PLAN_OPTIONS = (
    "epochs",
    "batch",
    "learning_rate",
    "seed",
    "patience",
    "validation_share",
    "dense_units",
    "dropout",
    "trunk",
    "balance",
    "time_limit_s",
)


def add_train(commands: Commands) -> None:
    train = commands.add_parser("train", help="train a network on a lot with truth")
    train.add_argument("network", choices=["cnn3d", "cnn-lstm", "neurofuzzy"])
    train.add_argument("--data", required=True, type=Path, metavar="DIR")
    train.add_argument("--out", required=True, type=Path, metavar="FILE.keras")
    train.add_argument("--validation", type=Path, metavar="DIR", help="a lot of other board types")
    train.add_argument("--recipe", choices=list(RECIPES), default="small-machine")
    train.add_argument("--start", type=Path, metavar="FILE.keras", help="go on from this model's weights")
    train.add_argument("--epochs", type=_positive)
    train.add_argument("--batch", type=_positive)
    train.add_argument("--learning-rate", type=float)
    train.add_argument("--seed", type=int)
    train.add_argument("--patience", type=_positive, help="epochs without a better validation AUROC before stopping")
    train.add_argument("--validation-share", type=float, help="of the board types; 0: none held out")
    train.add_argument("--dense-units", type=_positive, help="of the 3D CNN; Table II has 1024")
    train.add_argument("--dropout", type=float)
    train.add_argument("--trunk", choices=["compact", "twin"], help="of the CNN + LSTM")
    train.add_argument("--balance", choices=["fewer-normals", "repeat-defects"])
    train.add_argument(
        "--time-limit", dest="time_limit_s", type=float, metavar="SECONDS", help="stop after the epoch this runs out in"
    )
    train.set_defaults(action=_train)


def add_reference(commands: Commands) -> None:
    reference = commands.add_parser("reference", help="make the shipped models again (about two hours on two cores)")
    reference.add_argument(
        "--work", required=True, type=Path, metavar="DIR", help="lots and full models; resumes there"
    )
    reference.add_argument("--out", required=True, type=Path, metavar="DIR", help="what ships")
    reference.set_defaults(action=_reference)


def _train(arguments: argparse.Namespace) -> int:
    from convert import plots, train
    from convert.dataset import load_lot

    if arguments.network == "neurofuzzy":
        raise UsageError("network 'neurofuzzy' cannot be trained yet; use cnn3d or cnn-lstm")
    if arguments.out.suffix != ".keras" or not arguments.out.parent.is_dir():
        raise UsageError(f"--out {arguments.out}: name a .keras file in a folder that exists")
    given = {name: getattr(arguments, name) for name in _PLAN_OPTIONS if getattr(arguments, name) is not None}
    plan = replace(RECIPES[arguments.recipe], **given)
    lot = load_lot(arguments.data, PreprocessSpec())
    validation = load_lot(arguments.validation, PreprocessSpec()) if arguments.validation else None
    data = train.sides(lot, plan, validation)
    start = train.load_model(arguments.start) if arguments.start else None
    if start is not None and not start.name.replace("_", "-").startswith(arguments.network):
        raise UsageError(f"--start {arguments.start}: is a {start.name}; name a {arguments.network}, or train that one")
    with bar(f"training {arguments.network}", train.steps_per_epoch(data, plan) * plan.epochs) as progress:

        def on_step(loss: float) -> None:
            progress.advance()
            progress.say(f"loss {loss:.3f}")

        def on_epoch(epoch: train.Epoch) -> None:
            console.print(
                f"epoch {epoch.epoch}: loss {epoch.loss:.4f}, validation loss {epoch.validation_loss:.4f}, "
                f"AUROC {epoch.validation_auroc:.4f}, {epoch.seconds:.0f} s"
            )

        history = train.train(arguments.network, data, arguments.out, plan, on_step, on_epoch, start)
    plots.draw_history(arguments.out.with_suffix(".png"), history)
    console.print(f"saved {arguments.out}, {arguments.out.with_suffix('.csv')}, {arguments.out.with_suffix('.png')}")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _reference(arguments: argparse.Namespace) -> int:
    from convert.reference.make import make_reference

    make_reference(arguments.work, arguments.out, lambda text: console.print(text, markup=False, highlight=False))
    return 0
