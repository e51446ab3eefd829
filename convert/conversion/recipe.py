"""Recipes: one TOML file a build. Relative paths are relative to the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from convert.lowering.lower import USUAL_PASSES
from edge.core.card import Scheme
from edge.core.errors import ConfigError
from edge.core.preprocess import PreprocessSpec
from edge.core.rules import Slug
from edge.toml import load_toml

Pixels = Literal["0..1", "0..255"]
"""The range of grey values that a network was trained on."""

NetworkName = Literal["", "cnn3d", "cnn-lstm", "neurofuzzy"]
Share = Annotated[float, Meta(ge=0, le=1)]
Recall = Annotated[float, Meta(gt=0, le=1)]


class BundleSection(Struct, frozen=True, kw_only=True):
    """``joint_types``: those the bundle may judge; empty: those that the lots hold, else PTH, of a network that grades
    SMT.
    """

    name: Slug
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$", description="three numbers such as 1.0.0")]
    joint_types: tuple[str, ...] = ()


class SourceSection(Struct, frozen=True, kw_only=True):
    """``model``: a ``.keras`` or H5 file or a SavedModel's folder; ``network``: which of the papers' families it is of.

    ``classes``: what the model's outputs stand for, in their order, ``normal`` one of them; empty: normal and defect.
    ``pixels``: the range of grey values it was trained on. ``seed``: the one it was trained with, for the lineage.
    """

    model: str
    network: NetworkName = ""
    classes: tuple[Slug, ...] = ()
    pixels: Pixels = "0..1"
    seed: int = 0


class FactorisationSection(Struct, frozen=True, kw_only=True):
    """Matrices to make thin, before anything else; not exact, so everything is measured against the model as it came.

    ``layers``: dense layers (or an LSTM, its recurrent matrix) by name; ``ranks``: those to try. The smallest is taken
    whose file loses at most ``max_auroc_drop`` on validation.
    """

    layers: tuple[str, ...] = ()
    ranks: Annotated[tuple[Annotated[int, Meta(ge=1)], ...], Meta(min_length=1)] = (32, 64, 128)
    max_auroc_drop: Share = 0.002


class LoweringSection(Struct, frozen=True, kw_only=True):
    """``passes``: the exact rewrites, in order (``convert.lowering.lower.PASSES``)."""

    passes: tuple[str, ...] = USUAL_PASSES


class QuantisationSection(Struct, frozen=True, kw_only=True):
    """How to quantise, and where the result must hold.

    ``float``: operations of an int8 model to keep in float, by name (``lstm/cell``) or with all their parts (``lstm``).
    ``bands``: how many channels a layer may gain, as a share of those it has, so that those whose rounding costs most
    are rounded finer (``convert.lowering.bands``); 0 for none.
    ``runtimes``: those to support; all that are installed here when empty. ``tolerance``: how far a logit may differ
    between runtimes on exact kernels; 0 demands the very same integers, and anything else a ``reason``.
    """

    scheme: Scheme = "int8"
    keep_float: tuple[str, ...] = field(default=(), name="float")
    bands: Share = 0.0
    runtimes: tuple[str, ...] = ()
    tolerance: Annotated[float, Meta(ge=0)] = 0.0
    reason: str = ""


class CalibrationSection(Struct, frozen=True, kw_only=True):
    """The lot that ranges are learnt on, and how many of its joints. For a network that grades it is the training lot:
    the thresholds between grades are learnt on all of it.

    ``max_disagreement``: how far the ranges of two halves may lie apart, as a share of the range, before the report
    warns.
    """

    lot: str
    joints: Annotated[int, Meta(ge=8)] = 256
    max_disagreement: Share = 0.25


class ValidationSection(Struct, frozen=True, kw_only=True):
    """The lot that thresholds are chosen on, for these recalls; the first is the default operating point.

    A network that grades has none: its thresholds are learnt, not chosen.
    """

    lot: str = ""
    recalls: Annotated[tuple[Recall, ...], Meta(min_length=1)] = (0.90, 0.95)


class EvaluationSection(Struct, frozen=True, kw_only=True):
    """The held-out lot that figures are measured on.

    ``golden``: how many of its joints go into the bundle; ``everywhere``: how many run on every runtime, on fast and
    exact kernels, with one and two threads. ``parity``: of how many joints, varied from the golden ones, the bundle
    holds what exact kernels give, so that a device can be qualified; ``parity_reference``: of these, on the far slower
    reference kernels.
    """

    lot: str
    golden: Annotated[int, Meta(ge=2, le=64)] = 8
    everywhere: Annotated[int, Meta(ge=8)] = 96
    parity: Annotated[int, Meta(ge=8, le=10_000)] = 500
    parity_reference: Annotated[int, Meta(ge=1, le=10_000)] = 64


class FamiliaritySection(Struct, frozen=True, kw_only=True):
    """``joints``: how many right ones a network's familiarity is learnt from at most, half of them calibration joints;
    it meets fourteen times as many others, varied and wrong.
    """

    joints: Annotated[int, Meta(ge=8, le=16384)] = 1024


class BudgetSection(Struct, frozen=True, kw_only=True):
    """What conversion may cost, measured on the evaluation lot.

    ``max_flipped``: share of the joints whose decision, or grade, changes; ``max_recognition_drop``: of the Recognition
    Rate of a network that grades. ``max_escape``: for the one-sided 95 % upper bound of the share of defects released
    at the default operating point, over all defects; ``max_escape_of``: the same by defect class. Where none is given
    the bound is only reported. ``max_unfamiliar``: share of the evaluation lot's joints that look like none that the
    model knows; ``min_caught``: share of pictures of no joint that do. Where none is given they are only reported.
    ``max_flipped_fast``: share of varied joints, which lie nearer to thresholds than a line's, whose decision the fast
    kernels of a device may change for it to be qualified.
    """

    max_auroc_drop: Share = 0.005
    max_recall_drop: Share = 0.02
    max_recognition_drop: Share = 0.01
    max_flipped: Share = 0.01
    max_flipped_fast: Share = 0.02
    max_escape: Share | None = None
    max_escape_of: dict[str, Share] = {}
    max_unfamiliar: Share | None = None
    min_caught: Share | None = None


class SigningSection(Struct, frozen=True, kw_only=True):
    """``key``: PEM file of an Ed25519 private key; empty leaves the bundle unsigned."""

    key: str = ""


class Recipe(Struct, frozen=True, kw_only=True):
    bundle: BundleSection
    source: SourceSection
    calibration: CalibrationSection
    evaluation: EvaluationSection
    validation: ValidationSection = ValidationSection()
    factorisation: FactorisationSection = FactorisationSection()
    lowering: LoweringSection = LoweringSection()
    quantisation: QuantisationSection = QuantisationSection()
    preprocess: PreprocessSpec = PreprocessSpec()
    familiarity: FamiliaritySection = FamiliaritySection()
    budget: BudgetSection = BudgetSection()
    signing: SigningSection = SigningSection()


def read_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises ConfigError naming file, key and remedy, also for a named file that is not there."""
    recipe = load_toml(path, Recipe)
    for key, named in (
        ("[source] model", recipe.source.model),
        ("[calibration] lot", recipe.calibration.lot),
        ("[validation] lot", recipe.validation.lot),
        ("[evaluation] lot", recipe.evaluation.lot),
        ("[signing] key", recipe.signing.key),
    ):
        if named and not (path.parent / named).exists():
            raise ConfigError(f"{path}: {key}: {path.parent / named} does not exist; correct the path")
    return recipe


def problems(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """What no type can tell, whatever the task: keys, and what is wrong with them."""
    if len(set(recipe.validation.recalls)) != len(recipe.validation.recalls):
        yield "[validation] recalls", "a recall appears twice; name each once"
    quantisation = recipe.quantisation
    if quantisation.tolerance and not quantisation.reason:
        yield "[quantisation] tolerance", "runtimes may then differ; say why in reason"
    if quantisation.scheme != "int8" and quantisation.keep_float:
        yield "[quantisation] float", "only an int8 model has layers to except; remove it"
    if quantisation.scheme != "int8" and quantisation.bands:
        yield "[quantisation] bands", "only an int8 model is rounded to bands; remove it"
