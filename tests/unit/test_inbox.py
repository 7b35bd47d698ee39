"""The inbox gives back the octets it was given, in order, however they came and are cut."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from iiop.connection.inbox import FEW, Inbox

PIECES = st.one_of(
    st.binary(min_size=1, max_size=20),
    st.integers(FEW - 2, 3 * FEW).map(lambda size: bytes(number & 0xFF for number in range(size))),
)


@given(st.lists(st.tuples(PIECES, st.lists(st.tuples(st.booleans(), st.integers(1, 5000)), max_size=4)), max_size=12))
def test_the_octets_in_order(steps: list[tuple[bytes, list[tuple[bool, int]]]]) -> None:
    inbox, model = Inbox(), b""
    for piece, wishes in steps:
        inbox.add(piece)
        model += piece
        for keep, size in wishes:
            if size <= len(model):
                assert (inbox.peek(size) if keep else inbox.cut(size)) == model[:size]
                model = model if keep else model[size:]
            assert inbox.size == len(model)
    assert not model or inbox.cut(len(model)) == model
    assert not inbox.size


def test_a_message_in_one_piece_is_not_copied() -> None:
    inbox, message = Inbox(), bytes(100)
    inbox.add(message)
    assert inbox.peek(12) == bytes(12)
    assert inbox.cut(100) is message


def test_small_pieces_take_the_room_of_their_octets() -> None:
    inbox = Inbox()
    for _ in range(10_000):
        inbox.add(b"x")
    assert sum(map(sys.getsizeof, inbox._pieces)) < 12_000
    assert inbox.cut(10_000) == b"x" * 10_000


def test_what_is_gone_takes_no_room_though_there_is_always_a_rest() -> None:
    """As for a peer whose every piece ends in the middle of a message, once one whole message has waited for the next."""
    inbox = Inbox()
    inbox.add(b"x" * 100)
    inbox.add(b"y" * 20)
    assert inbox.cut(100) == b"x" * 100
    for _ in range(1000):
        inbox.add(b"y" * 100)
        assert inbox.cut(100) == b"y" * 100
    assert sum(map(sys.getsizeof, inbox._pieces)) < 1000
    assert inbox.cut(20) == b"y" * 20


def test_what_is_cleared_is_gone() -> None:
    inbox = Inbox()
    inbox.add(b"GIOP and more")
    assert inbox.cut(4) == b"GIOP"
    inbox.clear()
    assert not inbox.size
    inbox.add(b"new")
    assert inbox.cut(3) == b"new"
