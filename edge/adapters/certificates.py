"""Certificates out of files that people name."""

from __future__ import annotations

from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates

from edge.core.errors import ConfigError
from edge.files import read_plain


def certificates_in(path: str, named: str) -> list[Certificate]:
    """Those of a PEM file; ``named``: the key or flag that names it, for the error. Raises ConfigError."""
    remedy = "name a readable PEM certificate"
    try:
        return load_pem_x509_certificates(read_plain(Path(path)))
    except OSError as error:
        raise ConfigError(f"{named}: {path}: {error.strerror or error}; {remedy}") from error
    except ValueError as error:
        raise ConfigError(f"{named}: {path}: holds no PEM certificate; {remedy}") from error
