"""A small certificate authority for one line: the broker's certificate, and devices' own."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.core.errors import ConfigError
from edge.files import read_plain, write_durably

_YEARS_AUTHORITY, _DAYS = 20, 825
"""A certificate lives as long as other programs accept one (825 days)."""


class Issued(NamedTuple):
    """PEM."""

    certificate: bytes
    key: bytes


class Authority(NamedTuple):
    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, name: str, hosts: tuple[str, ...] = ()) -> Issued:
        """For a broker under these names or addresses; for a device, which has none, by its name."""
        key = generate_private_key(SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        made = _builder(name, self.certificate.subject, key, timedelta(days=_DAYS)).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        made = made.add_extension(_may(sign=False), critical=True)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = made.add_extension(above, critical=False)
        if hosts:
            made = made.add_extension(x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False)
        return Issued(made.sign(self.key, SHA256()).public_bytes(Encoding.PEM), _secret(key))


def authority_at(certificate: Path, secret: Path, name: str) -> Authority:
    """The one that is there; made now where none is. Raises ConfigError for one that cannot be read."""
    if not secret.exists():
        return _new_authority(certificate, secret, name)
    try:
        key = load_pem_private_key(read_plain(secret), password=None)
        found = x509.load_pem_x509_certificate(read_plain(certificate))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{secret}: {error}; put back the authority's two files, or remove both") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ConfigError(f"{secret}: no key of this authority; put back the authority's two files, or remove both")
    return Authority(found, key)


def _new_authority(certificate: Path, secret: Path, name: str) -> Authority:
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = _builder(name, subject, key, timedelta(days=365 * _YEARS_AUTHORITY))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signed = made.add_extension(_may(sign=True), critical=True).sign(key, SHA256())
    write_durably(secret, _secret(key), 0o600)
    write_durably(certificate, signed.public_bytes(Encoding.PEM), 0o644)
    return Authority(signed, key)


def _builder(name: str, issuer: x509.Name, key: EllipticCurvePrivateKey, lasts: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks beside each other differ
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _may(*, sign: bool) -> x509.KeyUsage:
    """Sign certificates, or keep a connection."""
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _secret(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
