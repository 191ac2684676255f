"""boto3's clients, pointed at the engine under test."""

import json

import boto3


def client_of(place, service, **options):
    """A client that signs with the engine's key; `place` is an engine as conftest starts it."""
    key = json.loads((place.data / "functions/access-key.json").read_text())
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port_of(place)}",
        region_name="us-east-1",
        aws_access_key_id=key["access_key_id"],
        aws_secret_access_key=key["secret_access_key"],
        **options,
    )


def port_of(place):
    return json.loads((place.data / "engine.json").read_text())["lambdaPort"]
