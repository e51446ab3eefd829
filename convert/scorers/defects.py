"""Where scores come from: a bundle on the runtime that ships, a Keras model, the baseline, or recorded scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.conversion.parity import device_scores
from convert.conversion.recipe import Pixels
from convert.conversion.runtimes import supported
from convert.evaluation.defects import Scored
from convert.evaluation.recorded import load_recorded
from convert.lots.lot import LabelledLot
from convert.lots.marks import Marks, load_taught
from convert.lowering.read import read_network
from convert.metrics.defects import Scores
from convert.networks.handing import normal_first, of_keras, of_volumes
from convert.networks.scoring import load_model, score
from convert.shipped.paths import SHIPPED
from convert.training import grey_baseline as baseline
from edge.bundle.format import CARD, open_bundle
from edge.bundle.shipped import WORD, bundle_folder
from edge.core.card import Lineage
from edge.core.errors import ConfigError, UsageError
from edge.core.preprocess import PreprocessSpec

_CHUNK = 512


def shipped_for(validation: LabelledLot, test: LabelledLot) -> tuple[list[str], list[str]]:
    """The shipped models that can score these lots, and those that cannot: recorded ones know the reference lots."""
    known: list[str] = []
    unknown: list[str] = []
    for name, path in SHIPPED.items():
        recorded = load_recorded(path).by_digest if path.suffix == ".npz" else None
        fits = recorded is None or {validation.truth_digest, test.truth_digest} <= set(recorded)
        (known if fits else unknown).append(name)
    return known, unknown


@dataclass(frozen=True)
class Source:
    """A model at hand. ``note`` says how its scores come about; ``spec`` how it wants joints cut out; ``score`` gives
    p_defect of a lot, float64 (n,). ``taught``: the joints it learnt from, where that is known;
    ``gated``: digest of the lot that its gate was tried on.
    """

    name: str
    note: str
    spec: PreprocessSpec
    score: Callable[[LabelledLot], Scores]
    taught: Marks | None = None
    gated: str = ""

    def scored(self, validation: LabelledLot, test: LabelledLot) -> Scored:
        """Both lots' scores. Raises UsageError where they were recorded and are of other lots."""
        known = self.taught.among(test) if self.taught else None
        tried = bool(self.gated) and self.gated == test.digest
        return Scored(self.name, self.note, self.score(validation), self.score(test), known, tried)


def source(word: str, pixels: Pixels = "0..1") -> Source:
    """What ``word`` names: a shipped reference model, the bundle that ships, a bundle's folder or a ``.keras`` file.
    ``pixels``: the grey values that a network of somebody's own takes; the others know theirs.

    Raises UsageError for anything else, ConfigError or BundleRefused for what cannot be read.
    """
    path = SHIPPED.get(word) or bundle_folder(word)
    name = word if word in {*SHIPPED, WORD} else path.stem if path.suffix == ".keras" else path.name
    scorer = _scorer(word, path, pixels)
    lineage = open_bundle(path).card.lineage if (path / CARD).exists() else None
    gated = lineage.data.get("evaluation", "").rpartition(" ")[2] if lineage else ""
    return Source(name, *scorer, _taught(path, lineage), gated)


def _taught(path: Path, lineage: Lineage | None) -> Marks | None:
    """Which joints a model learnt from, where it says so. Raises ConfigError for what no build wrote."""
    if lineage is None:
        return load_taught(path) if path.suffix == ".keras" else None
    try:
        return Marks.from_text(lineage.taught) if lineage.taught else None
    except ValueError as error:
        raise ConfigError(f"{path / CARD}: lineage.taught: no marks ({error}); build the bundle anew") from error


def common_spec(sources: Sequence[Source]) -> PreprocessSpec:
    """How all of them want joints cut out; the usual way where there are none. Raises UsageError where they differ."""
    specs = {source.spec: source.name for source in sources} or {PreprocessSpec(): ""}
    if len(specs) > 1:
        (one, name), (other, another) = list(specs.items())[:2]
        raise UsageError(
            f"{name} takes joints as {_shown(one)}, but {another} as {_shown(other)}; evaluate one after the other"
        )
    return next(iter(specs))


def _shown(spec: PreprocessSpec) -> str:
    return f"{spec.size} x {spec.size} x {spec.channels}, margin {spec.margin}, {spec.polarity}"


def _scorer(word: str, path: Path, pixels: Pixels) -> tuple[str, PreprocessSpec, Callable[[LabelledLot], Scores]]:
    if (path / CARD).exists():
        return _bundle_scorer(path)
    if path.suffix == ".keras" and path.exists():
        return _keras_scorer(path, pixels)
    if path.suffix == ".json" and path.exists():
        model = baseline.load(path)
        return "logistic regression on grey levels", PreprocessSpec(), lambda lot: baseline.score(model, lot)
    if path.suffix == ".npz" and path.exists():
        recorded = load_recorded(path)
        return "recorded when it was trained: too large to ship", PreprocessSpec(), recorded.of
    if word in SHIPPED:
        raise UsageError(f"{word}: its file {path} is missing; make the reference models anew (axi-convert reference)")
    raise UsageError(f"{word}: neither a bundle, nor a .keras file, nor one of {', '.join((WORD, *SHIPPED))}")


def _keras_scorer(path: Path, pixels: Pixels) -> tuple[str, PreprocessSpec, Callable[[LabelledLot], Scores]]:
    """Of several classes the first is taken for normal, as our own networks have it."""
    model: Any = load_model(path)
    if of_volumes(model):
        network = read_network(model)  # what is not known there would be scored otherwise than Keras scores it
        takes, found, grey = network.input_shape, network.task, ""
    else:
        model = of_keras(model, normal_first(model), pixels)
        takes, found, grey = model.input_shape, "joint_defect", f", grey values {pixels}"
    if found != "joint_defect":
        raise UsageError(f"{path}: a network that grades; name the lots of graded joints, or a network of defects")
    if not grey and pixels != "0..1":
        raise UsageError(f"--pixels: {path} is one of the papers' networks, which take 0..1; leave it out")
    return f"Keras, float32{grey}", PreprocessSpec(size=takes[0], channels=takes[2]), lambda lot: score(model, lot)


def _bundle_scorer(path: Path) -> tuple[str, PreprocessSpec, Callable[[LabelledLot], Scores]]:
    """On the preferred runtime's fast kernels, as the daemon runs it, in a process without TensorFlow."""
    bundle = open_bundle(path)
    spec = bundle.card.preprocess
    if not isinstance(spec, PreprocessSpec):
        raise UsageError(f"{path}: a network that grades; name the lots of graded joints, or a bundle for defects")
    runtime = supported(())[0]
    content = bundle.model_path.read_bytes()

    def score_on_device(lot: LabelledLot) -> Scores:
        parts = (device_scores(runtime, content, some, bundle.card.quantisation) for some in lot.batches(_CHUNK))
        return np.concatenate(list(parts))

    return f"{bundle.card.quantisation.scheme} on {runtime.name}", spec, score_on_device
