"""A network of the reference trained once: what was trained already, from the very same, is left as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from convert.reference.lots import Lots
from convert.reference.provenance import Tell, is_done, mark_done
from convert.training import defects as train
from convert.training.plan import Network, TrainingPlan

_TELL_EVERY = 50


def trained(
    network: Network,
    lots: Lots,
    out: Path,
    plan: TrainingPlan,
    tell: Tell,
    *,
    start: Callable[[], Any] | None = None,
    made_from: dict[str, Any] | None = None,
) -> Path:
    """Train, or go on training, to ``out`` (.keras), unless that is done. ``made_from``: what decided ``start``."""
    stamp = stamp_of(lots, plan=asdict(plan), **(made_from or {}))
    if is_done(out, stamp):
        return out
    data = train.sides(lots.training, plan, lots.validation)
    steps = train.steps_per_epoch(data, plan)
    tell(f"training {out.stem}: {len(data.training.rows)} joints, {steps} steps an epoch, {plan.epochs} epochs")
    losses: list[float] = []

    def tick(loss: float) -> None:
        losses.append(loss)
        if len(losses) % _TELL_EVERY == 0:
            tell(f"  step {len(losses)}: loss {sum(losses[-_TELL_EVERY:]) / _TELL_EVERY:.4f}")

    train.train(network, data, out, plan, tick, lambda epoch: tell(f"  {epoch}"), start() if start else None)
    mark_done(out, stamp)
    return out


def stamp_of(lots: Lots, **plans: Any) -> str:
    """What a step was made from: a file that was made from anything else is made again."""
    return json.dumps({"lots": [lots.training.digest, lots.validation.digest], **plans}, sort_keys=True)
