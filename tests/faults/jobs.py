"""Jobs that are damaged, or meant badly."""

from __future__ import annotations

from tests.faults.inputs import HOSTILE, bend_manifest, damage_image
from tests.faults.rig import Result
from tests.faults.stage import Stage


def damaged_images(stage: Stage) -> Result:
    """Slices cut short, with bits flipped, bytes missing or replaced."""
    rig = stage.rig()
    rig.start()
    for number in stage.each_round():
        spoilt: list[str] = []
        (name,) = rig.submit(1, lambda folder, spoilt=spoilt: spoilt.extend(damage_image(folder, stage.chance)))  # type: ignore[misc]
        rig.expect_unjudged(name, spoilt)
        rig.audited_every(100, number)
    return rig.finish()


def hostile_manifests(stage: Stage) -> Result:
    """Path traversal, symbolic links, pipes, huge numbers, deep nesting, repeated keys, NaN, bombs, flipped bytes."""
    rig = stage.rig()
    rig.start()
    for number in stage.each_round():
        bend = HOSTILE[number % len(HOSTILE)]
        (name,) = rig.submit(1, lambda folder, bend=bend: bend_manifest(folder, bend, stage.chance))  # type: ignore[misc]
        rig.leave_to_the_audit(name)
        rig.audited_every(50, number)
    rig.submit(2)
    return rig.finish()
