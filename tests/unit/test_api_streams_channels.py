"""The channel protocols of WebSockets, as tables."""

import pytest
from multidict import MultiDict

from grandstand.api.streams.channels import (
    PORT_PROTOCOLS,
    SESSION_PROTOCOLS,
    chosen,
    exit_status,
    failure_status,
    terminal_size,
)
from grandstand.api.streams.sessions import StreamOptions, stream_options
from grandstand.errors import BadRequest, RuntimeFailure

V5, V4, BASE64 = SESSION_PROTOCOLS


@pytest.mark.parametrize(
    ("protocol", "channel", "data", "message"),
    [
        (V5, 1, b"out", b"\x01out"),
        (V4, 3, b"", b"\x03"),
        (V4, 255, b"\x00", b"\xff\x00"),
        (BASE64, 2, b"\x00\xff", "2AP8="),
        (BASE64, 1, b"", "1"),
    ],
)
def test_messages(protocol, channel, data, message):
    assert protocol.encode(channel, data) == message
    assert protocol.decode(message) == (channel, data)


@pytest.mark.parametrize(("protocol", "message"), [(V5, b""), (BASE64, ""), (V4, "")])
def test_an_empty_message_says_nothing(protocol, message):
    assert protocol.decode(message) is None


def test_text_where_bytes_are_expected_is_taken_as_its_bytes():
    assert V4.decode("\x00ls\n") == (0, b"ls\n")


@pytest.mark.parametrize("message", ["xAP8=", "1A!", "1AP8", b"\xffAP8="])
def test_what_is_no_base64_is_refused(message):
    with pytest.raises(BadRequest, match="base64"):
        BASE64.decode(message)


@pytest.mark.parametrize(
    ("offered", "served", "name"),
    [
        (["v5.channel.k8s.io, v4.channel.k8s.io"], SESSION_PROTOCOLS, "v5.channel.k8s.io"),
        (["v3.channel.k8s.io", "v4.channel.k8s.io"], SESSION_PROTOCOLS, "v4.channel.k8s.io"),
        (["v4.base64.channel.k8s.io"], SESSION_PROTOCOLS, "v4.base64.channel.k8s.io"),
        (["portforward.k8s.io"], PORT_PROTOCOLS, "portforward.k8s.io"),
    ],
)
def test_the_clients_first_protocol_that_is_served(offered, served, name):
    assert chosen(offered, served).name == name


@pytest.mark.parametrize("offered", [[], [""], ["channel.k8s.io"], ["v5.channel.k8s.io.example"]])
def test_no_protocol_in_common(offered):
    with pytest.raises(BadRequest, match=r"no subprotocol in common.*v5\.channel\.k8s\.io"):
        chosen(offered, SESSION_PROTOCOLS)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b'{"Width":80,"Height":24}', (80, 24)),
        (b'{"Width":80,"Height":24}\n', (80, 24)),
        (b'{"Width":0,"Height":0}', None),
        (b'{"Width":70000,"Height":24}', None),
        (b'{"Width":-1,"Height":24}', None),
        (b'{"width":80,"height":24}', None),
        (b"80x24", None),
        (b"", None),
    ],
)
def test_terminal_sizes(data, size):
    assert terminal_size(data) == size


def test_statuses():
    assert exit_status(0) == {"metadata": {}, "status": "Success"}
    failed = exit_status(3)
    assert (failed["status"], failed["reason"]) == ("Failure", "NonZeroExitCode")
    assert failed["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert (
        "error executing command in container: no such root"
        in failure_status(RuntimeFailure("no such root"))["message"]
    )


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ([("command", "ls"), ("command", "-l"), ("stdout", "1")], StreamOptions("", ("ls", "-l"), stdout=True)),
        ([("command", "ls"), ("stdout", "true"), ("stdin", "false")], StreamOptions("", ("ls",), stdout=True)),
        (
            [("command", "sh"), ("container", "app"), ("stdin", "1"), ("stdout", "1"), ("stderr", "1"), ("tty", "1")],
            StreamOptions("app", ("sh",), stdin=True, stdout=True, stderr=False, tty=True),
        ),
    ],
)
def test_options(query, options):
    assert stream_options(MultiDict(query), command=True) == options


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ([("stdout", "1")], "needs at least one `command`"),
        ([("command", ""), ("stdout", "1")], "needs at least one `command`"),
        ([("command", "ls")], "at least one of stdin, stdout, stderr"),
        ([("command", "a\0b"), ("stdout", "1")], "no NUL"),
        ([("command", "x" * 200_000), ("stdout", "1")], "131072 characters"),
    ],
)
def test_options_that_are_refused(query, why):
    with pytest.raises(BadRequest, match=why):
        stream_options(MultiDict(query), command=True)
