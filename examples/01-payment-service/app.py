"""A small payment service: checks a card payment and approves or declines it. Stateless, so any replica may answer.

GET /                   which version and which replica answers
GET /healthz            200 while the process is well
GET /readyz             200 while new requests are welcome, 503 while it shuts down
POST /payments          {"card": "4111 1111 1111 1111", "amount": "12.50", "currency": "EUR"} -> 201 or 402 or 422
"""

import json
import os
import signal
import sys
import threading
import uuid
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ.get("PAYMENT_VERSION", "v1")
HIGHEST_AMOUNT = Decimal("10000")
CURRENCIES = {"EUR", "INR", "USD"}
LONGEST_BODY_BYTES = 64 * 1024

stopping = threading.Event()


def luhn_valid(card):
    """Whether the digits of a card number satisfy the Luhn check (ISO/IEC 7812-1)."""
    digits = [int(c) for c in card if c.isdigit()]
    doubled = [sum(divmod(d * 2, 10)) if i % 2 else d for i, d in enumerate(reversed(digits))]
    return len(digits) >= 12 and sum(doubled) % 10 == 0


def authorise(payment, idempotency_key):
    """Decide on a payment. The same idempotency key gives the same payment id on every replica."""
    try:
        amount = Decimal(str(payment["amount"]))
    except (KeyError, TypeError, InvalidOperation):
        return HTTPStatus.UNPROCESSABLE_ENTITY, {"error": "amount must be a decimal number, e.g. 12.50"}
    if payment.get("currency") not in CURRENCIES:
        return HTTPStatus.UNPROCESSABLE_ENTITY, {"error": f"currency must be one of {sorted(CURRENCIES)}"}
    if not luhn_valid(str(payment.get("card", ""))):
        return HTTPStatus.PAYMENT_REQUIRED, {"status": "declined", "reason": "the card number is not valid"}
    if not 0 < amount <= HIGHEST_AMOUNT:
        return HTTPStatus.PAYMENT_REQUIRED, {"status": "declined", "reason": f"amounts go up to {HIGHEST_AMOUNT}"}
    payment_id = str(uuid.uuid5(uuid.NAMESPACE_URL, idempotency_key) if idempotency_key else uuid.uuid4())
    return HTTPStatus.CREATED, {"id": payment_id, "status": "approved", "amount": str(amount), "version": VERSION}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/":
            self.answer(HTTPStatus.OK, {"service": "payment", "version": VERSION, "pod": os.uname().nodename})
        elif self.path == "/healthz":
            self.answer(HTTPStatus.OK, {"status": "ok"})
        elif self.path == "/readyz":
            ready = not stopping.is_set()
            self.answer(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, {"ready": ready})
        else:
            self.answer(HTTPStatus.NOT_FOUND, {"error": f"no {self.path} here: GET / or POST /payments"})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > LONGEST_BODY_BYTES:
            self.close_connection = True
            return self.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "a payment fits in 64 KiB"})
        body = self.rfile.read(length)
        if self.path != "/payments":
            return self.answer(HTTPStatus.NOT_FOUND, {"error": f"no {self.path} here: POST /payments"})
        try:
            payment = json.loads(body)
        except ValueError:
            payment = None
        if not isinstance(payment, dict):
            return self.answer(HTTPStatus.BAD_REQUEST, {"error": "the body must be a JSON object"})
        return self.answer(*authorise(payment, self.headers.get("Idempotency-Key")))

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

    # Before the port is open: who asks a ready service to stop must be heard.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.server_bind()
    server.server_activate()
    print(f"payment {VERSION} listens on port {server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.05)
    print("payment stops", flush=True)


if __name__ == "__main__":
    main()
