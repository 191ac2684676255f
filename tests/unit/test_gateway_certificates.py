"""Certificates of Ingresses: which are served, and what is said about those that cannot be."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from grandstand.gateway.certificates import certificates_for
from grandstand.kinds import Ingress, Key, Object, view


def pair() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, *form)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), private


CHAIN, PRIVATE = pair()
_, OTHER = pair()
KEY = Key("default", "cert")


def secret(**data: bytes) -> Object:
    return {"data": {name.replace("_", "."): base64.b64encode(value).decode() for name, value in data.items()}}


def ingress(*tls: Object, name: str = "shop") -> Ingress:
    return view(Ingress, {"metadata": {"name": name, "namespace": "default"}, "spec": {"tls": list(tls)}})


def test_a_secret_that_two_ingresses_name_is_one_certificate_for_all_their_hosts() -> None:
    both = [
        ingress({"hosts": ["B.example"], "secretName": "cert"}, name="b"),
        ingress({"hosts": ["a.example"], "secretName": "cert"}, name="a"),
    ]
    [found], problems = certificates_for(both, {KEY: secret(tls_crt=CHAIN, tls_key=PRIVATE)})
    assert (found.secret, found.hosts, problems) == (KEY, ("a.example", "b.example"), ())
    assert found.pem == CHAIN + PRIVATE
    assert "PRIVATE" not in repr(found)


@pytest.mark.parametrize(
    ("secrets", "tls", "message"),
    [
        ({}, {"secretName": "cert"}, "no such Secret"),
        ({KEY: secret(tls_crt=CHAIN)}, {"secretName": "cert"}, "must be there"),
        ({KEY: secret(tls_crt=b"junk", tls_key=PRIVATE)}, {"secretName": "cert"}, "must be a PEM certificate"),
        ({KEY: secret(tls_crt=CHAIN, tls_key=b"junk")}, {"secretName": "cert"}, "PEM key"),
        ({KEY: secret(tls_crt=CHAIN, tls_key=OTHER)}, {"secretName": "cert"}, "not the key of"),
        ({}, {"hosts": ["a.example"]}, "set secretName"),
    ],
    ids=["missing", "no key", "no certificate", "bad key", "another's key", "no name"],
)
def test_problems(secrets: dict[Key, Object], tls: Object, message: str) -> None:
    found, [problem] = certificates_for([ingress(tls)], secrets)
    assert found == ()
    assert message in problem.message
    assert problem.ingress == Key("default", "shop")
