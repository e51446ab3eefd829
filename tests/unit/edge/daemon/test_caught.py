"""Signals reach the daemon whatever its threads are doing; none ends it on the spot."""

import signal
import subprocess
import sys
import textwrap

import pytest

_PROCESS = """
    import sys, threading
    from edge.daemon.caught import catch_signals

    threading.Thread(target=threading.Event().wait, daemon=True).start()  # as libraries do, before signals are caught
    caught = catch_signals()
    print("catching", flush=True)
    sys.stdin.readline()  # not waiting for signals while they are sent
    while (signal := caught.wait(0.0)) is not None:
        print(signal.name, flush=True)
    print("none", flush=True)
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_comes_while_nobody_waits_is_kept(sent: signal.Signals) -> None:
    command = [sys.executable, "-c", textwrap.dedent(_PROCESS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "catching\n"
        process.send_signal(sent)
        answer, _ = process.communicate("\n", timeout=30)
    assert answer.split() == [sent.name, "none"]
    assert process.returncode == 0
