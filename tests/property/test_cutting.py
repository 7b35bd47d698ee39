"""Messages cut anyhow come out of the cutter as the same octets, in whole messages or in pieces that follow each other."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from iiop.cdr import ByteOrder, Codec, arguments
from iiop.giop.fragments import Reassembler, split
from iiop.giop.header import HEADER_SIZE, Header, cut_header
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, Body, Reply, Request, key_address
from iiop.giop.wire import decode, encode
from iiop.iop import ServiceContext
from iiop.limits import DEFAULT_LIMITS
from iiop.profile import Version
from iiop_lab.vhost.beginnings import Beginnings
from iiop_lab.vhost.cutting import PIECE, Cutter, id_of, with_id

OCTETS = Codec(arguments("take", ("octets", bytes)))
VERSIONS = st.sampled_from([GIOP_1_0, GIOP_1_1, GIOP_1_2])
CONTEXTS = st.lists(st.builds(ServiceContext, st.integers(100, 200), st.binary(max_size=50)), max_size=2).map(tuple)
SIZES = st.one_of(st.integers(0, 100), st.integers(PIECE - 100, PIECE + 100), st.integers(PIECE, 3 * PIECE))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    version, order = draw(VERSIONS), draw(st.sampled_from(ByteOrder))
    body = Body.of(OCTETS, (bytes(draw(SIZES)),))
    request_id, contexts = draw(st.integers(0, 0xFFFFFFFF)), draw(CONTEXTS)
    if draw(st.booleans()):
        return encode(Request(request_id, "op", key_address(b"k"), 3, contexts, body, version=version, byte_order=order))
    return encode(Reply(request_id, service_context=contexts, body=body, version=version, byte_order=order))


class Cutting(RuleBasedStateMachine):
    """Octets arrive as they like; what came out so far is what came in, but for less than a piece and what is incomplete."""

    def __init__(self) -> None:
        super().__init__()
        self.cutter = Cutter()
        self.to_come = bytearray()
        self.arrived = bytearray()
        self.passed = bytearray()
        self.left = 0

    @rule(octets=messages())
    def say(self, octets: bytes) -> None:
        self.to_come += octets

    @precondition(lambda self: self.to_come)
    @rule(share=st.one_of(st.floats(0, 1), st.just(1.0)), few=st.integers(1, 20), by_share=st.booleans())
    def arrive(self, share: float, few: int, by_share: bool) -> None:
        count = max(1, int(share * len(self.to_come))) if by_share else few
        data = bytes(self.to_come[:count])
        del self.to_come[:count]
        self.arrived += data
        idle = self.cutter.idle
        header = self.cutter.whole(data)
        assert header is None or idle
        if header is not None:
            assert header.size == len(data)
            self.passed += data
            return
        for piece in self.cutter.cut(data):
            if piece.header is None:
                assert self.left > 0
            else:
                assert self.left == 0
                assert piece.header == cut_header(piece.octets, DEFAULT_LIMITS)
                assert len(piece.octets) >= min(PIECE, piece.header.size)
                self.left = piece.header.size
            self.left -= len(piece.octets)
            assert self.left >= 0
            assert piece.ends is (self.left == 0)
            self.passed += piece.octets

    @invariant()
    def nothing_is_lost_or_held(self) -> None:
        assert self.arrived.startswith(self.passed)
        assert len(self.arrived) - len(self.passed) < PIECE
        assert self.cutter.arriving is (self.left > 0)
        assert self.cutter.unfinished is (self.left > 0 or len(self.passed) < len(self.arrived))
        assert self.cutter.idle is not self.cutter.unfinished


TestCutting = Cutting.TestCase


@given(messages(), st.integers(0, 0xFFFFFFFF))
def test_ids(octets: bytes, other: int) -> None:
    header, message = cut_header(octets, DEFAULT_LIMITS), decode(octets)
    assert isinstance(message, (Request, Reply))
    found = id_of(header, octets)
    if found is None:
        assert header.version < GIOP_1_2
        assert message.service_context
    else:
        assert found[0] == message.request_id
        changed = decode(with_id(header, octets, found[1], other))
        assert isinstance(changed, (Request, Reply))
        assert changed.request_id == other


@given(st.binary(max_size=24), VERSIONS, st.sampled_from([0, 1, 3, 7]), st.booleans())
def test_ids_of_what_is_too_short(octets: bytes, version: Version, kind: int, little: bool) -> None:
    start = b"GIOP" + bytes((version.major, version.minor, little, kind)) + len(octets).to_bytes(4, "little" if little else "big")
    if kind == 7 and version is GIOP_1_0:
        return
    header = cut_header(start + octets, DEFAULT_LIMITS)
    found = id_of(header, start + octets)
    assert found is None or found[1] + 4 <= HEADER_SIZE + len(octets)


@given(st.sampled_from([GIOP_1_1, GIOP_1_2]), st.integers(32, 200), st.integers(0, 60), CONTEXTS, st.data())
def test_beginnings_grow_until_they_tell(
    version: Version, size: int, length: int, contexts: tuple[ServiceContext, ...], data: st.DataObject
) -> None:
    """However many fragments are joined to the first, the message is the same when it is whole."""
    asked = Request(7, "operation", key_address(b"key" * length), 3, contexts, Body.of(OCTETS, (bytes(100),)), version=version)
    first, *others = split(encode(asked), version, size)
    if not others:
        return
    beginnings, header, octets = Beginnings(), cut_header(first, DEFAULT_LIMITS), first
    others.reverse()
    for _ in range(data.draw(st.integers(1, len(others)))):
        beginnings.keep(header, octets, True)
        grown = None
        while grown is None:
            fragment = others.pop()
            assert beginnings.has(cut_header(fragment, DEFAULT_LIMITS), fragment)
            grown = beginnings.grow(cut_header(fragment, DEFAULT_LIMITS), fragment, True)
        assert isinstance(grown.header, Header)
        header, octets = grown.header, grown.octets
        assert cut_header(octets, DEFAULT_LIMITS) == header
        if not others:
            break
    assert not beginnings
    if not header.more_fragments:
        whole: bytes | None = octets
    else:
        reassembler = Reassembler(DEFAULT_LIMITS)
        whole = reassembler.add(header, octets)
        for fragment in reversed(others):
            whole = reassembler.add(cut_header(fragment, DEFAULT_LIMITS), fragment)
    assert whole is not None
    assert decode(whole) == asked
