"""An embedded MQTT broker (amqtt, pure Python, MQTT 3.1.1) in a process of its own, for the demo only."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from amqtt.broker import Broker

from edge.core.errors import BrokerUnavailable

_START_S = 30.0


@contextmanager
def embedded_broker() -> Iterator[int]:
    """Run a broker on a free port of this machine; yields the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-m", "convert.demo.broker", str(port)])
    try:
        _wait_until_open(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)  # a port gives no event when it opens
        else:
            return
    raise BrokerUnavailable(f"the embedded broker did not open port {port}; name one with MQTT_URL=mqtt://host:port")


async def _serve(port: int) -> None:
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)
    asyncio.run(_serve(int(sys.argv[1])))
