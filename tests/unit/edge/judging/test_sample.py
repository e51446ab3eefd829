"""A sample job is the bundle's own golden joints: what the network sees of them is what is on record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.bundle.format import open_bundle
from edge.bundle.shipped import WORD, bundle_folder
from edge.core.errors import BundleRefused
from edge.core.fingerprints import fingerprint
from edge.core.preprocess import PreprocessSpec, prepare
from edge.jobs.folder import open_folder, read_job
from edge.jobs.vendors import JobDefaults
from edge.judging.sample import BOARD_TYPE, sample_job
from edge.judging.slices import read_slice
from tests.support.builders import make_quality_card


def test_the_network_sees_what_is_on_record_and_every_sample_is_another(tmp_path: Path) -> None:
    bundle, seen = open_bundle(bundle_folder(WORD)), set[bytes | None]()
    spec = bundle.card.preprocess
    assert isinstance(spec, PreprocessSpec)
    for name in ("SAMPLE-1", "SAMPLE-2"):
        folder = tmp_path / name
        folder.mkdir()
        written = sample_job(bundle, name, "2026-11-30T22:00:00.000Z", folder)
        job, unknown = read_job(open_folder(folder, JobDefaults()))
        assert (job, unknown) == (written, ())
        assert (job.board.type, job.board.serial) == (BOARD_TYPE, name)
        assert len(job.joints) == len(bundle.golden) >= 2
        for joint, view, golden in zip(job.joints, job.views, bundle.golden, strict=True):
            slices = {part.index: read_slice(folder, part, job.image).grey for part in view.slices}
            assert np.array_equal(prepare(spec, slices, joint.roi), golden.patch)
            seen |= {fingerprint(grey, job.image.polarity) for grey in slices.values()}
    assert None not in seen
    assert len(seen) == 2 * sum(len(golden.slices) for golden in bundle.golden), "no picture was shown before"


def test_of_a_network_that_sees_no_slices_none_is_made(tmp_path: Path) -> None:
    bundle = open_bundle(bundle_folder(WORD))._replace(card=make_quality_card())
    with pytest.raises(BundleRefused, match="hand over a job"):
        sample_job(bundle, "S", "t", tmp_path)
