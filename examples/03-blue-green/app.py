"""A small shop: says which version answers. Version v3 is broken: it answers most requests with 500.

GET /          which version and which replica answers
GET /readyz    200 while new requests are welcome, 503 while it shuts down
"""

import json
import os
import random
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ.get("SHOP_VERSION", "v1")
BROKEN = VERSION == "v3"

stopping = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/readyz":
            ready = not stopping.is_set()
            self.answer(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, {"ready": ready})
        elif BROKEN and random.random() < 0.8:
            self.answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "the new price list cannot be read"})
        else:
            self.answer(HTTPStatus.OK, {"service": "shop", "version": VERSION, "pod": os.uname().nodename})

    def answer(self, status, content):
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002
        """One line a request would be the dearest part of serving it."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        """Clients and proxies may drop an idle connection: that is no error of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main():
    server = Server(("", int(os.environ.get("PORT", "8000"))), Handler, bind_and_activate=False)

    def stop(*_):
        stopping.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.server_bind()
    server.server_activate()
    print(f"shop {VERSION} listens on port {server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
