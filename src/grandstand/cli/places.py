"""Say where an engine's gateway, API, kubeconfig and log are, to people and to programs."""

from __future__ import annotations

from grandstand.engine import Engine


def places(engine: Engine) -> dict[str, str]:
    """For programs: what `grandstand up --detach -o json` prints."""
    return {
        "gateway": f"http://127.0.0.1:{engine.gateway_port}",
        "gatewayTLS": f"https://127.0.0.1:{engine.gateway_tls_port}",
        "api": f"https://127.0.0.1:{engine.api_port}",
        "lambda": f"http://127.0.0.1:{engine.lambda_port}",
        "kubeconfig": str(engine.kubeconfig),
        "data": str(engine.data),
    }


def describe(engine: Engine, head: str) -> str:
    """For people, below a first line."""
    return "\n".join(
        (
            head,
            f"  gateway      http://<service>.<namespace>.localhost:{engine.gateway_port}",
            f"  API          https://127.0.0.1:{engine.api_port}",
            f"  AWS Lambda   http://127.0.0.1:{engine.lambda_port}",
            f"  kubeconfig   {engine.kubeconfig}",
            f"  data, log    {engine.data}, {engine.data / 'engine.log'}",
        )
    )
