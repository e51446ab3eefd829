"""``axi-edge inspect`` as a person or a script calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.core.payloads import VerdictPayload


def inspect(*words: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, verdicts, what was said on stderr; every line must be a contract verdict."""
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", "inspect", *map(str, words)], capture_output=True, text=True, check=False
    )
    for line in done.stdout.splitlines():
        msgspec.json.decode(line, type=VerdictPayload)
    assert "Traceback" not in done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture
def job(lots: Path, tmp_path: Path) -> Path:
    original = min(path for path in (lots / "evaluate").iterdir() if path.is_dir())
    return Path(shutil.copytree(original, tmp_path / original.name))


def manifest(job: Path) -> Any:
    return json.loads((job / "manifest.json").read_text())


def test_one_verdict_a_joint(job: Path, bundle: Path) -> None:
    code, verdicts, noise = inspect(job, "--bundle", bundle, "--device", "bench")
    assert code == 0
    assert [line for line in noise.splitlines() if not line.startswith("axi-edge: ")] == [], "the runtimes chatter"
    assert [verdict["joint"] for verdict in verdicts] == [joint["id"] for joint in manifest(job)["joints"]]
    assert {verdict["reason"] for verdict in verdicts} <= {None, "unfamiliar"}
    again = inspect(job, "--bundle", bundle, "--device", "bench")[1]
    assert [(verdict["event_id"], verdict["p_defect"]) for verdict in again] == [
        (verdict["event_id"], verdict["p_defect"]) for verdict in verdicts
    ]


def test_both_runtimes_print_the_same_scores(job: Path, bundle: Path) -> None:
    """To the bit on exact kernels; on fast ones as near as the card allows."""

    def scores(runtime: str, kernels: str) -> list[float]:
        words = ("--bundle", bundle, "--runtime", runtime, "--kernels", kernels)
        return [verdict["p_defect"] for verdict in inspect(job, *words)[1]]

    assert scores("litert", "exact") == scores("tflite-runtime", "exact")
    assert scores("litert", "fast") == pytest.approx(scores("tflite-runtime", "fast"), abs=0.02)


def test_a_wrong_type_refuses_the_job_and_names_its_joints(job: Path, bundle: Path) -> None:
    document = manifest(job)
    document["joints"][0]["pin"] = 5
    (job / "manifest.json").write_text(json.dumps(document))
    code, verdicts, said = inspect(job, "--bundle", bundle)
    assert code == 5
    assert "manifest.json: joints[0].pin: text, in quotes is expected, not a whole number" in said
    assert len(verdicts) == len(document["joints"])
    assert {(verdict["verdict"], verdict["reason"], verdict["route"]) for verdict in verdicts} == {
        ("unjudged", "job_refused", "specialist")
    }


def test_a_missing_image_costs_its_views_joints_only(job: Path, bundle: Path) -> None:
    (job / manifest(job)["views"][0]["slices"][0]["file"]).unlink()
    code, verdicts, said = inspect(job, "--bundle", bundle)
    assert code == 0
    assert {(verdict["verdict"], verdict["reason"]) for verdict in verdicts} == {("unjudged", "slice_missing")}
    assert "No such file" in said


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_image_is_never_judged(job: Path, bundle: Path, share: float) -> None:
    path = job / manifest(job)["views"][0]["slices"][0]["file"]
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    code, verdicts, _ = inspect(job, "--bundle", bundle)
    assert code == 0
    assert {(verdict["verdict"], verdict["reason"]) for verdict in verdicts} == {("unjudged", "slice_unreadable")}


def test_a_box_may_leave_the_frame_but_not_the_picture(job: Path, bundle: Path) -> None:
    document = manifest(job)
    document["joints"][0]["roi"] = [-20, -20, 40, 40]
    document["joints"][1]["roi"] = [2000, 2000, 2050, 2050]
    (job / "manifest.json").write_text(json.dumps(document))
    code, verdicts, _ = inspect(job, "--bundle", bundle)
    assert code == 0
    assert verdicts[0]["reason"] in {None, "unfamiliar"}
    assert (verdicts[1]["verdict"], verdicts[1]["reason"]) == ("unjudged", "roi_outside")


def test_unknown_keys_are_only_mentioned(job: Path, bundle: Path) -> None:
    document = manifest(job)
    document["operator"] = "night shift"
    (job / "manifest.json").write_text(json.dumps(document))
    code, _, said = inspect(job, "--bundle", bundle)
    assert code == 0
    assert "unknown keys ignored: operator" in said


def test_usage_and_bundle_errors_have_their_codes(job: Path, bundle: Path, tmp_path: Path) -> None:
    assert inspect(tmp_path / "nowhere", "--bundle", bundle)[0] == 2
    assert inspect(job)[0] == 2
    code, _, said = inspect(job, "--bundle", tmp_path)
    assert code == 4
    assert "card.json" in said
    broken = Path(shutil.copytree(bundle, tmp_path / "broken"))
    (broken / "model.tflite").write_bytes(b"not a model")
    code, _, said = inspect(job, "--bundle", broken)
    assert code == 4
    assert "digest" in said
    code, _, said = inspect(job, "--bundle", bundle, "--operating-point", "recall-0.99")
    assert code == 4
    assert "it offers: recall-0.90, recall-0.95" in said


