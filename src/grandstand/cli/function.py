"""`grandstand function`: make, deploy, call and remove functions, through Lambda's API."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from grandstand.clock import SystemClock, rfc3339
from grandstand.errors import BadRequest
from grandstand.functions.calling import LambdaCaller

from .function_deploy import FUNCTIONS, Asked, deploy_folder
from .function_watch import deploy_on_save
from .logs import Duration
from .options import data_option, option, output_option

PYTHON_TEXT = """\
def handler(event, context):
    return {"statusCode": 200, "body": "Hello from Serverless!"}
"""
NODE_TEXT = """\
exports.handler = async (event) => {
  return { statusCode: 200, body: 'Hello from Serverless!' };
};
"""


@click.group()
def function() -> None:
    """Run AWS Lambda handlers: deploy a folder, call it, read its log."""


@function.command()
@click.argument("name")
@option(
    "--language", type=click.Choice(["python", "nodejs"]), default="python", show_default=True, help="The language."
)
def init(name: str, language: str) -> None:
    """Make a folder with a handler that works."""
    folder = Path(name)
    if folder.exists():
        raise BadRequest(f"{folder} is there already: choose another name, or remove it")
    folder.mkdir()
    file, text = ("app.py", PYTHON_TEXT) if language == "python" else ("index.js", NODE_TEXT)
    (folder / file).write_text(text)
    click.echo(f"{folder / file} is written. Deploy it: grandstand function deploy {folder}")


@function.command()
@data_option
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path())
@option("--name", help="The function's name [default: the folder's].")
@option("--handler", help="As Lambda writes it, e.g. app.handler [default: found in the folder].")
@option("--runtime", help="E.g. python3.11 or nodejs20.x [default: this machine's of the handler's language].")
@option("--memory", type=int, help="In MB [default: 128, or as it is].")
@option("--timeout", type=int, help="In seconds [default: 3, or as it is].")
@option("--env", multiple=True, metavar="NAME=VALUE", help="A variable; all that are given replace those that are set.")
@option("--url/--no-url", default=True, show_default=True, help="Answer HTTP at a URL of its own, to everybody.")
@option("--watch", is_flag=True, help="Deploy again whenever something is saved.")
@output_option("json")
def deploy(
    data: Path,
    folder: Path,
    name: str | None,
    handler: str | None,
    runtime: str | None,
    memory: int | None,
    timeout: int | None,
    env: tuple[str, ...],
    url: bool,
    watch: bool,
    output: str | None,
) -> None:
    """Make a function of a folder, or update it; requirements.txt and package.json are installed with it.

    With --watch it is deployed again whenever something in the folder is saved, until an interrupt (Ctrl-C) ends it.
    """
    folder = folder.resolve()
    asked = Asked(folder, name or folder.name, handler, runtime, _settings(memory, timeout, env), url)
    if watch:
        deploy_on_save(LambdaCaller.of(data), asked, as_json=output == "json")
        return
    deployed = deploy_folder(LambdaCaller.of(data), asked)
    click.echo(json.dumps(asdict(deployed)) if output == "json" else deployed.shown())


@function.command()
@data_option
@click.argument("name")
@option("--payload", default="{}", help="The event: JSON, @FILE, or - for standard input.")
@option("--qualifier", default="", help="A version or an alias.")
@option("--show-log", is_flag=True, help="Show the end of the log on standard error.")
def invoke(data: Path, name: str, payload: str, qualifier: str, show_log: bool) -> None:
    """Call a function and print what it returned; the exit code is 1 when it failed."""
    said = LambdaCaller.of(data).ask(
        "POST",
        f"{FUNCTIONS}/{name}/invocations",
        _payload(payload),
        query={"Qualifier": qualifier} if qualifier else {},
        headers={"X-Amz-Log-Type": "Tail"} if show_log else {},
    )
    if "x-amz-log-result" in said.headers:
        click.echo(base64.b64decode(said.headers["x-amz-log-result"]).decode(errors="replace"), err=True, nl=False)
    click.echo(said.body.decode(errors="replace"))
    if "x-amz-function-error" in said.headers:
        sys.exit(1)


@function.command()
@data_option
@click.argument("name")
@option("--since", "since_seconds", type=Duration(), help="Only what is younger, e.g. 15m or 1h30m.")
@option("--tail", type=click.IntRange(min=-1), help="Only the last so many events; -1: all.")
def logs(data: Path, name: str, since_seconds: int | None, tail: int | None) -> None:
    """What a function wrote, of all its instances."""
    body: dict[str, Any] = {"logGroupName": f"/aws/lambda/{name}"}
    if since_seconds is not None:
        body["startTime"] = int((SystemClock().now() - since_seconds) * 1000)
    events: list[dict[str, Any]] = []
    api = LambdaCaller.of(data)
    while True:
        said = api.ask("POST", "/", body, service="logs", headers={"X-Amz-Target": "Logs_20140328.FilterLogEvents"})
        events += said.json["events"]
        if "nextToken" not in said.json:
            break
        body["nextToken"] = said.json["nextToken"]
    for event in events if tail in (None, -1) else events[len(events) - min(tail, len(events)) :]:
        text = event["message"].replace("\r", "\n")  # Lambda's sign for a line break that ends no event
        click.echo(f"{rfc3339(event['timestamp'] / 1000)} {text}", nl=False)


@function.command("list")
@data_option
@output_option("json")
def list_(data: Path, output: str | None) -> None:
    """All functions."""
    api, found, marker = LambdaCaller.of(data), [], ""
    while True:
        said = api.ask("GET", f"{FUNCTIONS}/", query={"Marker": marker} if marker else {}).json
        found += said["Functions"]
        if not (marker := said.get("NextMarker") or ""):
            break
    if output == "json":
        click.echo(json.dumps(found))
        return
    rows = [("NAME", "RUNTIME", "HANDLER", "MEMORY", "LAST MODIFIED"), *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@function.command()
@data_option
@click.argument("name")
def delete(data: Path, name: str) -> None:
    """Remove a function with its versions, aliases and URL."""
    LambdaCaller.of(data).ask("DELETE", f"{FUNCTIONS}/{name}")
    click.echo(f"{name} is deleted")


def _row(said: dict[str, Any]) -> tuple[str, ...]:
    runtime, handler = said.get("Runtime", "image"), said.get("Handler", "")
    return said["FunctionName"], runtime, handler, f"{said['MemorySize']} MB", said["LastModified"]


def _settings(memory: int | None, timeout: int | None, env: tuple[str, ...]) -> dict[str, Any]:
    given = {key: value for key, value in (("MemorySize", memory), ("Timeout", timeout)) if value is not None}
    return given | ({"Environment": {"Variables": dict(_variable(each) for each in env)}} if env else {})


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRequest(f"--env {text!r} must be NAME=VALUE")
    return name, value


def _payload(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read()
    return Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()
