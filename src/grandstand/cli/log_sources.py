"""Choose the containers whose logs are meant, as kubectl does. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from grandstand.errors import BadRequest
from grandstand.kinds import Object

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class Source:
    """One container of one Pod."""

    pod: str
    container: str

    @property
    def prefix(self) -> bytes:
        return f"[pod/{self.pod}/{self.container}] ".encode()


def sources_of(pod: Object, container: str, *, everything: bool) -> tuple[list[Source], str]:
    """The containers of a Pod that are meant, and what to tell the user about the choice.

    Raises BadRequest for a container that the Pod has not.
    """
    name, spec = pod["metadata"]["name"], pod["spec"]
    initial = [each["name"] for each in spec.get("initContainers") or ()]
    main = [each["name"] for each in spec["containers"]]
    if everything:
        return [Source(name, each) for each in (*initial, *main)], ""
    if container:
        if container not in (*initial, *main):
            raise BadRequest(f"container {container} is not in pod {name}: it has {', '.join((*main, *initial))}.")
        return [Source(name, container)], ""
    wanted = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER, "")
    chosen = wanted if wanted in main else main[0]
    others = [*main, *(f"{each} (init)" for each in initial)]
    note = f'Defaulted container "{chosen}" out of: {", ".join(others)}' if len(others) > 1 and chosen != wanted else ""
    return [Source(name, chosen)], note


def check_streams(sources: Iterable[Source], most: int) -> None:
    """Raise BadRequest for more logs to follow at once than are allowed."""
    count = len(list(sources))
    if count > most:
        raise BadRequest(
            f"you are attempting to follow {count} log streams, but maximum allowed concurrency is {most}, use"
            " --max-log-requests to increase the limit"
        )
