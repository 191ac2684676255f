"""`grandstand apply|get|delete`: the everyday verbs, for those without kubectl."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from grandstand.client import DeleteOptions, PatchType, Propagation, WriteOptions
from grandstand.client.remote import RemoteClient
from grandstand.errors import BadRequest, NotFound
from grandstand.kinds import BY_KIND, RESOURCES, Object, Resource

from .options import data_option, namespace_option, option, output_option

MANIFEST_ENDINGS = (".yaml", ".yml", ".json")

manifest_option = option(
    "--filename",
    "-f",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, allow_dash=True),
    help="A manifest, a directory of manifests, or - for standard input.",
)


@click.command()
@data_option
@namespace_option
@manifest_option
@option("--dry-run", is_flag=True, help="Let the API check the objects, but change nothing.")
def apply(data: Path, namespace: str, files: tuple[Path, ...], dry_run: bool) -> None:
    """Create or change objects as manifests say (server-side apply)."""
    objects = list(read_manifests(files))
    options = WriteOptions(manager="grandstand-cli", dry_run=dry_run, force=True, field_validation="Strict")

    async def run(client: RemoteClient) -> None:
        for obj in objects:
            resource = resource_of(obj)
            where = target_namespace(resource, obj, namespace)
            name = obj["metadata"]["name"]
            await client.patch(resource, where, name, obj, PatchType.APPLY, options=options)
            click.echo(f"{resource.singular}/{name} applied{' (dry run)' if dry_run else ''}")

    call(data, run)


@click.command()
@data_option
@namespace_option
@manifest_option
@click.argument("resource", required=False)
@click.argument("names", nargs=-1)
@option("--now", is_flag=True, help="Do not give Pods their grace period.")
def delete(
    data: Path, namespace: str, files: tuple[Path, ...], resource: str | None, names: tuple[str, ...], now: bool
) -> None:
    """Delete objects, by RESOURCE and NAMES or as manifests name them."""
    targets = [
        (resource_of(obj), target_namespace(resource_of(obj), obj, namespace), obj["metadata"]["name"])
        for obj in read_manifests(files)
    ]
    if resource is not None:
        kind = named_resource(resource)
        targets += [(kind, namespace if kind.namespaced else "", name) for name in names]
    if not targets:
        raise click.UsageError("Nothing to delete: give -f FILE, or RESOURCE and NAMES.")
    options = DeleteOptions(grace_seconds=0 if now else None, propagation=Propagation.BACKGROUND)

    async def run(client: RemoteClient) -> None:
        failed = False
        for kind, where, name in targets:
            try:
                await client.delete(kind, where, name, options)
                click.echo(f"{kind.singular}/{name} deleted")
            except NotFound as error:
                failed = True
                click.echo(f"error: {error.message}", err=True)
        if failed:
            sys.exit(1)

    call(data, run)


@click.command()
@data_option
@namespace_option
@option("--all-namespaces", "-A", is_flag=True, help="Of all namespaces.")
@option("--selector", "-l", default="", help="Only objects whose labels match, e.g. app=payment,tier!=test.")
@output_option("json", "yaml", "name", "wide")
@click.argument("resource")
@click.argument("name", required=False)
def get(
    data: Path, namespace: str, all_namespaces: bool, selector: str, output: str | None, resource: str, name: str | None
) -> None:
    """Show objects of a RESOURCE (pods, deploy, svc, …), or the one of a NAME."""
    kind = named_resource(resource)
    where = "" if all_namespaces or not kind.namespaced else namespace

    async def run(client: RemoteClient) -> None:
        if output in ("json", "yaml", "name"):
            found = await client.get(kind, where, name) if name else await _listed(client, kind, where, selector)
            print_objects(kind, found, output)
        else:
            table = await client.table(kind, where, name or "", labels=selector)
            print_table(table, wide=output == "wide", namespaces=all_namespaces)

    call(data, run)


async def _listed(client: RemoteClient, kind: Resource, namespace: str, labels: str) -> Object:
    found = await client.list(kind, namespace, labels=labels)
    return {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": found.items}


def call(data: Path, action: Callable[[RemoteClient], Awaitable[None]]) -> None:
    """Run an action with a client of the engine in a data directory. Raises NotFound where there is none."""
    kubeconfig = data / "kubeconfig"
    if not kubeconfig.exists():
        raise NotFound(f"There is no engine in {data}: start one with `grandstand up --data {data}`.")

    async def run() -> None:
        async with RemoteClient.from_kubeconfig(kubeconfig) as client:
            await action(client)

    asyncio.run(run())


def read_manifests(files: Iterable[Path]) -> Iterator[Object]:
    """Every object of manifests, directories of manifests and lists. Raises BadRequest for what is none."""
    for file in files:
        for path in sorted(p for p in file.rglob("*") if p.suffix in MANIFEST_ENDINGS) if file.is_dir() else [file]:
            text = sys.stdin.read() if str(path) == "-" else path.read_text()
            try:
                documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
            except yaml.YAMLError as error:
                raise BadRequest(f"{path} is not YAML: {error}") from error
            for document in documents:
                yield from _objects(document, path)


def _objects(document: Any, path: Path) -> Iterator[Object]:
    if document is None:
        return
    if not isinstance(document, dict) or "kind" not in document or "apiVersion" not in document:
        raise BadRequest(f"{path} holds a document that is no API object: it needs apiVersion and kind.")
    if document["kind"] == "List":
        for item in document.get("items", []):
            yield from _objects(item, path)
        return
    if not (document.get("metadata") or {}).get("name"):
        raise BadRequest(f"{path} holds a {document['kind']} without metadata.name.")
    yield document


def resource_of(obj: Object) -> Resource:
    """The resource of an object's kind. Raises BadRequest for a kind that Grandstand does not serve."""
    resource = BY_KIND.get((obj["apiVersion"], obj["kind"]))
    if resource is None:
        served = ", ".join(sorted(r.kind for r in RESOURCES))
        raise BadRequest(f"Grandstand serves no {obj['kind']} of {obj['apiVersion']}. It serves: {served}.")
    return resource


