"""The demo's story: simulate a line, convert and gate the shipped network, run the daemon, watch the verdicts."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from rich.table import Table

from convert.cli import main as axi_convert
from convert.commands.keys import make_keys
from convert.demo.broker import embedded_broker
from convert.demo.listener import Address, parse_url, verdicts_from
from convert.lots.truth import TruthRow, read_truth
from convert.reference.plans import SEED as SHIPPED_SEED
from convert.reports.terminal import console
from convert.shipped.paths import SHIPPED
from edge.core.errors import AxiError
from edge.core.payloads import VerdictPayload
from edge.core.verdict import Call, Route

SEED = 7
BASE = "demo/line1/axi1"
_SILENCE_S = 60.0

_RECIPE = """\
[bundle]
name = "cnn3d-demo"
version = "0.1.0"

[source]
model = "{model}"
network = "cnn3d"
seed = {seed}

[calibration]
lot = "calibration"
joints = 96

[validation]
lot = "validation"
recalls = [0.90, 0.95]

[evaluation]
lot = "held-out"
golden = 8
everywhere = 24

[budget]
max_auroc_drop = 0.005
# On so few held-out joints one flip weighs 0.8 %, one defect 2.8 %; a real build keeps to the defaults.
max_flipped = 0.03
max_recall_drop = 0.06

[signing]
key = "signing.pem"
"""

_CONFIG = """\
[device]
name = "axi1"

[spool]
path = "{work}/spool"
poll_s = 0.05

[journal]
path = "{work}/state/journal.db"

[model]
bundle = "{bundle}"
public_key_file = "{work}/signing.pub"

[inference]
threads = {threads}

