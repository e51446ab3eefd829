"""A web server over TLS that serves a folder, with ranges, and can break off."""

from __future__ import annotations

import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.certificates import Authority


class WebServer:
    """``asked``: (path, its Range header); ``breaks_after``: bytes of an answer, once; ``ranges``: does it know them;
    ``moved``: addresses that lead elsewhere.
    """

    def __init__(self, folder: Path, work: Path) -> None:
        self.authority = Authority(work)
        certificate, key = self.authority.issue("web")
        self.asked, self.moved = list[tuple[str, str]](), dict[str, str]()
        self.breaks_after: int | None = None
        self.ranges = True
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, folder: Path) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = self.headers.get("Range", "")
                server.asked.append((self.path, said))
                if self.path in server.moved:
                    self.send_response(302)
                    self.send_header("Location", server.moved[self.path])
                    self.end_headers()
                    return
                path = folder / self.path.lstrip("/")
                if not path.is_file():
                    self.send_error(404)
                    return
                content = path.read_bytes()
                first = re.fullmatch(r"bytes=(\d+)-", said) if server.ranges else None
                start = int(first[1]) if first else 0
                if first and start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if first else 200)
                if first:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                part = content[start:]
                if server.breaks_after is not None and len(part) > server.breaks_after:
                    part, server.breaks_after = part[: server.breaks_after], None
                self.wfile.write(part)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
                pass

        return Handler
