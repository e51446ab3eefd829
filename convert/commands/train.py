"""``axi-convert train`` and ``reference``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.commands import Commands
from convert.commands.apart import add_apart, add_colours, apart
from convert.reports.terminal import bar, console, plainly, show, tell_each
from convert.shipped.paths import SHIPPED
from convert.training.plan import NEUROFUZZY, RECIPES, TrainingPlan, fine_tuning
from edge.core.errors import UsageError
from edge.core.features import FeatureSpec
from edge.core.preprocess import PreprocessSpec

if TYPE_CHECKING:
    from convert.training.defects import Sides

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
    "large",
)
_USUAL, _REFERENCE = {"slicenet": "slicenet"}, "reference"
_OF_ONE = {"large": "slicenet", "dense_units": "cnn3d", "trunk": "cnn-lstm"}
"""Options that mean something to one network alone."""
_QUALITY_OPTIONS = ("epochs", "seed", "validation_share")


def add_train(commands: Commands) -> None:
    train = commands.add_parser("train", help="train a network on a lot with truth")
    train.add_argument("network", choices=["slicenet", "cnn3d", "cnn-lstm", "neurofuzzy"], help="neurofuzzy grades")
    train.add_argument("--data", required=True, type=Path, metavar="DIR", help="a lot, with truth.csv")
    train.add_argument("--out", required=True, type=Path, metavar="FILE.keras", help="new, or written over")
    train.add_argument("--validation", type=Path, metavar="DIR", help="a lot of other board types")
    add_apart(train)
    add_colours(train)
    train.add_argument("--recipe", choices=list(RECIPES), help="default slicenet of slicenet, else small-machine")
    train.add_argument(
        "--start",
        type=Path,
        metavar="FILE.keras",
        help="go on from this model's weights; reference: from the shipped SliceNet",
    )
    train.add_argument("--teacher", type=Path, metavar="FILE.keras", help="learn from what this model says, too")
    train.add_argument("--large", action="store_const", const=True, help="of slicenet alone: as wide as a teacher")
    train.add_argument("--epochs", type=_positive, help="default: the recipe's, as of all that follow")
    train.add_argument("--batch", type=_positive, help="joints of a step")
    train.add_argument("--learning-rate", type=float, help="Adam's, at the beginning")
    train.add_argument("--seed", type=int, help="of weights, order and what is held out")
    train.add_argument("--patience", type=_positive, help="epochs without a better validation AUROC before stopping")
    train.add_argument("--validation-share", type=float, help="of the board types; 0: none held out")
    train.add_argument("--dense-units", type=_positive, help="of cnn3d alone; Table II has 1024")
    train.add_argument("--dropout", type=float, help="share that is dropped before the last layer")
    train.add_argument("--trunk", choices=["compact", "twin"], help="of cnn-lstm alone")
    train.add_argument("--balance", choices=["fewer-normals", "repeat-defects"], help="how defects count as much")
    train.add_argument(
        "--time-limit", dest="time_limit_s", type=float, metavar="SECONDS", help="stop after the epoch this runs out in"
    )
    train.set_defaults(action=_train)


def add_reference(commands: Commands) -> None:
    reference = commands.add_parser("reference", help="make the shipped models again (about four hours on two cores)")
    reference.add_argument(
        "--work", required=True, type=Path, metavar="DIR", help="lots and full models; resumes there"
    )
    reference.add_argument("--out", required=True, type=Path, metavar="DIR", help="what ships")
    reference.add_argument("--only", choices=["papers", "slicenet", "curve", "neurofuzzy"], help="default: all of them")
    reference.set_defaults(action=_reference)


def _train(arguments: argparse.Namespace) -> int:
    if arguments.out.suffix != ".keras" or not arguments.out.parent.is_dir():
        raise UsageError(f"--out {arguments.out}: name a .keras file in a folder that exists")
    given = _given(arguments)
    if arguments.network == "neurofuzzy":
        return _train_neurofuzzy(arguments, given)
    from convert.lots.marks import save_taught
    from convert.lots.reading import load_lot
    from convert.lots.splits import says_less
    from convert.reports.history import draw_history
    from convert.training import defects as train

    spec = PreprocessSpec(colours=arguments.colours)
    lot = apart(load_lot(arguments.data, spec), arguments.by)
    given_lot = load_lot(arguments.validation, spec) if arguments.validation else None
    validation = apart(given_lot, arguments.by) if given_lot else None
    tell_each((*lot.left_out, *(validation.left_out if validation else ()), *says_less(lot)))
    usual = fine_tuning(len(lot.rows)) if _is_reference(arguments) else _recipe(arguments.network)
    plan = replace(RECIPES[arguments.recipe] if arguments.recipe else usual, **given)
    data = train.sides(lot, plan, validation)
    if validation is None and data.validation is not None:
        held = f"{len(data.validation.rows)} of {len(lot.rows)} joints"
        plainly(f"held back to choose the best epoch by: {held}; --validation names a lot instead")
    start = _start(arguments, data, plan)
    teacher = _teacher(arguments.teacher, data) if arguments.teacher else None
    with bar(f"training {arguments.network}", train.steps_per_epoch(data, plan) * plan.epochs) as progress:

        def on_step(loss: float) -> None:
            progress.advance()
            progress.tell(f"loss {loss:.3f}")

        def on_epoch(epoch: train.Epoch) -> None:
            came = f"loss {epoch.loss:.4f}" if epoch.epoch else "as it begins"
            console.print(
                f"epoch {epoch.epoch}: {came}, validation loss {epoch.validation_loss:.4f}, "
                f"AUROC {epoch.validation_auroc:.4f}, {epoch.seconds:.0f} s"
            )

        history = train.train(arguments.network, data, arguments.out, plan, on_step, on_epoch, start, teacher)
    draw_history(arguments.out.with_suffix(".png"), history)
    before = None if arguments.start is None or _is_reference(arguments) else arguments.start
    save_taught(arguments.out, data, before)
    plainly(f"{train.kept_in_words(history)}; classes, as a recipe has them: {list(data.classes)}")
    plainly(f"saved {arguments.out}; beside it .csv and .png (its epochs), .taught.json (which joints taught it)")
    return 0


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """What of a plan was said. Raises UsageError for an option of another network, which would silently do nothing."""
    given = {name: getattr(arguments, name) for name in _PLAN_OPTIONS if getattr(arguments, name) is not None}
    for name, own in _OF_ONE.items():
        if name in given and arguments.network not in {own, "neurofuzzy"}:
            raise UsageError(f"--{name.replace('_', '-')}: means nothing to {arguments.network}; leave it out")
    return given


def _recipe(network: str) -> TrainingPlan:
    return RECIPES[_USUAL.get(network, "small-machine")]


def _is_reference(arguments: argparse.Namespace) -> bool:
    return str(arguments.start) == _REFERENCE


def _start(arguments: argparse.Namespace, data: Sides, plan: TrainingPlan) -> Any:
    """The model to go on from; the reference, and a SliceNet that tells other classes apart, with an end for the lot's.
    None where nothing was named. Raises UsageError for another network's.
    """
    from convert.networks.scoring import load_model
    from convert.training.defects import family_of
    from convert.training.fine_tuning import begun

    if arguments.start is None:
        return None
    reference = _is_reference(arguments)
    start = load_model(SHIPPED["slicenet"] if reference else arguments.start)
    if family_of(start) != arguments.network:
        raise UsageError(f"--start {arguments.start}: is no {arguments.network}; name one, or train what it is")
    if reference or (arguments.network == "slicenet" and _values(start) != len(data.classes)):
        return begun(start, data.training, data.classes, plan)
    return start


def _teacher(path: Path, data: Sides) -> Any:
    """Raises UsageError for one that tells other classes apart than the lot has."""
    from convert.networks.scoring import load_model

    teacher = load_model(path)
    if _values(teacher) != len(data.classes):
        raise UsageError(
            f"--teacher {path}: tells {_values(teacher)} classes apart, but the lot has {len(data.classes)} "
            f"({', '.join(data.classes)}); name one that was trained on the same"
        )
    return teacher


def _train_neurofuzzy(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """The network that grades: learns in a minute, so it neither resumes nor has recipes."""
    unknown = [name for name in given if name not in _QUALITY_OPTIONS]
    meaningless = {name: getattr(arguments, name) for name in ("start", "teacher", "recipe", "by", "colours")}
    unknown += [name for name, value in meaningless.items() if value]
    if unknown:
        option = unknown[0].replace("_", "-")
        raise UsageError(f"--{option}: means nothing to neurofuzzy; leave it out")
    plan = replace(NEUROFUZZY, **given)
    if not arguments.validation and not plan.validation_share:
        raise UsageError("--validation-share 0: neurofuzzy chooses its best epoch on board types that are held out")
    from convert.lots.features import load_graded_lot
    from convert.lots.splits import require_unseen, split_apart
    from convert.lowering.read import read_network
    from convert.networks.scoring import load_model
    from convert.reports import grade_drawings as drawings
    from convert.reports.grade_tables import rules_table
    from convert.reports.history import draw_grade_history
    from convert.training import grades as training

    lot = load_graded_lot(arguments.data, FeatureSpec())
    if arguments.validation:
        validation = load_graded_lot(arguments.validation, FeatureSpec())
    else:
        lot, validation = split_apart(lot, plan.validation_share, plan.seed)
    tell_each((*lot.left_out, *validation.left_out))
    require_unseen(lot, validation)
    with bar("training neurofuzzy", plan.epochs) as progress:

        def on_epoch(epoch: training.GradeEpoch) -> None:
            progress.advance()
            progress.tell(f"loss {epoch.loss:.5f}, validation {epoch.validation_loss:.5f}")

        history = training.train_neurofuzzy(lot, validation, arguments.out, plan.seed, plan.epochs, on_epoch)
    network = read_network(load_model(arguments.out))
    stem = arguments.out.with_suffix("")
    draw_grade_history(stem.with_suffix(".png"), [(epoch.loss, epoch.validation_loss) for epoch in history])
    drawings.draw_sets(Path(f"{stem}.sets.png"), network)
    show([rules_table(network)])
    best = min(history, key=lambda epoch: epoch.validation_loss)
    console.print(f"best epoch {best.epoch}: validation loss {best.validation_loss:.5f}, {history[-1].seconds:.0f} s")
    console.print(f"saved {arguments.out}, {stem}.png and {stem}.sets.png")
    return 0


def _values(model: Any) -> int:
    """Outputs that a model of ours gives a joint."""
    from convert.networks.handing import first_output

    return int(first_output(model.output_shape)[-1])


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _reference(arguments: argparse.Namespace) -> int:
    from convert.reference.make import PARTS, make_reference

    parts = (arguments.only,) if arguments.only else tuple(PARTS)
    make_reference(arguments.work, arguments.out, lambda text: console.print(text, highlight=False), parts)
    return 0
