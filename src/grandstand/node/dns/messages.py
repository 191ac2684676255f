"""Turn DNS packets into questions, and answers into packets."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dnslib import (
    CLASS,
    CNAME,
    EDNS0,
    OPCODE,
    PTR,
    QTYPE,
    RCODE,
    RD,
    RR,
    SOA,
    SRV,
    TXT,
    A,
    DNSHeader,
    DNSQuestion,
    DNSRecord,
)

from .zone import Answer, Record, Srv, Type

TTL_SECONDS = 5
PLAIN_LIMIT = 512
# What every path carries without fragments (the DNS flag day of 2020).
EDNS_LIMIT = 1232
_HEADER_BYTES = 12


@dataclass(frozen=True, slots=True)
class Question:
    """One parsed query; `name` is in lower case, without the dot at the end."""

    record: DNSRecord
    name: str
    type: str
    limit: int
    """Bytes that the asker takes over UDP."""

    @property
    def id(self) -> int:
        return int(self.record.header.id)


class NotAQuestion(Exception):
    """The packet is no query that can be answered; `reply` says so to who sent it, None for garbage."""

    def __init__(self, reply: bytes | None) -> None:
        super().__init__("not a question")
        self.reply = reply


def parse(packet: bytes) -> Question:
    """Read a query. Raises NotAQuestion, and nothing else, whatever the bytes are."""
    if len(packet) < _HEADER_BYTES or packet[2] & 0x80:
        raise NotAQuestion(None)  # to answer an answer is how two servers talk for ever
    try:
        record = DNSRecord.parse(packet)
        if record.header.get_opcode() != OPCODE.QUERY:
            raise NotAQuestion(_error(packet, RCODE.NOTIMP))
        if len(record.questions) != 1:
            raise NotAQuestion(_error(packet, RCODE.FORMERR))
        name = name_of(record.q.qname.label)
        sizes = [int(rr.rclass) for rr in record.ar if rr.rtype == QTYPE.OPT]
    except NotAQuestion:
        raise
    except Exception as error:  # dnslib raises a dozen kinds of error on garbage, IndexError among them
        raise NotAQuestion(_error(packet, RCODE.FORMERR)) from error
    limit = min(max(sizes[0], PLAIN_LIMIT), EDNS_LIMIT) if sizes else PLAIN_LIMIT
    return Question(record, name, QTYPE.get(record.q.qtype, str(record.q.qtype)), limit)


def name_of(labels: tuple[bytes, ...]) -> str:
    return ".".join(label.decode("ascii", "backslashreplace") for label in labels).lower()


def reply(question: Question, answer: Answer, domain: str, more: tuple[RR, ...] = (), *, limit: int | None) -> bytes:
    """The packet that answers; what does not fit into `limit` bytes is left out, and the asker told to use TCP.

    Answers of several records begin with another one for each query, so that askers spread over them.
    """
    made = _reply_to(question, RCODE.NOERROR if answer.exists else RCODE.NXDOMAIN)
    made.header.aa = 1
    start = question.id % len(answer.records) if answer.records and _same_name(answer.records) else 0
    for record in (*answer.records[start:], *answer.records[:start]):
        made.add_answer(_rr(record, question))
    for rr in more:
        made.add_answer(rr)
    if not answer.records:
        made.add_auth(_soa(domain))
    for record in answer.additional:
        made.add_ar(_rr(record, question))
    return _fitted(made, limit)


def failure(question: Question) -> bytes:
    """SERVFAIL: the asker may try again, or elsewhere."""
    packed: bytes = _reply_to(question, RCODE.SERVFAIL).pack()
    return packed


def query(number: int, name: str, kind: str) -> bytes:
    """A query of our own."""
    header = DNSHeader(id=number, rd=1)
    packed: bytes = DNSRecord(header, q=DNSQuestion(name, getattr(QTYPE, kind))).pack()
    return packed


def records_in(packet: bytes) -> tuple[RR, ...] | None:
    """The answers in a reply; None when it says that there is no such name, or is no reply."""
    try:
        record = DNSRecord.parse(packet)
    except Exception:  # as in `parse`
        return None
    return tuple(record.rr) if record.header.rcode == RCODE.NOERROR else None


def is_truncated(packet: bytes) -> bool:
    return bool(packet[2] & 0x02)


def _reply_to(question: Question, code: int) -> DNSRecord:
    asked = question.record
    header = DNSHeader(id=asked.header.id, qr=1, ra=1, rd=asked.header.rd, rcode=code)
    made = DNSRecord(header, q=asked.q)
    if any(rr.rtype == QTYPE.OPT for rr in asked.ar):
        made.add_ar(EDNS0(udp_len=EDNS_LIMIT))
    return made


def _fitted(made: DNSRecord, limit: int | None) -> bytes:
    packed: bytes = made.pack()
    if limit is None or len(packed) <= limit:
        return packed
    short = DNSRecord(made.header, q=made.q)
    short.header.tc = 1
    for rr in made.ar:
        if rr.rtype == QTYPE.OPT:
            short.add_ar(rr)
    truncated: bytes = short.pack()
    return truncated


def _same_name(records: tuple[Record, ...]) -> bool:
    """Whether the order is free: an alias must come before what it stands for."""
    return len({(record.name, record.type) for record in records}) == 1


def _rr(record: Record, question: Question) -> RR:
    name = question.record.q.qname if record.name == question.name else record.name
    return RR(name, getattr(QTYPE, record.type), CLASS.IN, TTL_SECONDS, _data(record))


def _data(record: Record) -> RD:
    match record.type, record.data:
        case Type.SRV, Srv() as srv:
            return SRV(priority=0, weight=100, port=srv.port, target=srv.target)
        case Type.CNAME, str() as target:
            return CNAME(target)
        case Type.PTR, str() as target:
            return PTR(target)
        case Type.TXT, str() as text:
            return TXT(text)
        case _, str() as address:
            return A(address)
        case _:
            raise ValueError(f"{record.type} has no data of this kind")


def _soa(domain: str) -> RR:
    times = (1, 7200, 1800, 86400, TTL_SECONDS)
    return RR(domain, QTYPE.SOA, CLASS.IN, TTL_SECONDS, SOA(f"ns.dns.{domain}", f"hostmaster.{domain}", times))


def _error(packet: bytes, code: int) -> bytes:
    """A bare header: the question may be what cannot be read."""
    number, flags = struct.unpack_from("!HH", packet)
    return struct.pack("!6H", number, 0x8000 | (flags & 0x7900) | code, 0, 0, 0, 0)