def test_bundle_show_and_verify(bundle: Path) -> None:
    for action, which, code, expected in (
        ("show", str(bundle), 0, '"schema": "axi-card/1"'),
        ("verify", str(bundle), 1, "signature NOT checked; whoever altered it may have altered its digests, too"),
        ("verify", "reference", 0, "signature good, 2 golden joints reproduced"),
    ):
        call = [sys.executable, "-m", "edge.cli", "bundle", action, which]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert expected in done.stdout


def as_xml(job: Path, document: Any) -> None:
    """The job as a V810 would export it, with boxes in the side file."""
    lines = [f'<BoardTestXMLExport testTime="T"><BoardXML serialNumber="{document["board"]["serial"]}"/>']
    rows = ["designator,pin,view,xmin,ymin,xmax,ymax"]
    for joint in document["joints"]:
        indicted = '<IndictmentXML indictmentType="Insufficient" jointType="PTH">'
        component = f'<ComponentXML designator="{joint["refdes"]}" pin="{joint["pin"]}"/>'
        lines.append(f"<TestXML>{indicted}{component}</IndictmentXML></TestXML>")
        rows.append(",".join(map(str, [joint["refdes"], joint["pin"], joint["view"], *joint["roi"]])))
    (job / "result.xml").write_text("".join([*lines, "</BoardTestXMLExport>"]))
    (job / "rois.csv").write_text("\n".join([*rows, ""]))


def as_table(job: Path, document: Any) -> None:
    rows = ["component,pin,type,defect_type,xmin,ymin,xmax,ymax,image"]
    for joint in document["joints"]:
        (view,) = [view for view in document["views"] if view["id"] == joint["view"]]
        for part in view["slices"]:
            cells = [joint["refdes"], joint["pin"], "PTH", "short", *joint["roi"], part["file"]]
            rows.append(",".join(map(str, cells)))
    (job / "joints.csv").write_text("\n".join([*rows, ""]))


@pytest.mark.parametrize("told", [as_xml, as_table])
def test_a_job_in_the_machines_own_words_gets_the_same_scores(job: Path, bundle: Path, told: Any) -> None:
    wanted = [verdict["p_defect"] for verdict in inspect(job, "--bundle", bundle)[1]]
    document = manifest(job)
    (job / "manifest.json").unlink()
    told(job, document)
    code, verdicts, said = inspect(job, "--bundle", bundle)
    assert code == 0, said
    assert [verdict["p_defect"] for verdict in verdicts] == wanted
    assert all(verdict["p_defect"] is not None for verdict in verdicts)
    for file in job.glob("*.csv"):
        file.write_text(file.read_text().replace("xmin", "left"))
    code, verdicts, said = inspect(job, "--bundle", bundle)
    assert code == 5
    assert "column 'xmin' is missing" in said
    assert {verdict["reason"] for verdict in verdicts} == {"job_refused"}


def test_a_board_of_which_nothing_was_flagged_is_valid_and_spoils_no_other_job(
    job: Path, bundle: Path, tmp_path: Path
) -> None:
    empty = Path(shutil.copytree(job, tmp_path / "empty"))
    (empty / "manifest.json").write_text(json.dumps({**manifest(job), "job_id": "empty", "joints": []}))
    code, verdicts, _ = inspect(empty, job, "--bundle", bundle)
    assert code == 0
    assert {verdict["job_id"] for verdict in verdicts} == {manifest(job)["job_id"]}


def test_a_table_that_names_no_type_is_judged_by_the_one_that_is_said(job: Path, bundle: Path) -> None:
    document = manifest(job)
    (job / "manifest.json").unlink()
    as_table(job, document)
    table = (job / "joints.csv").read_text()
    (job / "joints.csv").write_text(table.replace(",type,", ",kind,"))
    code, verdicts, said = inspect(job, "--bundle", bundle)
    assert (code, {verdict["reason"] for verdict in verdicts}) == (0, {"unsupported_joint_type"})
    assert "names no joint type; say it with --joint-type" in said
    assert {verdict["reason"] for verdict in inspect(job, "--bundle", bundle, "--joint-type", "PTH")[1]} <= {
        None,
        "unfamiliar",
    }


def test_what_a_manifest_says_itself_is_said_to_be_so(job: Path, bundle: Path) -> None:
    code, verdicts, said = inspect(job, "--bundle", bundle, "--joint-type", "BGA")
    assert (code, verdicts[0]["reason"] == "unsupported_joint_type") == (0, False)
    assert "--joint-type and --polarity were not looked at" in said