def target_namespace(resource: Resource, obj: Object, default: str) -> str:
    return obj["metadata"].get("namespace", default) if resource.namespaced else ""


def named_resource(name: str) -> Resource:
    """The resource that a person means by `pods`, `pod`, `po` or `deployments.apps`. Raises BadRequest for none."""
    wanted = name.lower()
    for resource in RESOURCES:
        if wanted in (resource.plural, resource.singular, resource.qualified, *resource.short_names):
            return resource
    raise BadRequest(f"There is no resource {name!r}. There are: {', '.join(r.plural for r in RESOURCES)}.")


def print_objects(kind: Resource, found: Object, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif output == "yaml":
        click.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), nl=False)
    else:
        for obj in found["items"] if found["kind"] == "List" else [found]:
            click.echo(f"{kind.singular}/{obj['metadata']['name']}")


def print_table(table: Object, *, wide: bool, namespaces: bool) -> None:
    """Print a `meta.k8s.io/v1 Table` in aligned columns, as kubectl does."""
    shown = [i for i, column in enumerate(table["columnDefinitions"]) if wide or column.get("priority", 0) == 0]
    head = [table["columnDefinitions"][i]["name"].upper() for i in shown]
    rows = [[str(row["cells"][i]) for i in shown] for row in table["rows"]]
    if namespaces:
        head.insert(0, "NAMESPACE")
        for cells, row in zip(rows, table["rows"], strict=True):
            cells.insert(0, row["object"]["metadata"].get("namespace", ""))
    if not rows:
        click.echo("No resources found.", err=True)
        return
    widths = [max(len(cells[i]) for cells in (head, *rows)) for i in range(len(head))]
    for cells in (head, *rows):
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
