"""Recipes: one TOML file a build. Relative paths are relative to the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge.config import load_toml
from edge.core.card import Slug
from edge.core.errors import ConfigError
from edge.core.preprocess import PreprocessSpec

Share = Annotated[float, Meta(ge=0, le=1)]
Recall = Annotated[float, Meta(gt=0, le=1)]


class BundleSection(Struct, frozen=True, kw_only=True):
    name: Slug
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$")]
    joint_types: Annotated[tuple[str, ...], Meta(min_length=1)] = ("PTH",)


class SourceSection(Struct, frozen=True, kw_only=True):
    """``seed``: the one it was trained with, for the lineage."""

    model: str
    network: Literal["cnn3d"] = "cnn3d"
    seed: int = 0


class QuantisationSection(Struct, frozen=True, kw_only=True):
    scheme: Literal["int8", "float32"] = "int8"


class CalibrationSection(Struct, frozen=True, kw_only=True):
    lot: str
    joints: Annotated[int, Meta(ge=8)] = 128


class ValidationSection(Struct, frozen=True, kw_only=True):
    """The lot that thresholds are chosen on, for these recalls; the first is the default operating point."""

    lot: str
    recalls: Annotated[tuple[Recall, ...], Meta(min_length=1)] = (0.90, 0.95)


class EvaluationSection(Struct, frozen=True, kw_only=True):
    """The held-out lot that figures are measured on, and how many of its joints become golden."""

    lot: str
    golden: Annotated[int, Meta(ge=2, le=64)] = 8


class BudgetSection(Struct, frozen=True, kw_only=True):
    """What quantisation may cost, measured on the evaluation lot."""

    max_auroc_drop: Share = 0.005
    max_flipped: Share = 0.01


class SigningSection(Struct, frozen=True, kw_only=True):
    """``key``: PEM file of an Ed25519 private key; empty leaves the bundle unsigned."""

    key: str = ""


class Recipe(Struct, frozen=True, kw_only=True):
    bundle: BundleSection
    source: SourceSection
    calibration: CalibrationSection
    validation: ValidationSection
    evaluation: EvaluationSection
    quantisation: QuantisationSection = QuantisationSection()
    preprocess: PreprocessSpec = PreprocessSpec()
    budget: BudgetSection = BudgetSection()
    signing: SigningSection = SigningSection()


def load_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises ConfigError naming file, key and remedy, also for a named file that is not there."""
    recipe = load_toml(path, Recipe)
    for field, named in (
        ("[source] model", recipe.source.model),
        ("[calibration] lot", recipe.calibration.lot),
        ("[validation] lot", recipe.validation.lot),
        ("[evaluation] lot", recipe.evaluation.lot),
        ("[signing] key", recipe.signing.key),
    ):
        if named and not (path.parent / named).exists():
            raise ConfigError(f"{path}: {field}: {path.parent / named} does not exist; correct the path")
    if len(set(recipe.validation.recalls)) != len(recipe.validation.recalls):
        raise ConfigError(f"{path}: [validation] recalls: a recall appears twice; name each once")
    return recipe