[mqtt]
base_topic = "{base}"
host = "{host}"
port = {port}
version = "3.1.1"
"""


def main() -> int:
    """Run the demo; exit 0 when as many verdicts arrived as joints went in."""
    started = time.monotonic()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="axi-demo-")))
        console.rule("shipped 3D CNN -> int8 bundle, gated on simulated joints")
        bundle = _make_bundle(work)
        console.rule("the line: job folders -> daemon -> broker")
        url = os.environ.get("MQTT_URL")
        address = parse_url(url) if url else Address("127.0.0.1", stack.enter_context(embedded_broker()))
        console.print(f"broker: {address.host}:{address.port} ({'MQTT_URL' if url else 'embedded'})")
        truth = read_truth(work / "line")
        arrived = stack.enter_context(verdicts_from(address, BASE))
        with _daemon(work, bundle, address):
            _hand_over(work / "line", work / "spool" / "incoming")
            verdicts = _watch(arrived, truth, started)
        whole = _summary(verdicts, truth)
    console.print(f"done in {time.monotonic() - started:.0f} s")
    return 0 if whole else 1


def _make_bundle(work: Path) -> Path:
    """Simulate lots of board types that the shipped network never saw, convert it and gate it."""
    lots = (
        ("calibration", 8, 96, 300, 8, 0.50, "patches"),
        ("validation", 4, 120, 320, 4, 0.30, "patches"),
        ("held-out", 4, 120, 330, 4, 0.30, "jobs"),
    )
    for number, (name, boards, joints, first_type, types, share, form) in enumerate(lots):
        words = f"simulate --out {work / name} --boards {boards} --joints {joints} --seed {SEED + number}"
        _command(f"{words} --first-type {first_type} --types {types} --form {form} --defect-share {share}")
    make_keys(work)
    recipe = work / "recipe.toml"
    recipe.write_text(_RECIPE.format(seed=SHIPPED_SEED, model=SHIPPED["cnn3d-factorised"]))
    line = f"simulate --out {work / 'line'} --boards 6 --joints 120 --seed {SEED + 3} --first-type 340 --types 3"
    with _meanwhile(line):
        _command(f"build {recipe} --out {work / 'bundles'}")
    return work / "bundles" / "cnn3d-demo-0.1.0"


@contextmanager
def _meanwhile(words: str) -> Iterator[None]:
    """Run a command beside the block, quietly; it must end well."""
    console.print(f"[bold]$ axi-convert {words} &[/bold]", soft_wrap=True, highlight=False)
    process = subprocess.Popen([sys.executable, "-m", "convert.cli", *words.split()], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        code = process.wait(300)
    if code:
        raise SystemExit(f"axi-convert {words} ended with exit code {code}")


def _command(words: str) -> None:
    console.print(f"[bold]$ axi-convert {words}[/bold]", soft_wrap=True, highlight=False)
    code = axi_convert(words.split())
    if code:
        raise SystemExit(code)


@contextmanager
def _daemon(work: Path, bundle: Path, address: Address) -> Iterator[None]:
    """``axi-edge run`` as a process of its own; SIGTERM at the end, and it must end well."""
    config = work / "axi-edge.toml"
    threads = os.cpu_count() or 1
    config.write_text(
        _CONFIG.format(work=work, bundle=bundle, base=BASE, host=address.host, port=address.port, threads=threads)
    )
    (work / "spool" / "incoming").mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "-m", "edge.cli", "run", "--config", str(config)])
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    if code:
        raise SystemExit(f"the daemon ended with exit code {code}")


def _hand_over(line: Path, incoming: Path) -> None:
    """Copy each job under a .tmp name, then let it appear by one rename, as the machine does."""
    for job in sorted(path for path in line.iterdir() if path.is_dir()):
        unfinished = incoming / f"{job.name}.tmp"
        shutil.copytree(job, unfinished)
        unfinished.rename(incoming / job.name)


def _watch(
    arrived: queue.Queue[VerdictPayload], truth: dict[tuple[str, str], TruthRow], started: float
) -> dict[str, VerdictPayload]:
    """Print each new verdict with the truth beside it until all are there, or the line falls silent."""
    verdicts: dict[str, VerdictPayload] = {}
    console.print(
        "[bold]job       joint machine      p_defect verdict  route      truth            ms[/bold]", highlight=False
    )
    colours = {Call.NORMAL: "green", Call.DEFECT: "red", Call.UNJUDGED: "yellow"}
    while len(verdicts) < len(truth):
        try:
            payload = arrived.get(timeout=_SILENCE_S)
        except queue.Empty:
            console.print(f"[red]no verdict for {_SILENCE_S:.0f} s[/red]")
            break
        if payload.event_id in verdicts:
            continue
        if not verdicts:
            console.print(f"first verdict {time.monotonic() - started:.0f} s after the demo began", highlight=False)
        verdicts[payload.event_id] = payload
        row = truth[payload.job_id, payload.joint]
        score = "       -" if payload.p_defect is None else f"{payload.p_defect:8.3f}"
        called = payload.machine_call.name if payload.machine_call else ""
        verdict = f"[{colours[payload.verdict]}]{payload.verdict:<9}[/]"
        console.print(
            f"{payload.job_id} {payload.joint:<6}{called:<13}{score} {verdict}{payload.route:<11}{row.truth:<13}"
            f"{payload.latency_ms:6.1f} {_note(payload, row)}",
            highlight=False,
            soft_wrap=True,
        )
    return verdicts


def _note(payload: VerdictPayload, row: TruthRow) -> str:
    if payload.route is Route.RELEASE and row.label:
        return "[bold red]escape[/bold red]"
    return "[dim]false call[/dim]" if payload.route is Route.SPECIALIST and not row.label else ""


def _summary(verdicts: dict[str, VerdictPayload], truth: dict[tuple[str, str], TruthRow]) -> bool:
    """Print the summary table; True when every joint has exactly one verdict."""
    payloads = list(verdicts.values())
    labels = {key: row.label for key, row in truth.items()}
    released = [one for one in payloads if one.route is Route.RELEASE]
    specialist = [one for one in payloads if one.route is Route.SPECIALIST]
    defects = sum(labels.values())
    latency = np.array([one.latency_ms for one in payloads]) if payloads else np.array([np.nan])
    table = Table(title="the line's lot (simulated: not comparable to the paper)", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in (
        ("joints handed over", f"{len(truth)} ({defects} defects)"),
        ("decided", f"{len(payloads)}"),
        ("released", f"{len(released)}"),
        ("sent to the specialist", f"{len(specialist)}"),
        ("escapes (defects released)", f"{sum(labels[one.job_id, one.joint] for one in released)}"),
        (
            "false calls (normals sent on)",
            f"{sum(1 - labels[one.job_id, one.joint] for one in specialist)} of {len(truth) - defects}",
        ),
        ("latency, median", f"{np.median(latency):.1f} ms"),
        ("latency, p99", f"{np.percentile(latency, 99):.1f} ms"),
    ):
        table.add_row(name, value)
    console.print(table)
    distinct = {(one.job_id, one.joint) for one in payloads}
    return len(payloads) == len(truth) == len(distinct)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AxiError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
