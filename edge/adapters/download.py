"""Files of a bundle from a folder or a web server (HTTPS), taken up again where a transfer broke off."""

from __future__ import annotations

import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import quote, urlsplit

from edge.core.errors import BundleRefused, UsageError

_CHUNK = 1 << 16
_PATIENCE_S = 30.0
_PARTIAL, _NOTHING_LEFT = 206, 416
Progress = Callable[[str, int], None]
"""Told the name of a file and how many bytes of it are here."""


class Source(Protocol):
    """Where a bundle's files are."""

    def small(self, name: str, limit: int) -> bytes:
        """A file of at most so many bytes. Raises BundleRefused."""

    def into(self, name: str, target: Path, limit: int, progress: Progress) -> None:
        """A file, appended to what is in ``target`` already, which is its beginning. Raises BundleRefused."""


def source_of(text: str, ca_file: str = "") -> Source:
    """A web address or a folder. Raises UsageError for what is neither."""
    if text.startswith("https://"):
        return WebSource(text, ca_file)
    if "://" in text:
        raise UsageError(f"{text}: https:// or a folder; nothing else is fetched from")
    if Path(text).is_file():
        raise UsageError(f"{text}: a file; unpack it, and name the folder NAME-VERSION in it")
    if not Path(text).is_dir():
        raise UsageError(f"{text}: no such folder; name a bundle's folder, or its https:// address")
    return FolderSource(Path(text))


class FolderSource:
    """Another folder: a stick, a share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def small(self, name: str, limit: int) -> bytes:
        try:
            with (self._folder / name).open("rb") as stream:
                return _all(stream, name, limit)
        except OSError as error:
            raise BundleRefused(
                f"{self._folder / name}: {error.strerror or error}; name the folder of a whole bundle, NAME-VERSION"
            ) from error

    def into(self, name: str, target: Path, limit: int, progress: Progress) -> None:
        try:
            with (self._folder / name).open("rb") as stream, target.open("ab") as out:
                stream.seek(out.tell())
                _pour(stream, out, name, limit, progress)
        except OSError as error:
            raise BundleRefused(f"{self._folder / name}: {error.strerror or error}; fetch it again") from error


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows to no other kind of address."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError(f"it leads on to {newurl}, which is not https://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class WebSource:
    """``ca_file``: PEM of the authority of the server's certificate; empty: those that the system trusts."""

    def __init__(self, address: str, ca_file: str = "") -> None:
        self._address = address.rstrip("/")
        try:
            context = ssl.create_default_context(cafile=ca_file or None)
            if ca_file:  # a plant's own authority need not be one that newer Pythons find in order
                context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        except OSError as error:
            raise UsageError(f"{ca_file}: {error}; name a readable PEM certificate") from error
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _HttpsOnly())

    def small(self, name: str, limit: int) -> bytes:
        where = self._where(name)
        try:
            with self._opener.open(where, timeout=_PATIENCE_S) as answer:
                return _all(answer, where, limit)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _refused(where, error) from error

    def into(self, name: str, target: Path, limit: int, progress: Progress) -> None:
        where = self._where(name)
        have = target.stat().st_size if target.exists() else 0
        request = urllib.request.Request(where, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 - https
        try:
            with self._opener.open(request, timeout=_PATIENCE_S) as answer, target.open("ab") as out:
                if have and not _goes_on(answer, have):
                    out.truncate(0)
                _pour(answer, out, name, limit, progress)
                if answer.length:
                    raise ConnectionError("the transfer broke off")
        except urllib.error.HTTPError as error:
            if error.code != _NOTHING_LEFT or not have:
                raise _refused(where, error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _refused(where, error) from error

    def _where(self, name: str) -> str:
        return f"{self._address}/{quote(name)}" if name else self._address


def _goes_on(answer: http.client.HTTPResponse, have: int) -> bool:
    """Does it answer with what is missing? Many servers begin anew."""
    said = answer.headers.get("Content-Range", "")
    return answer.status == _PARTIAL and said.startswith(f"bytes {have}-")


def _refused(where: str, error: Exception) -> BundleRefused:
    reason = getattr(error, "reason", None) or error
    remedy = "what is here already stays: fetch it again"
    if isinstance(error, urllib.error.HTTPError):
        remedy = "name the address of a bundle's folder, NAME-VERSION, as a browser would find card.json below it"
    elif not isinstance(error, ConnectionError):
        remedy = f"is there a web server, and trusted (--ca-file)? {remedy}"
    return BundleRefused(f"{where}: {reason}; {remedy}")


def _all(stream: IO[bytes], where: str, limit: int) -> bytes:
    found = stream.read(limit + 1)
    if len(found) > limit:
        raise BundleRefused(f"{where}: larger than {limit} bytes; name a bundle")
    return found


def _pour(stream: IO[bytes], out: IO[bytes], name: str, limit: int, progress: Progress) -> None:
    while chunk := stream.read(_CHUNK):
        if out.tell() + len(chunk) > limit:
            raise BundleRefused(f"{name}: larger than {limit >> 20} MB; name a bundle")
        out.write(chunk)
        progress(name, out.tell())
    out.flush()
    os.fsync(out.fileno())
