"""What real ORBs wrote (tests/capture.py recorded it): we read what its index states, and write the same octets again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iiop.cdr import ByteOrder
from iiop.connection import NEED_DATA, Connection, EndOfStream, Role
from iiop.giop import v1_0, v1_1, v1_2
from iiop.giop.fragments import Reassembler
from iiop.giop.header import HEADER_SIZE, cut_header
from iiop.giop.messages import GIOP_1_2, LocateReply, LocateRequest, Message, Reply, Request
from iiop.giop.wire import decode, encode
from iiop.iop import ServiceContext
from iiop.limits import DEFAULT_LIMITS

FOLDER = Path(__file__).with_name("giop")
INDEX: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text())
PIECES = [entry for entry in INDEX if entry["more_fragments"] or entry["message_type"] == "Fragment"]
WHOLE = [entry for entry in INDEX if entry not in PIECES]


def octets_of(entry: dict[str, Any]) -> bytes:
    return (FOLDER / entry["file"]).read_bytes()


def test_the_index_is_whole() -> None:
    assert {entry["file"] for entry in INDEX} == {file.name for file in FOLDER.glob("*.bin")}
    assert {entry["giop_version"] for entry in INDEX} == {"1.0", "1.1", "1.2"}
    assert len(WHOLE) > 50
    assert len(PIECES) > 5


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_header(entry: dict[str, Any]) -> None:
    octets = octets_of(entry)
    header = cut_header(octets, DEFAULT_LIMITS)
    assert str(header.version) == entry["giop_version"]
    assert header.byte_order.name.lower() == entry["byte_order"]
    assert header.more_fragments == entry["more_fragments"]
    assert header.message_type.name == entry["message_type"]
    assert header.size == len(octets) == HEADER_SIZE + entry["message_size"]


@pytest.mark.parametrize("entry", WHOLE, ids=lambda entry: entry["file"])
def test_whole_message(entry: dict[str, Any]) -> None:
    octets = octets_of(entry)
    message = decode(octets)
    assert_stated(message, entry, octets)
    assert encode(message) == without_noise(octets, entry)


def assert_stated(message: Message, entry: dict[str, Any], octets: bytes) -> None:
    assert type(message).__name__ == entry["message_type"]
    assert str(message.version) == entry["giop_version"]
    if "request_id" in entry:
        assert message.request_id == entry["request_id"]  # type: ignore[union-attr]
    if isinstance(message, Request | LocateRequest):
        assert isinstance(message.target.value, bytes)
        assert message.target.value.hex() == entry["object_key"]
    if isinstance(message, Request):
        assert message.operation == entry["operation"]
        if message.version >= GIOP_1_2:
            assert message.response_flags == entry["response_flags"]
        else:
            assert message.response_expected == entry["response_expected"]
            assert message.requesting_principal.hex() == entry["requesting_principal"]
    if isinstance(message, Reply):
        assert message.reply_status.name == entry["reply_status"]
    if isinstance(message, LocateReply):
        assert message.locate_status.name == entry["locate_status"]
    if isinstance(message, Request | Reply):
        assert [context_as_stated(context) for context in message.service_context] == entry["service_contexts"]
    if isinstance(message, Request | Reply | LocateReply):
        assert bytes(message.body) == octets[entry["body_offset"] :]


def context_as_stated(context: ServiceContext) -> dict[str, Any]:
    return {"context_id": context.context_id, "context_data": context.context_data.hex()}


HEADERS = {
    ("Request", "1.0"): v1_0.REQUEST,
    ("Request", "1.1"): v1_1.REQUEST,
    ("Request", "1.2"): v1_2.REQUEST,
    ("Reply", "1.0"): v1_0.REPLY,
    ("Reply", "1.1"): v1_0.REPLY,
    ("Reply", "1.2"): v1_2.REPLY,
    ("LocateRequest", "1.0"): v1_0.LOCATE_REQUEST,
    ("LocateRequest", "1.1"): v1_0.LOCATE_REQUEST,
    ("LocateRequest", "1.2"): v1_2.LOCATE_REQUEST,
}


def noise(octets: bytes, entry: dict[str, Any]) -> set[int]:
    """Return where octets of the header mean nothing: padding before a field or the body, and the reserved octets."""
    codec = HEADERS.get((entry["message_type"], entry["giop_version"]))
    if codec is None:
        return set()
    trace, error = codec.explain(octets, ByteOrder(octets[6] & 1), start=HEADER_SIZE)
    assert error is None
    meant = {at for it in trace if it.path != "reserved" for at in range(it.offset, it.offset + it.length)}
    return set(range(HEADER_SIZE, entry.get("body_offset", len(octets)))) - meant


def without_noise(octets: bytes, entry: dict[str, Any]) -> bytes:
    """Return the octets as we write them.

    omniORB does not clear its buffer: padding and reserved octets hold what was there before (parts of other strings). They are
    no value, so a message does not keep them, and we write zeros.
    """
    places = noise(octets, entry)
    return bytes(0 if at in places else octet for at, octet in enumerate(octets))


def test_noise_is_the_only_difference() -> None:
    """The reason is real: some vectors come back octet for octet, some differ, and only where octets mean nothing."""
    exact, different = 0, set()
    for entry in WHOLE:
        octets = octets_of(entry)
        again = encode(decode(octets))
        changed = {at for at, (one, other) in enumerate(zip(octets, again, strict=True)) if one != other}
        assert changed <= noise(octets, entry)
        assert all(again[at] == 0 for at in changed)
        if changed:
            different.add(entry["sender"])
        else:
            exact += 1
    assert exact > len(WHOLE) / 2
    assert different == {"omniORBpy 4.3.3"}


def scenarios() -> list[tuple[str, list[dict[str, Any]]]]:
    """Return every fragmented message as its pieces, in the order of the wire."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    for entry in PIECES:
        if entry["message_type"] != "Fragment":
            found.append((entry["file"], [entry]))
        else:
            found[-1][1].append(entry)
    return found


