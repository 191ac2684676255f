"""DNS packets in and out, garbage included."""

from __future__ import annotations

import pytest
from dnslib import EDNS0, QTYPE, RCODE, DNSRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from grandstand.node.dns.messages import NotAQuestion, failure, parse, query, reply
from grandstand.node.dns.zone import Answer, Record, Type

DOMAIN = "cluster.local"


def asked(name: str = "Web.shop.svc.cluster.local", kind: str = "A", number: int = 0) -> bytes:
    return query(number, name, kind)


def test_a_reply_repeats_the_question_as_it_was_asked() -> None:
    question = parse(asked(number=77))
    assert question.name == "web.shop.svc.cluster.local"
    answer = Answer(True, (Record(question.name, Type.A, "10.0.0.1"),))
    found = DNSRecord.parse(reply(question, answer, DOMAIN, limit=512))
    assert (found.header.id, found.header.rcode, found.header.aa, found.header.rd) == (77, RCODE.NOERROR, 1, 1)
    assert str(found.q.qname) == "Web.shop.svc.cluster.local."
    assert [(str(rr.rname), str(rr.rdata), rr.ttl) for rr in found.rr] == [
        ("Web.shop.svc.cluster.local.", "10.0.0.1", 5)
    ]


@pytest.mark.parametrize(("exists", "code"), [(False, RCODE.NXDOMAIN), (True, RCODE.NOERROR)])
def test_a_negative_answer_says_how_long_it_holds(exists: bool, code: int) -> None:
    found = DNSRecord.parse(reply(parse(asked()), Answer(exists), DOMAIN, limit=512))
    assert found.header.rcode == code
    assert [(QTYPE[rr.rtype], rr.ttl, rr.rdata.times[-1]) for rr in found.auth] == [("SOA", 5, 5)]


def many(count: int) -> Answer:
    return Answer(
        True, tuple(Record("web.shop.svc.cluster.local", Type.A, f"10.0.{n // 250}.{n % 250}") for n in range(count))
    )


def test_what_does_not_fit_is_left_out_and_said_so() -> None:
    packed = reply(parse(asked()), many(100), DOMAIN, limit=512)
    found = DNSRecord.parse(packed)
    assert (found.header.tc, len(found.rr)) == (1, 0)
    assert len(packed) <= 512
    whole = DNSRecord.parse(reply(parse(asked()), many(100), DOMAIN, limit=None))
    assert (whole.header.tc, len(whole.rr)) == (0, 100)


@pytest.mark.parametrize(("offered", "limit"), [(None, 512), (400, 512), (1000, 1000), (4096, 1232)])
def test_the_limit_is_what_the_asker_offers_within_reason(offered: int | None, limit: int) -> None:
    record = DNSRecord.question("x.cluster.local")
    if offered is not None:
        record.add_ar(EDNS0(udp_len=offered))
    question = parse(record.pack())
    assert question.limit == limit
    echoed = DNSRecord.parse(failure(question))
    assert echoed.header.rcode == RCODE.SERVFAIL
    assert [rr.rtype == QTYPE.OPT for rr in echoed.ar] == ([True] if offered else [])


def test_askers_spread_over_the_addresses() -> None:
    first = {
        str(DNSRecord.parse(reply(parse(asked(number=n)), many(3), DOMAIN, limit=512)).rr[0].rdata) for n in range(3)
    }
    assert first == {"10.0.0.0", "10.0.0.1", "10.0.0.2"}


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (b"", None),
        (b"\x00" * 11, None),
        (asked()[:2] + b"\x81" + asked()[3:], None),
        (asked()[:2] + b"\x29" + asked()[3:], RCODE.NOTIMP),
        (asked()[:-3], RCODE.FORMERR),
        (b"\x12\x34\x01\x00" + b"\x00" * 8, RCODE.FORMERR),
        (b"\x12\x34\x01\x00\x00\x01" + b"\x00" * 6 + b"\xc0\x0c" + b"\x00\x01\x00\x01", RCODE.FORMERR),
    ],
    ids=["empty", "short", "a reply", "another opcode", "cut off", "no question", "a name that points at itself"],
)
def test_what_is_no_question(packet: bytes, code: int | None) -> None:
    with pytest.raises(NotAQuestion) as caught:
        parse(packet)
    if code is None:
        assert caught.value.reply is None
    else:
        assert caught.value.reply is not None
        assert caught.value.reply[:2] == packet[:2]
        assert (caught.value.reply[2] & 0x80, caught.value.reply[3] & 0xF) == (0x80, code)


HEADER = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"


@settings(max_examples=500)
@given(st.binary(max_size=600) | st.binary(max_size=80).map(lambda tail: HEADER + tail))
def test_garbage_is_answered_or_not_but_never_breaks(packet: bytes) -> None:
    made = _replies(packet)
    assert all(found is None or found[:2] == packet[:2] for found in made)


def _replies(packet: bytes) -> list[bytes | None]:
    try:
        question = parse(packet)
    except NotAQuestion as error:
        return [error.reply]
    return [reply(question, Answer(False), DOMAIN, limit=512), failure(question)]
