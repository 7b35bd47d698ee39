"""Binding iterators: where each client stands in a listing it has begun to read.

Knows listings; no names, no contexts, no clock: `now` is an argument, in seconds on a clock that never goes back. A listing is a
snapshot, so an iterator stays consistent whatever is bound or unbound meanwhile.

Invariant: at most `Limits.iterators` are alive, over at most `Limits.iterator_bindings`, and none that was not used for
`Limits.iterator_time`. One more ends those used longest ago, whose clients then get OBJECT_NOT_EXIST: the specification
allows a server to do that at any time, and clients that never call destroy() are many. The bounds are the service's, not those of
a client, which comes over as many connections as it likes: one that is read goes on, whatever others leave behind.

Source: OMG Naming Service 1.3 (formal/2004-10-03), clause 2.2.3 "BindingIterator".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iiop.exceptions.corba import BAD_PARAM, OBJECT_NOT_EXIST, CompletionStatus
from iiop.limits import DEFAULT_LIMITS, Limits
from naming.model import DEFAULT_PROFILE, Profile
from naming.types import Binding, BindingType

__all__ = ["BindingIterators", "END_OF_LIST"]

END_OF_LIST = Binding((), BindingType.nobject)
"""What `next_one` gives beside False; the specification leaves it open, this is omniNames' answer."""


@dataclass(slots=True)
class _Position:
    listing: Sequence[Binding]
    next: int
    used: float


class BindingIterators:
    """Keep the iterators of one Naming Service, by a number that goes into their object key.

    Args:
        limits: `iterators` bounds how many are alive, `iterator_bindings` what they hold, one is always allowed; `iterator_time`
            how long an idle one is.
        profile: `omninames` lets `next_n(0)` pass.
        first: number of the first iterator; a server that starts again takes one it has not used, so that iterators of its
            former life are not taken for new ones.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, *, profile: Profile = DEFAULT_PROFILE, first: int = 0) -> None:
        self._limit = max(limits.iterators, 1)
        self._most_bindings = limits.iterator_bindings
        self._bindings = 0
        self._time = limits.iterator_time
        self._profile = profile
        self._next_number = first
        self._positions: dict[int, _Position] = {}

    def __len__(self) -> int:
        return len(self._positions)

    def expire(self, now: float) -> None:
        """End the iterators that nobody has used for long; everything else here does that first."""
        while self._positions:
            number, position = next(iter(self._positions.items()))
            if now - position.used < self._time:
                break
            self._end(number)

    def list(self, listing: Sequence[Binding], how_many: int, now: float) -> tuple[tuple[Binding, ...], int | None]:
        """Answer `NamingContext::list`.

        Args:
            listing: all bindings of the context, a snapshot.
            how_many: the most bindings to give at once; 0 gives them all to the iterator.
            now: seconds.

        Returns:
            The first bindings, and the number of an iterator over the others, or None if there are no others.
        """
        page = tuple(listing[:how_many])
        if len(page) == len(listing):
            return page, None
        self.expire(now)
        while self._positions and (len(self._positions) >= self._limit or self._bindings + len(listing) > self._most_bindings):
            self._end(next(iter(self._positions)))
        number = self._next_number
        self._next_number += 1
        self._positions[number] = _Position(listing, len(page), now)
        self._bindings += len(listing)
        return page, number

    def next_one(self, number: int, now: float) -> tuple[bool, Binding]:
        """Answer `BindingIterator::next_one`.

        Returns:
            (True, the next binding), or (False, `END_OF_LIST`).

        Raises:
            OBJECT_NOT_EXIST: no such iterator, or no more.
        """
        more, page = self._advance(number, 1, now)
        return more, page[0] if more else END_OF_LIST

    def next_n(self, number: int, how_many: int, now: float) -> tuple[bool, tuple[Binding, ...]]:
        """Answer `BindingIterator::next_n`.

        Returns:
            (True, at most `how_many` bindings, at least one), or (False, ()).

        Raises:
            BAD_PARAM: `how_many` is 0 (not in profile omninames, where the answer is (False, ())).
            OBJECT_NOT_EXIST: no such iterator, or no more.
        """
        if how_many == 0 and self.exists(number, now) and self._profile is not Profile.omninames:
            raise BAD_PARAM(0, CompletionStatus.COMPLETED_NO)
        return self._advance(number, how_many, now)

    def destroy(self, number: int, now: float) -> None:
        """Answer `BindingIterator::destroy`.

        Raises:
            OBJECT_NOT_EXIST: no such iterator, or no more.
        """
        self.expire(now)
        if number not in self._positions:
            raise OBJECT_NOT_EXIST(0, CompletionStatus.COMPLETED_NO)
        self._end(number)

    def exists(self, number: int, now: float) -> bool:
        """Tell whether an iterator is alive; does not count as use."""
        self.expire(now)
        return number in self._positions

    def _end(self, number: int) -> None:
        self._bindings -= len(self._positions.pop(number).listing)

    def _advance(self, number: int, how_many: int, now: float) -> tuple[bool, tuple[Binding, ...]]:
        self.expire(now)
        position = self._positions.pop(number, None)
        if position is None:
            raise OBJECT_NOT_EXIST(0, CompletionStatus.COMPLETED_NO)
        self._positions[number] = position
        page = tuple(position.listing[position.next : position.next + how_many])
        position.next += len(page)
        position.used = now
        return bool(page), page