@pytest.mark.parametrize(("name", "pieces"), scenarios(), ids=lambda it: it if isinstance(it, str) else "")
def test_fragmented_message(name: str, pieces: list[dict[str, Any]]) -> None:
    reassembler = Reassembler(DEFAULT_LIMITS)
    whole = None
    for entry in pieces:
        assert whole is None
        octets = octets_of(entry)
        whole = reassembler.add(cut_header(octets, DEFAULT_LIMITS), octets)
    assert whole is not None
    first, rest = octets_of(pieces[0]), [octets_of(entry)[entry["body_offset"] :] for entry in pieces[1:]]
    assert whole[HEADER_SIZE:] == first[HEADER_SIZE:] + b"".join(rest)
    message = decode(whole)
    assert isinstance(message, Request | Reply)
    assert message.request_id == pieces[0]["request_id"]
    assert len(message.body) > 10_000
    entry = pieces[0] | {"body_offset": message.body.start}
    assert encode(message) == without_noise(whole, entry)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_a_server_connection_takes_all_that_clients_sent(version: str) -> None:
    """All scenarios on one connection, in their order, a socket read of 1000 octets at a time."""
    sent = [entry for entry in INDEX if entry["direction"] == "client to server" and entry["giop_version"] == version]
    sent = [entry for entry in sent if entry["message_type"] != "CloseConnection"]
    connection = Connection(Role.SERVER)
    stream = b"".join(octets_of(entry) for entry in sent)
    seen: list[tuple[str, int]] = []
    for at in range(0, len(stream), 1000):
        connection.receive_data(stream[at : at + 1000])
        while (event := connection.next_event()) is not NEED_DATA:
            assert isinstance(event, Request | LocateRequest)
            seen.append((type(event).__name__, event.request_id))
            if isinstance(event, LocateRequest) or event.response_expected:  # ids start again in every scenario
                answer = Reply(event.request_id) if isinstance(event, Request) else None
                connection.send(answer or LocateReply(event.request_id, locate_status=1))  # type: ignore[arg-type]
    # a fragmented message is done with its last fragment
    expected = [(entry["message_type"], entry["request_id"]) for entry in sent if entry["message_type"] != "Fragment"]
    assert seen == expected
    connection.receive_data(b"")
    assert connection.next_event() == EndOfStream(False, (), 0)
