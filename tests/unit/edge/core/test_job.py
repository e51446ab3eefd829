from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.errors import JobRefused
from edge.core.job import Job, Joint, Roi, SliceFile, View, encode_manifest, parse_manifest
from edge.core.salvage import salvage
from tests.support.builders import document, make_job

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
coordinates = st.integers(-2_000, 4_000)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    views = tuple(
        View(id=name, slices=tuple(SliceFile(index=k, file=f"{i}-{k}.png") for k in sorted(indices)))
        for i, (name, indices) in enumerate(
            draw(st.dictionaries(names, st.sets(st.integers(0, 5), min_size=1), max_size=3)).items()
        )
    )
    joints = []
    for name in draw(st.sets(names, max_size=5)) if views else ():
        x, y = draw(coordinates), draw(coordinates)
        box = Roi(x, y, x + draw(st.integers(1, 300)), y + draw(st.integers(1, 300)))
        joints.append(Joint(id=name, type="PTH", view=draw(st.sampled_from(views)).id, roi=box))
    base = make_job()
    return Job(
        schema="axi-job/1",
        job_id=draw(names),
        created=base.created,
        board=base.board,
        views=views,
        joints=tuple(joints),
    )


@given(jobs())
def test_a_manifest_survives_the_round_trip(job: Job) -> None:
    parsed = parse_manifest(encode_manifest(job))
    assert parsed.job == job
    assert parsed.unknown_keys == ()


def refusals() -> list[tuple[str, Any, str]]:
    """A path into the manifest, the value put there, and what the refusal must name."""
    return [
        ("schema", "axi-job/2", "schema"),
        ("job_id", 7, "job_id"),
        ("board.serial", "", "board.serial"),
        ("joints.0.roi", [1, 2, 3], "joints[0].roi"),
        ("joints.0.roi.2", "58", "joints[0].roi[2]"),
        ("joints.0.roi", [5, 5, 5, 9], "joints[0].roi"),
        ("joints.0.roi", [5, 5, 10**7, 9], "joints[0].roi[2]"),
        ("joints.1.id", "J0.0", "joints[1].id"),
        ("joints.0.view", "nowhere", "joints[0].view"),
        ("views.0.slices.0.index", 6, "views[0].slices[0].index"),
        ("views.0.slices.1.index", 0, "views[0].slices"),
        ("views.0.slices.0.file", "../secret.png", "views[0].slices[0].file"),
        ("views.0.slices.0.file", "a/b.png", "views[0].slices[0].file"),
        ("views.0.slices", [], "views[0].slices"),
        ("views.0.slices.1.file", "0101500.png".replace("0.png", "00.png"), "views[0].slices"),
        ("image", {"bit_depth": 16}, "image.window"),
        ("image", {"bit_depth": 12}, "image.bit_depth"),
        ("image", {"bit_depth": 16, "window": [900, 100]}, "image.window"),
        ("image", {"polarity": "dark"}, "image.polarity"),
    ]


@pytest.mark.parametrize(("path", "value", "field"), refusals())
def test_a_refusal_names_file_and_field(path: str, value: Any, field: str) -> None:
    manifest = document(make_job())
    target: Any = manifest
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in way:
        target = target[step]
    target[last] = value
    with pytest.raises(JobRefused) as refusal:
        parse_manifest(json.dumps(manifest).encode(), source="L7/manifest.json")
    assert str(refusal.value).startswith(f"L7/manifest.json: {field}: ")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema": "axi-job/1"}', b"[" * 100_000])
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(JobRefused, match="axi-job/1"):
        parse_manifest(raw)


def test_a_key_that_appears_twice_is_refused_and_no_joint_is_dropped() -> None:
    raw = json.dumps(document(make_job(joints=2)))
    doubled = (raw[:-1] + ', "joints": []}').encode()
    with pytest.raises(JobRefused, match="'joints' appears twice"):
        parse_manifest(doubled)
    assert [joint.id for joint in salvage(doubled).joints] == ["J0.0", "J0.1"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"joints": [{"id": "A", "id": "B"}]}', ["B"]),
        ('{"joints": [{"id": "Q"}], "joints": {}, "joints": [{"id": "A"}]}', ["A"]),
        ('{"job_id": "1", "job_id": "2", "joints": [{"id": "A"}]}', ["A"]),
    ],
)
def test_where_a_key_that_appears_twice_hides_something_that_is_said(text: str, named: list[str]) -> None:
    found = salvage(text.encode())
    assert [joint.id for joint in found.joints] == named
    assert not found.whole
    assert salvage(b'{"joints": [{"id": "A"}], "joints": [{"id": "B"}]}').whole


def test_unknown_keys_are_named_once_and_ignored() -> None:
    manifest = document(make_job(joints=3))
    manifest["line"] = "3"
    manifest["board"]["panel"] = 2
    for joint in manifest["joints"]:
        joint["confidence"] = 0.5
    parsed = parse_manifest(json.dumps(manifest).encode())
    assert parsed.job == make_job(joints=3)
    assert parsed.unknown_keys == ("line", "board.panel", "joints[].confidence")


def test_optional_keys_may_be_absent() -> None:
    manifest = document(make_job(joints=1))
    for key in ("station", "image"):
        del manifest[key]
    for key in ("refdes", "pin", "machine_call"):
        del manifest["joints"][0][key]
    job = parse_manifest(json.dumps(manifest).encode()).job
    assert job.image.bit_depth == 8
    assert job.joints[0].machine_call is None


def test_every_joint_that_a_refused_manifest_names_is_salvaged() -> None:
    manifest = document(make_job(joints=3))
    manifest["joints"][0]["roi"] = "broken"
    manifest["joints"][1] = {"no": "id"}
    manifest["joints"].append({"id": 17})
    found = salvage(json.dumps(manifest).encode())
    assert found.job_id == "L7-000123"
    assert found.serial == "SN001"
    assert [joint.id for joint in found.joints] == ["J0.0", "joints[1]", "J0.2", "17"]
    assert found.whole


def test_joints_of_one_name_stay_two_in_what_is_salvaged() -> None:
    manifest = document(make_job(joints=2))
    manifest["joints"][1]["id"] = "J0.0"
    assert [joint.id for joint in salvage(json.dumps(manifest).encode()).joints] == ["J0.0", "J0.0#2"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.8, 0.95, 0.999])
def test_of_a_manifest_that_breaks_off_every_joint_before_that_is_salvaged(share: float) -> None:
    raw = json.dumps(document(make_job(joints=8))).encode()
    cut = raw[: int(share * len(raw))]
    found = salvage(cut)
    assert not found.whole
    assert [joint.id for joint in found.joints] == [f"J0.{i}" for i in range(len(found.joints))]
    assert len(found.joints) >= cut.count(b'"pin"') - 1


@pytest.mark.parametrize("encoding", ["latin-1", "gbk"])
def test_joints_of_a_manifest_in_another_encoding_are_named(encoding: str) -> None:
    manifest = document(make_job(joints=3))
    manifest["board"]["type"] = {"latin-1": "Gerät", "gbk": "主板"}[encoding]
    raw = json.dumps(manifest, ensure_ascii=False).encode(encoding)
    with pytest.raises(JobRefused):
        parse_manifest(raw)
    assert salvage(raw).whole
    assert len(salvage(raw).joints) == 3


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["joints", "id", "board", "serial", "job_id"]), inner, max_size=4)
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
)
def test_salvage_never_raises(raw: bytes) -> None:
    salvage(raw)
