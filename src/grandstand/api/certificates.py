"""Make the API's certificate authority and server certificate, and renew them before they end.

Runs as a program of its own (`python -m grandstand.api.certificates`): the library that makes certificates takes 10 MB
of memory and a tenth of a second to import, and is needed once in two months.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from grandstand.private_files import make_directory, write_private

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

AUTHORITY_DAYS = 3650
SERVER_DAYS = 90
RENEWED_BEFORE = 1 / 3
"""A certificate is renewed when less than this part of its time is left."""

SKEW = timedelta(minutes=5)
"""Certificates are valid from a little before now, for clocks that are behind."""


class Issued(msgspec.Struct):
    """What was issued, beside the certificates: reading it needs no cryptography."""

    authority_ends: float
    server_ends: float
    names: list[str]


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files of the API's certificates in a directory."""

    directory: Path

    @property
    def authority(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def authority_key(self) -> Path:
        return self.directory / "ca.key"

    @property
    def server(self) -> Path:
        """The certificate and, behind it, its key."""
        return self.directory / "server.pem"

    @property
    def issued(self) -> Path:
        return self.directory / "issued.json"

    def due(self, names: Sequence[str], now: float) -> bool:
        """Whether a certificate is missing, near its end, or for other names than these."""
        issued = self.read()
        files = (self.authority, self.authority_key, self.server)
        if issued is None or not all(path.exists() for path in files) or issued.names != list(names):
            return True
        return _is_due(issued.server_ends, SERVER_DAYS, now) or _is_due(issued.authority_ends, AUTHORITY_DAYS, now)

    def read(self) -> Issued | None:
        try:
            return msgspec.json.decode(self.issued.read_bytes(), type=Issued)
        except (OSError, msgspec.DecodeError):
            return None


def _is_due(ends: float, days: int, now: float) -> bool:
    return ends - now < timedelta(days=days).total_seconds() * RENEWED_BEFORE


def renew(certificates: Certificates, names: Sequence[str], now: float) -> None:
    """Issue the server certificate anew, and the authority's where that is due.

    The authority keeps its key and name, so that clients which know its old certificate go on trusting the server.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    make_directory(certificates.directory)
    issued = certificates.read()
    moment = datetime.fromtimestamp(now, UTC)
    key = _authority_key(certificates)
    authority_ends = issued.authority_ends if issued else 0.0
    if not certificates.authority.exists() or _is_due(authority_ends, AUTHORITY_DAYS, now):
        end = moment + timedelta(days=AUTHORITY_DAYS)
        write_private(certificates.authority, _pem(_authority(key, moment, end)))
        authority_ends = end.timestamp()
    server_key = ec.generate_private_key(ec.SECP256R1())
    end = min(moment + timedelta(days=SERVER_DAYS), datetime.fromtimestamp(authority_ends, UTC))
    certificate = _server(key, server_key, names, moment, end)
    write_private(certificates.server, _pem(certificate) + _key_pem(server_key))
    write_private(certificates.issued, msgspec.json.encode(Issued(authority_ends, end.timestamp(), list(names))))


def _authority_key(certificates: Certificates) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if certificates.authority_key.exists():
        key = load_pem_private_key(certificates.authority_key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "the authority's key is one of ours"
        return key
    key = ec.generate_private_key(ec.SECP256R1())
    # The key first: a certificate without it could never be renewed.
    certificates.authority.unlink(missing_ok=True)
    write_private(certificates.authority_key, _key_pem(key))
    return key


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, key: EllipticCurvePrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(key: EllipticCurvePrivateKey, start: datetime, end: datetime) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _name("grandstand-ca")
    return (
        _builder(name, key, start, end)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(
    authority_key: EllipticCurvePrivateKey,
    key: EllipticCurvePrivateKey,
    names: Sequence[str],
    start: datetime,
    end: datetime,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    return (
        _builder(_name("grandstand-api"), key, start, end)
        .issuer_name(_name("grandstand-ca"))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _alternative(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


if __name__ == "__main__":
    renew(Certificates(Path(sys.argv[1])), sys.argv[3:], float(sys.argv[2]))
