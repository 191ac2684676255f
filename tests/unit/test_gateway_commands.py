"""The order of the commands that exchange servers."""

from __future__ import annotations

import pytest

from grandstand.gateway.haproxy.commands import Seen, parse_servers, server_commands
from grandstand.gateway.routes import Protocol
from grandstand.gateway.servers import Duty, Server


def texts(wanted: dict[str, Duty], seen: dict[str, Duty]) -> list[str]:
    servers = {f"{name}:80": Server(name, 80, duty) for name, duty in wanted.items()}
    known = {f"{name}:80": Seen(name, 80, duty, 100) for name, duty in seen.items()}
    commands = server_commands("b", Protocol.HTTP, servers, known)
    return [" ".join(each.text.replace("b/", "").replace(":80", "").split()[:5]) for each in commands]


def turned(name: str, state: str) -> str:
    return f"set server {name} state {state}"


@pytest.mark.parametrize(
    ("wanted", "seen", "first", "then"),
    [
        ({"new": Duty.SERVING}, {"old": Duty.SERVING}, turned("old", "maint"), turned("new", "ready")),
        (
            {"new": Duty.SERVING, "old": Duty.FINISHING},
            {"old": Duty.SERVING},
            turned("old", "drain"),
            turned("new", "ready"),
        ),
        (
            {"new": Duty.SERVING, "stays": Duty.SERVING},
            {"old": Duty.SERVING, "stays": Duty.SERVING},
            turned("new", "ready"),
            turned("old", "maint"),
        ),
        (
            {"old": Duty.SERVING},
            {"old": Duty.FINISHING, "new": Duty.SERVING},
            turned("new", "maint"),
            turned("old", "ready"),
        ),
        ({"new": Duty.SERVING}, {"old": Duty.FINISHING}, turned("new", "ready"), turned("old", "maint")),
    ],
    ids=["all new", "all new, one finishing", "one stays", "back again", "nobody served before"],
)
def test_all_old_servers_go_first_only_where_none_stays(wanted, seen, first, then):
    found = texts(wanted, seen)
    assert found.index(first) < found.index(then)
    added = [at for at, text in enumerate(found) if text.startswith("add server")]
    assert all(at < found.index(first) for at in added), "what takes long comes before anybody is out"


def test_the_activator_is_no_server_to_be_removed():
    text = (
        "1\n# be_name srv_name srv_addr srv_port srv_admin_state srv_uweight\n"
        "b activator - 0 0 1\nb 10.0.0.1:80 10.0.0.1 80 0 100\n"
    )
    assert parse_servers(text) == {"b": {"10.0.0.1:80": Seen("10.0.0.1", 80, Duty.SERVING, 100)}}
