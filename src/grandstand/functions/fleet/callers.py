"""Let only signed requests into function URLs of AuthType AWS_IAM, and say who signed them.

The hash of the body is part of what is signed: such a request is read whole before an instance gets it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

from grandstand.clock import Clock
from grandstand.errors import ServiceFault
from grandstand.functions.runtime.inside.http1 import CONTINUE, Refused, RequestReader
from grandstand.functions.signing import Refusal, SignedRequest, refused_by_its_head, verify

from . import heads

SERVICES = ("lambda",)
CALLER_HEADER = "grandstand-iam"
"""By which the door tells an instance who has signed, as JSON."""
LARGE_BYTES = 256 * 1024
PIECE_BYTES = 65_536
FORBIDDEN = (
    "Forbidden. This function URL has the AuthType AWS_IAM: sign requests with AWS Signature Version 4, service lambda"
)
_FRAMING = (b"content-length", b"transfer-encoding", b"expect")


class Callers:
    """Those who have an access key of this engine: `secrets` by its id; they are `account`'s root user."""

    def __init__(self, secrets: Mapping[str, str], account: str, clock: Clock) -> None:
        self._secrets = dict(secrets)
        self._account = account
        self._clock = clock

    async def let_in(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The whole request as an instance gets it. Raises ServiceFault for who is not let in.

        The body is read only for who has a key. `writer` tells clients that wait for it to send the body.
        """
        request, now = signed_request(head), self._clock.now()
        refused = refused_by_its_head(request, self._secrets.get, now, SERVICES)
        if refused is not None:
            raise _fault(refused)
        request = replace(request, body=await _body(head, reader, writer))
        if len(request.body) < LARGE_BYTES:
            found = verify(request, self._secrets.get, now, SERVICES)
        else:  # others are answered meanwhile
            found = await asyncio.to_thread(verify, request, self._secrets.get, now, SERVICES)
        if isinstance(found, Refusal):
            raise _fault(found)
        return whole(head, request.body, caller(found.access_key_id, self._account))


def signed_request(head: bytes) -> SignedRequest:
    """What of a request is signed, but for its body."""
    method, target, _ = heads.request_line(head)
    path, _, query = target.partition("?")
    return SignedRequest(method, path, query, list(heads.fields(head)))


def caller(access_key_id: str, account: str) -> dict[str, str | None]:
    """What an event says of who signed, in AWS's words: `requestContext.authorizer.iam`."""
    return {
        "accessKey": access_key_id,
        "accountId": account,
        "callerId": account,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{account}:root",
        "userId": account,
    }


def whole(head: bytes, body: bytes, who: Mapping[str, str | None]) -> bytes:
    """A request of somebody known, with its body."""
    said = [(CALLER_HEADER, json.dumps(who))]
    if body or any(name in ("content-length", "transfer-encoding") for name, _ in heads.fields(head)):
        said.append(("Content-Length", str(len(body))))
    return heads.onwards(head, said, without=_FRAMING) + body


async def _body(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    request_reader, piece = RequestReader(), head
    try:
        while (request := request_reader.feed(piece)) is None:
            if request_reader.expects:
                request_reader.expects = False
                writer.write(CONTINUE)
            piece = await reader.read(PIECE_BYTES)
            if not piece:
                raise asyncio.IncompleteReadError(b"", None)
    except Refused as refusal:
        name = "RequestEntityTooLargeException" if refusal.status == 413 else "InvalidRequestException"
        raise ServiceFault(name, str(refusal), refusal.status) from refusal
    return request.body


def _fault(refusal: Refusal) -> ServiceFault:
    if refusal is Refusal.MISSING:
        return ServiceFault("AccessDeniedException", FORBIDDEN, 403)
    return ServiceFault(refusal.code, str(refusal), 403)
