"""Services and Ingresses from outside, and what a rollout costs: nothing."""

import base64
import datetime
import json
import subprocess

import processes
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from load import Load
from space import deployment, eventually, payment, service


def curl(url, *arguments):
    """What curl prints, followed by the status code."""
    command = ["curl", "--silent", "--show-error", "--max-time", "10", "--write-out", "\n%{http_code}", *arguments, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    body, _, code = done.stdout.rpartition("\n")
    return int(code or 0), body


def ingress(*rules, tls=()):
    spec = {"rules": list(rules), "tls": list(tls)}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}, "spec": spec}


def rule(host, *paths):
    return {"host": host, "http": {"paths": list(paths)}}


def path(text, name, kind="Prefix"):
    return {"path": text, "pathType": kind, "backend": {"service": {"name": name, "port": {"name": "http"}}}}


@pytest.fixture
def web(space):
    """A Deployment `web` of the payment service, and its Service."""
    space.apply(deployment("web", payment(), replicas=2), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    return space


def test_a_service_by_its_own_host(web, engine):
    url = f"http://web.{web.name}.localhost:{engine.gateway_port}/"
    eventually(lambda: curl(url)[0] == 200, "the gateway answers for the Service")
    pods = {p["metadata"]["name"] for p in web.get("pods")}
    assert {json.loads(curl(url)[1])["pod"] for _ in range(20)} == pods
    code, body = curl(f"{url}payments", "--data", '{"card": "4111 1111 1111 1111", "amount": "1", "currency": "EUR"}')
    assert (code, json.loads(body)["status"]) == (201, "approved")


def test_an_unknown_host_is_told_so(web, engine):
    code, body = curl(f"http://nobody.{web.name}.localhost:{engine.gateway_port}/")
    assert code == 404
    assert body.strip()


def test_a_service_without_pods_is_unavailable(space, engine):
    space.apply(service("empty"))
    url = f"http://empty.{space.name}.localhost:{engine.gateway_port}/"
    eventually(lambda: curl(url)[0] == 503, "503 for a Service without Pods")


def test_ingress_hosts_and_paths(web, engine):
    web.apply(deployment("v2", payment("payment-app:v2")), service("v2"))
    web.kubectl("rollout", "status", "deployment/v2")
    host = f"{web.name}.example.com"
    web.apply(ingress(rule(host, path("/", "web"), path("/payments", "v2"), path("/healthz", "v2", "Exact"))))
    gateway = f"http://127.0.0.1:{engine.gateway_port}"

    def ask(where, *more):
        return curl(gateway + where, "--header", f"Host: {host}", *more)

    eventually(lambda: ask("/")[0] == 200, "the Ingress works")
    assert json.loads(ask("/")[1])["version"] == "v1"
    paid = ask("/payments", "--data", '{"card": "4111 1111 1111 1111", "amount": "1", "currency": "EUR"}')
    assert json.loads(paid[1])["version"] == "v2"
    assert ask("/paymentsandmore")[0] == 404  # of v1: prefixes match whole elements
    assert ask("/healthz")[0] == 200
    assert curl(gateway, "--header", "Host: other.example.com")[0] == 404
    eventually(lambda: web.get("ingress", "i")["status"]["loadBalancer"], "the Ingress has an address")
    web.kubectl("delete", "ingress", "i")
    eventually(lambda: ask("/")[0] == 404, "the Ingress is gone")


def certificate(host):
    """A certificate that signs itself, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def test_ingress_tls_with_the_certificate_of_a_secret(web, engine, tmp_path):
    host = f"{web.name}.example.com"
    public, private = certificate(host)
    data = {"tls.crt": base64.b64encode(public).decode(), "tls.key": base64.b64encode(private).decode()}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tls"},
        "type": "kubernetes.io/tls",
        "data": data,
    }
    web.apply(secret, ingress(rule(host, path("/", "web")), tls=[{"hosts": [host], "secretName": "tls"}]))
    (tmp_path / "ca.pem").write_bytes(public)
    port = engine.gateway_tls.rsplit(":", 1)[1]
    arguments = ("--cacert", str(tmp_path / "ca.pem"), "--resolve", f"{host}:{port}:127.0.0.1")
    eventually(lambda: curl(f"https://{host}:{port}/", *arguments)[0] == 200, "TLS with our certificate")


@pytest.mark.parametrize("replicas", [1, 3])
def test_rolling_update_and_undo_under_load_lose_nothing(space, engine, replicas):
    space.apply(deployment("web", payment(), replicas=replicas), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    host = f"web.{space.name}.localhost"
    eventually(lambda: curl(engine.gateway, "--header", f"Host: {host}")[0] == 200, "the gateway answers")
    with Load(engine.gateway, host) as load:
        space.kubectl("set", "image", "deployment/web", "payment=payment-app:v2")
        space.kubectl("rollout", "status", "deployment/web")
        space.kubectl("rollout", "undo", "deployment/web")
        space.kubectl("rollout", "status", "deployment/web")
        space.kubectl("wait", "--for=jsonpath={.status.replicas}=" + str(replicas), "deployment/web")
    assert load.answers.failures == {}
    assert load.answers.by_status[200] > 100


def test_scaling_down_under_load_loses_nothing(space, engine):
    space.apply(deployment("web", payment(), replicas=4), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    host = f"web.{space.name}.localhost"
    eventually(lambda: curl(engine.gateway, "--header", f"Host: {host}")[0] == 200, "the gateway answers")
    with Load(engine.gateway, host) as load:
        space.kubectl("scale", "deployment/web", "--replicas=1")
        eventually(lambda: len(space.get("pods")) == 1, "one Pod is left", 60)
    assert load.answers.failures == {}


def test_a_pod_that_dies_under_load_costs_little(space, engine):
    """A crash may break the requests that it was answering; the others go to the living."""
    space.apply(deployment("web", payment(), replicas=3), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    host = f"web.{space.name}.localhost"
    eventually(lambda: curl(engine.gateway, "--header", f"Host: {host}")[0] == 200, "the gateway answers")
    victim = space.get("pods")[0]
    with Load(engine.gateway, host) as load:
        processes.kill(victim)
        name = victim["metadata"]["name"]
        space.wait(f"pod/{name}", "jsonpath={.status.containerStatuses[0].restartCount}=1")
        space.wait(f"pod/{name}")
    assert sum(n for status, n in load.answers.by_status.items() if status != 200) <= 3, load.answers
    assert load.answers.errors == []
