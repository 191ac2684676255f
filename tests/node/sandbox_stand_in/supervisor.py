"""Runs each connection's text in a forked process, as a function's code would run, and answers `answer` as JSON."""

import json
import os
import select
import socket


def run(environment: dict[str, str]) -> None:
    control = socket.socket(fileno=int(environment["GS_CONTROL"]))
    listener = socket.socket(fileno=int(environment["GS_LISTEN"]))
    control.send(json.dumps({"booted": {}}).encode())
    while True:
        readable = select.select([control, listener], [], [])[0]
        if control in readable and not obey(control):
            return
        if listener in readable:
            serve(control, listener)
        reap()


def obey(control: socket.socket) -> bool:
    packet = control.recv(65536)
    message = json.loads(packet) if packet else {"end": 0}
    if "end" in message:
        return False
    name = next(iter(message))
    control.send(json.dumps({"ready": {"initMillis": 0.0}} if name == "bind" else {name: "noted"}).encode())
    return True


def serve(control: socket.socket, listener: socket.socket) -> None:
    connection = listener.accept()[0]
    if os.fork():
        connection.close()
        return
    control.close()
    listener.close()
    found: dict[str, object] = {}
    try:
        exec(connection.makefile().read(), found)
        text = json.dumps(found.get("answer"))
    except BaseException as error:
        text = json.dumps(f"{type(error).__name__}: {error}")
    connection.sendall(text.encode() + b"\n")
    os._exit(0)


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
