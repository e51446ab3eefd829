"""An embedded MQTT broker (amqtt, pure Python, MQTT 3.1.1) in a process of its own, for the demo only."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from amqtt.broker import Broker

from convert.demo.ports import free_port, opens
from edge.core.errors import BrokerUnavailable

_START_S = 30.0


@contextmanager
def embedded_broker() -> Iterator[int]:
    """Run a broker on a free port of this machine; yields the port. Raises BrokerUnavailable."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "convert.demo.broker", str(port)])
    try:
        if not opens(port, lambda: process.poll() is None, _START_S):
            raise BrokerUnavailable(
                f"the embedded broker did not open port {port}; name one with MQTT_URL=mqtt://host:port"
            )
        yield port
    finally:
        process.terminate()
        process.wait(10)


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
