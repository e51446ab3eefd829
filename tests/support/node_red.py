"""A real Node-RED with the flow that ships, in a user directory of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from convert.demo.ports import free_port, opens

ROOT = Path(__file__).parents[2]
FLOW = ROOT / "firmware_cfg" / "dashboards" / "node-red.json"
_PROGRAM = ROOT / "build" / "node-red" / "node_modules" / "node-red" / "red.js"
_SETTINGS = """module.exports = {
    uiHost: "127.0.0.1",
    flowFile: "flows.json",
    credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false },
    externalModules: { autoInstall: false, palette: { allowInstall: false, allowUpload: false } },
    editorTheme: { tours: false, palette: { catalogues: [] }, projects: { enabled: false } },
};
"""


def missing() -> str:
    """Why there is no Node-RED here; empty where there is."""
    if shutil.which("node") is None:
        return "Node.js is not installed here: apt-get install nodejs npm"
    return "" if _PROGRAM.exists() else "Node-RED is not installed here: make node-red"


class NodeRed:
    """``base``: the device's base topic."""

    def __init__(self, folder: Path, broker_port: int, base: str) -> None:
        folder.mkdir()
        self.port, self._log = free_port(), folder / "log"
        (folder / "settings.js").write_text(_SETTINGS)
        shutil.copy(FLOW, folder / "flows.json")
        where = {"AXI_BROKER": "127.0.0.1", "AXI_PORT": str(broker_port), "AXI_BASE": base, "NO_UPDATE_NOTIFIER": "1"}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["node", str(_PROGRAM), "-u", str(folder), "-p", str(self.port)],
                stdout=log,
                stderr=log,
                env={**os.environ, **where},
            )
        assert opens(self.port, lambda: self._process.poll() is None, 60), self.log

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/dashboard"

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
