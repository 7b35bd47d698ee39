"""A pcap file of what was said, as tshark reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from iiop.giop.messages import CloseConnection, Request, key_address
from iiop.giop.wire import encode
from iiop_lab.pcap import Conversation, Traffic
from tests.tshark import complaints, tshark

PING = encode(Request(5, "ping", key_address(b"key")))
CLIENT, SERVER = ("127.0.0.1", 40000), ("127.0.0.2", 50000)


def test_both_directions_in_order_with_the_time(tmp_path: Path) -> None:
    times = iter([100.25, 100.5, 101.0, 102.0, 103.0])
    traffic = Traffic(now=lambda: next(times))
    assert not traffic
    talk = Conversation(traffic, CLIENT, SERVER, accepted=True)
    talk.says(PING, by_client=True)
    talk.says(encode(CloseConnection()), by_client=False)
    talk.ends(by_client=False)
    talk.ends(by_client=True)
    talk.ends(by_client=True)
    talk.says(b"too late", by_client=True)
    assert traffic
    traffic.write(path := tmp_path / "new" / "t.pcap")
    assert tshark(path, "giop", "frame.time_epoch", "ip.src", "tcp.srcport", "giop.type", "giop.request_op") == [
        ("100.500000000", "127.0.0.1", "40000", "0", "ping"),
        ("101.000000000", "127.0.0.2", "50000", "5", ""),
    ]
    assert [row[0] for row in tshark(path, "tcp", "tcp.flags.str")] == [
        "··········S·", "·······A··S·", "·······A····", "·······AP···", "·······AP···", "·······A···F", "·······A···F"
    ]  # fmt: skip
    assert complaints(path) == []


def test_large_messages_and_ipv6(tmp_path: Path) -> None:
    traffic = Traffic()
    talk = Conversation(traffic, ("::1", 40000), ("::1", 50000), accepted=False)
    big = encode(Request(6, "store", key_address(b"key" * 50_000)))
    for part in (big[:12], big[12:70_000], big[70_000:]):
        talk.says(part, by_client=True)
    talk.reset(by_client=False)
    talk.ends(by_client=True)
    traffic.write(path := tmp_path / "t.pcap")
    assert [row for row in tshark(path, "giop", "ipv6.src", "giop.request_op") if row[1]] == [("::1", "store")]
    assert len(tshark(path, "tcp.flags.reset == 1", "frame.number")) == 1
    assert tshark(path, "tcp.flags.fin == 1", "frame.number") == []
    assert complaints(path) == []


def test_what_both_sides_tell_is_written_once(tmp_path: Path) -> None:
    traffic = Traffic()
    for accepted in (False, True):
        Conversation(traffic, CLIENT, SERVER, accepted=accepted).says(PING, by_client=True)
    Conversation(traffic, ("127.0.0.1", 40001), SERVER, accepted=False).says(PING, by_client=True)
    traffic.write(path := tmp_path / "t.pcap")
    assert tshark(path, "giop", "tcp.srcport") == [("40000",), ("40001",)]


def test_what_is_too_much_is_left_out_and_counted(tmp_path: Path) -> None:
    traffic = Traffic(limit=2 * len(PING))
    talk = Conversation(traffic, CLIENT, SERVER, accepted=True)
    for _ in range(5):
        talk.says(PING, by_client=True)
    assert traffic.dropped == 3 * len(PING)
    traffic.write(path := tmp_path / "t.pcap")
    assert len(tshark(path, 'giop.request_op == "ping"', "frame.number")) == 2
    assert tshark(path, "tcp.len > 0", "tcp.len") == [(str(len(PING)),)] * 5
    assert complaints(path) == []


def test_a_port_that_is_used_again_is_another_stream(tmp_path: Path) -> None:
    traffic = Traffic()
    for _ in range(2):
        talk = Conversation(traffic, CLIENT, SERVER, accepted=True)
        talk.says(PING, by_client=True)
        talk.ends(by_client=True)
        talk.ends(by_client=False)
    traffic.write(path := tmp_path / "t.pcap")
    assert len(tshark(path, "giop", "frame.number")) == 2


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    traffic = Traffic()
    Conversation(traffic, ("nowhere", 1), SERVER, accepted=True)
    with pytest.raises(ValueError, match="nowhere"):
        traffic.write(tmp_path / "t.pcap")
