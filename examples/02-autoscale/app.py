"""A service whose every request costs CPU time, as rendering a page or resizing a picture does.

GET /          burns BURN_MILLISECONDS of CPU time, and says which replica did
GET /readyz    200 while new requests are welcome, 503 while it shuts down
"""

import json
import os
import signal
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BURN_SECONDS = float(os.environ.get("BURN_MILLISECONDS", "20")) / 1000

stopping = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/readyz":
            ready = not stopping.is_set()
            return self.answer(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, {"ready": ready})
        end = time.thread_time() + BURN_SECONDS
        while time.thread_time() < end:
            pass
        return self.answer(HTTPStatus.OK, {"service": "burner", "pod": os.uname().nodename})

    def answer(self, status, content):
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002
        """One line a request would be a part of what is measured."""


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
    print(f"burner listens on port {server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
