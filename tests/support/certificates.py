"""A little certificate authority."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Authority:
    """Writes ``ca.pem``, and what it issues, into ``folder``; everybody may read it there."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder, self.file = folder, folder / f"{name}.pem"
        self._name = _named(name)
        self._key = generate_private_key(SECP256R1())
        self.file.write_bytes(self._sign(self._name, self._key, 10, authority=True).public_bytes(Encoding.PEM))

    def issue(self, name: str, days: float = 10) -> tuple[Path, Path]:
        """Certificate and key for 127.0.0.1, valid for ``days`` from now on (or ended so long ago)."""
        key = generate_private_key(SECP256R1())
        certificate, secret = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(self._sign(_named(name), key, days, authority=False).public_bytes(Encoding.PEM))
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, secret

    def _sign(self, name: x509.Name, key: EllipticCurvePrivateKey, days: float, *, authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=400))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self._key, SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
