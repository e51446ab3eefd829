"""A network of ours out of a SavedModel: its variables, in a network built again from their names and sizes.

A SavedModel holds operations and variables, and no layers. Which family it is the recipe says; widths, trunk and ranks
are read off its variables. Whether the network that comes out is the one that went in is not believed: both are run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.networks.cnn3d import INPUT_SHAPE, cnn3d
from convert.networks.cnn_lstm import TRUNKS, Stage, Trunk, cnn_lstm
from convert.networks.factorise import Ranks, factorised
from edge.core.errors import ConfigError
from edge.files import digest_bytes, digest_file

_TOLERANCE = 1e-5
"""Largest allowed difference in p_defect."""
_PROBES = 4
_SIGNATURE = "serving_default"
_STATES_OF_CHANCE = "seed_generator_state"

Variables = Mapping[str, NDArray[Any]]
"""By the last two parts of their names: ``conv1/kernel``."""


def family_of_saved_model(folder: Path) -> str:
    """Which of the papers' families a SavedModel looks to be of, by the names and shapes of its variables; or empty."""
    _saved, signature = opened(folder)
    shapes = {_tail(variable.name): variable.shape for variable in signature.variables}
    if any(name.startswith("lstm") for name in shapes):
        return "cnn-lstm"
    return "cnn3d" if len(shapes.get("conv1/kernel", ())) == 5 else ""


def opened(folder: Path) -> tuple[Any, Any]:
    """A SavedModel, which its variables live no longer than, and its signature. Raises ConfigError."""
    import tensorflow as tf

    try:
        saved = tf.saved_model.load(folder)
        return saved, saved.signatures[_SIGNATURE]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"{folder}: no SavedModel with a signature {_SIGNATURE} ({error}); export it again"
        ) from error


def load_saved_model(folder: Path, network: str) -> Any:
    """The Keras model that a SavedModel was made of. Raises ConfigError naming what does not fit."""
    _saved, signature = opened(folder)
    variables = {_tail(variable.name): variable.numpy() for variable in signature.variables}
    try:
        model = _FAMILIES[network](variables)
        _fill(model, variables)
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"{folder}: its variables are not those of a {network} ({error}); correct [source] network, or save the "
            "model as .keras"
        ) from error
    _require_same(folder, model, signature)
    return model


def digest_folder(folder: Path) -> str:
    """``sha256:<hex>`` over the names and contents of all files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {digest_file(path)}\n" for path in files]
    return digest_bytes("".join(lines).encode())


def _cnn3d(variables: Variables) -> Any:
    full = cnn3d(dense_units=variables["dense1/kernel"].shape[1])
    thin = variables.get("dense1_thin/kernel")
    return full if thin is None else factorised(full, Ranks(dense=thin.shape[1], least_weights=_least(full)))


def _cnn_lstm(variables: Variables) -> Any:
    features, units = variables["features/kernel"].shape[1], variables["dense1/kernel"].shape[0]
    full = cnn_lstm(trunk=_trunk(variables), features=features, units=units)
    if "lstm/kernel_in" not in variables:
        return full
    ranks = Ranks(
        lstm_input=variables["lstm/kernel_in"].shape[1],
        lstm_recurrent=variables["lstm/recurrent_in"].shape[1],
        least_weights=np.iinfo(np.int64).max,  # no dense layer
    )
    return factorised(full, ranks)


_FAMILIES = {"cnn3d": _cnn3d, "cnn-lstm": _cnn_lstm}


def _least(full: Any) -> int:
    """So that ``factorised`` takes dense1 alone."""
    return int(np.prod(full.get_layer("dense1").kernel.shape))


def _trunk(variables: Variables) -> Trunk:
    """The known trunk with these filters that leaves as many values a slice as the features take."""
    filters = [variables[f"conv{n}/kernel"].shape[-1] for n in range(1, 1 + len(_convolutions(variables)))]
    for known in TRUNKS.values():
        trunk = tuple(Stage(width, stage.pool) for width, stage in zip(filters, known, strict=False))
        if len(trunk) == len(known) and _values(trunk) == variables["features/kernel"].shape[0]:
            return trunk
    raise ValueError(f"convolutions with {filters} filters are of no trunk among {', '.join(TRUNKS)}")


def _convolutions(variables: Variables) -> list[str]:
    return [name for name in variables if re.fullmatch(r"conv\d+/kernel", name)]


def _values(trunk: Trunk) -> int:
    height, width = INPUT_SHAPE[:2]
    for stage in trunk:
        height, width = ((side - 2) // (2 if stage.pool else 1) for side in (height, width))
    return height * width * trunk[-1].filters


def _fill(model: Any, variables: Variables) -> None:
    """Raises KeyError for a variable that is missing, ValueError for one left over or of another shape."""
    needed = {_tail(weight.path): weight for weight in model.weights}
    for name, weight in needed.items():
        weight.assign(variables[name])
    left = sorted(set(_weights(variables)) - set(needed))
    if left:
        raise ValueError(f"{left[0]} has no place in one")


def _weights(variables: Variables) -> Iterator[str]:
    return (name for name in variables if not name.endswith(_STATES_OF_CHANCE))


def _tail(name: str) -> str:
    """``cnn_lstm/lstm/lstm_cell/kernel:0`` is called ``lstm_cell/kernel``."""
    return "/".join(name.split(":", maxsplit=1)[0].split("/")[-2:])


def _require_same(folder: Path, model: Any, signature: Any) -> None:
    """The signature's own p_defect against the model's, on noise: every weight takes part in both."""
    import tensorflow as tf

    probes = np.random.default_rng(0).random((_PROBES, *INPUT_SHAPE), np.float32)
    (name,) = signature.structured_input_signature[1]
    (theirs,) = signature(**{name: tf.constant(probes)}).values()
    difference: Any = np.abs(np.asarray(theirs)[:, 1] - np.asarray(model(probes))[:, 1]).max()
    if not difference <= _TOLERANCE:
        raise ConfigError(
            f"{folder}: rebuilt as {model.name} it gives another p_defect, by {difference:.1e}; save it as .keras"
        )
