"""The demo's screen: each verdict as it arrives, with the truth beside it, and what they add up to."""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping

import numpy as np

from convert.lots.truth import TruthRow
from convert.reports.pages import Table
from convert.reports.terminal import console, show
from edge.core.payloads import VerdictPayload
from edge.core.verdict import Call, Route

_SILENCE_S = 60.0
_COLOURS = {Call.NORMAL: "green", Call.DEFECT: "red", Call.UNJUDGED: "yellow"}

_HEADING = "job       joint machine     p_def. verdict      route      truth            ms"
"""What stands above the lines; a defect's verdict is its kind, where the network tells."""

Truth = Mapping[tuple[str, str], TruthRow]


def watch(arrived: queue.Queue[VerdictPayload], truth: Truth, started: float) -> list[VerdictPayload]:
    """Print each new verdict until all are there, or the line falls silent."""
    verdicts: dict[str, VerdictPayload] = {}
    while len(verdicts) < len(truth):
        try:
            payload = arrived.get(timeout=_SILENCE_S)
        except queue.Empty:
            console.print(f"[red]no verdict for {_SILENCE_S:.0f} s[/red]", markup=True)
            break
        if payload.event_id in verdicts:
            continue
        if not verdicts:
            of = f", of {payload.model.name} {payload.model.version}" if payload.model else ""
            console.print(f"first verdict {time.monotonic() - started:.0f} s after the demo began{of}", highlight=False)
            console.print(f"[bold]{_HEADING}[/bold]", markup=True, highlight=False, soft_wrap=True)
        verdicts[payload.event_id] = payload
        _print(payload, truth[payload.job_id, payload.joint])
    return list(verdicts.values())


def _print(payload: VerdictPayload, row: TruthRow) -> None:
    score = "     -" if payload.p_defect is None else f"{payload.p_defect:6.3f}"
    called = payload.machine_call.name if payload.machine_call else ""
    verdict = payload.defect_class.name if payload.defect_class else str(payload.verdict)
    console.print(
        f"{payload.job_id} {payload.joint:<6}{called:<13}{score} [{_COLOURS[payload.verdict]}]{verdict:<13}[/]"
        f"{payload.route:<11}{row.truth:<13}{payload.latency_ms:6.1f} {_note(payload, row)}",
        markup=True,
        highlight=False,
        soft_wrap=True,
    )


def _note(payload: VerdictPayload, row: TruthRow) -> str:
    if payload.route is Route.RELEASE and row.label:
        return "[bold red]escape[/bold red]"
    return "[dim]false call[/dim]" if payload.route is Route.SPECIALIST and not row.label else ""


def sum_up(verdicts: list[VerdictPayload], truth: Truth) -> bool:
    """Print the summary table; True when every joint has exactly one verdict."""
    labels = {Route.RELEASE: list[int](), Route.SPECIALIST: list[int]()}
    for payload in verdicts:
        labels[payload.route].append(truth[payload.job_id, payload.joint].label)
    released, sent = labels[Route.RELEASE], labels[Route.SPECIALIST]
    defects = sum(row.label for row in truth.values())
    latency = np.array([payload.latency_ms for payload in verdicts] or [np.nan])
    rows = (
        ("joints handed over", f"{len(truth)} ({defects} defects)"),
        ("decided", f"{len(verdicts)}"),
        ("released", f"{len(released)}"),
        ("sent to the specialist", f"{len(sent)}"),
        ("escapes (defects released)", f"{sum(released)}"),
        ("false calls (normals sent on)", f"{len(sent) - sum(sent)} of {len(truth) - defects}"),
        ("latency, median", f"{np.median(latency):.1f} ms"),
        ("latency, p99", f"{np.percentile(latency, 99):.1f} ms"),
    )
    show([Table("the line's lot (simulated: not comparable to the paper)", "", ("figure", "value"), rows)])
    distinct = {(payload.job_id, payload.joint) for payload in verdicts}
    return len(verdicts) == len(truth) == len(distinct)
