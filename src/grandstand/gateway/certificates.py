"""Find the certificates that Ingresses name: Ingresses and Secrets in, certificates and problems out. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from grandstand.kinds import Ingress, Key, Object

from .routes import is_ours


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain with its key as PEM, for some hosts; without hosts, for those that the certificate names."""

    secret: Key
    hosts: tuple[str, ...]
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a certificate of an Ingress cannot be served, and what to do."""

    ingress: Key
    message: str


def certificates_for(
    ingresses: Iterable[Ingress], secrets: Mapping[Key, Object]
) -> tuple[tuple[Certificate, ...], tuple[Problem, ...]]:
    """The certificates of all our Ingresses, each Secret once, and what is wrong with others."""
    hosts: dict[Key, set[str]] = {}
    pems: dict[Key, bytes] = {}
    problems: list[Problem] = []
    for ingress in sorted((each for each in ingresses if is_ours(each)), key=lambda each: each.metadata.key):
        for tls in ingress.spec.tls:
            if not tls.secret_name:
                problems.append(Problem(ingress.metadata.key, "spec.tls names no Secret: set secretName"))
                continue
            key = Key(ingress.metadata.namespace, tls.secret_name)
            try:
                pems[key] = _pem_of(secrets.get(key))
            except ValueError as error:
                problems.append(Problem(ingress.metadata.key, f"Secret {key}: {error}"))
                continue
            hosts.setdefault(key, set()).update(host.lower() for host in tls.hosts)
    found = (Certificate(key, tuple(sorted(hosts[key])), pems[key]) for key in sorted(pems))
    return tuple(found), tuple(problems)


def _pem_of(secret: Object | None) -> bytes:
    """Chain and key of a TLS Secret. Raises ValueError that says what is wrong: HAProxy would refuse it all."""
    if secret is None:
        raise ValueError("there is no such Secret of type kubernetes.io/tls; create it with tls.crt and tls.key")
    data = secret.get("data") or {}
    try:
        chain, key = (base64.b64decode(data[name], validate=True) for name in ("tls.crt", "tls.key"))
    except (KeyError, binascii.Error) as error:
        raise ValueError("tls.crt and tls.key must be there, in base64") from error
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("tls.crt must be a PEM certificate, and tls.key its PEM key without a password") from error
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if certificate.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        raise ValueError("tls.key is not the key of tls.crt; put the pair in that belongs together")
    return chain.strip() + b"\n" + key.strip() + b"\n"
