"""What the construct engine reads from, and how it words what is wrong: paths, offsets, limits, a trace of what was recognised.

It must not know types.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from iiop.exceptions.errors import DecodeError, EncodeError, LimitExceeded, TruncatedError
from iiop.leniency import Leniency
from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = ["Explained", "Input", "Stream", "align", "readable", "refuse", "shown", "take"]

EXCERPT = 16


@dataclass(frozen=True, slots=True)
class Explained:
    """Describe octets of one field: where they are, and what they say.

    Attributes:
        offset: octets from the start of the outermost stream.
        length: octets, padding before the field not included.
        path: as `profiles[0].host`.
        type: IDL spelling of the type.
        value: decoded.
    """

    offset: int
    length: int
    path: str
    type: str
    value: Any


@dataclass
class Input:
    """Hold the octets being parsed, where they start in the outermost stream, and what was recognised so far.

    Attributes:
        patience: is advanced by every field; where it ends, so does the parse.
        depth: nested values we are inside of.
    """

    octets: bytes
    limits: Limits = DEFAULT_LIMITS
    start: int = 0
    base: int = 0
    trace: list[Explained] | None = None
    patience: Iterator[bool] = field(default_factory=lambda: itertools.repeat(True))
    depth: int = 0
    stream: Stream = field(init=False)

    def __post_init__(self) -> None:
        self.stream = Stream(self.octets)
        self.stream.seek(self.start)
        self.stream.input = self

    def inner(self, octets: bytes, offset: int) -> Input:
        """Open an encapsulation whose first octet is at `offset` of this stream."""
        return Input(octets, self.limits, 0, self.base + offset, self.trace, self.patience, self.depth)

    def fail(self, reason: str, path: str, offset: int, kind: type[DecodeError] = DecodeError) -> NoReturn:
        raise kind(
            reason,
            path=readable(path),
            offset=self.base + offset,
            excerpt=self.octets[max(0, offset) : offset + EXCERPT],
        )

    def check(self, limit: str, value: int, path: str, offset: int) -> None:
        """Refuse `value` where it is beyond the limit of that name."""
        most = getattr(self.limits, limit)
        if value > most:
            raise LimitExceeded(
                f"{value} exceeds the limit {limit}={most}",
                limit=limit,
                value=value,
                path=readable(path),
                offset=self.base + offset,
                excerpt=self.octets[offset : offset + EXCERPT],
            )

    @contextlib.contextmanager
    def nested(self, path: str, offset: int) -> Iterator[None]:
        """Be inside one more nested value."""
        self.check("nesting", self.depth + 1, path, offset)
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def note(self, offset: int, path: str, kind: str, value: Any) -> None:
        if self.trace is not None:
            length = self.stream.tell() - offset
            self.trace.append(Explained(self.base + offset, length, readable(path), kind, value))


class Stream(io.BytesIO):
    input: Input


def readable(path: str) -> str:
    """Turn construct's `(parsing) -> profiles[0] -> host` into `profiles[0].host`."""
    first, *rest = path.removeprefix("(parsing)").removeprefix("(building)").split(" -> ")
    return ".".join([first, *rest] if first else rest)


def align(stream: Stream, size: int, path: str) -> int:
    """Go to the next multiple of `size`, and return it."""
    start = stream.tell()
    at = start + -start % size
    padding = stream.input.octets[start:at]
    if any(padding) and Leniency.OMNIORB_PADDING not in stream.input.limits.leniency:
        stream.input.fail("padding that is not zero", path, start)
    return stream.seek(at)


def take(stream: Stream, count: int, path: str, what: str) -> bytes:
    at = stream.tell()
    if not next(stream.input.patience, False):
        stream.input.fail("refused, but not for one of the fields before this one; further ones are not looked at", path, at)
    octets = stream.read(count)
    if len(octets) < count:
        stream.input.fail(f"{what} needs {count} octets, {len(octets)} are left", path, at, TruncatedError)
    return octets


def refuse(reason: str, path: str) -> NoReturn:
    raise EncodeError(reason, path=readable(path))


def shown(value: Any) -> str:
    """Return the repr of a user's value, cut short; its type where it has none (Python writes no integer of 5000 digits)."""
    try:
        shown = repr(value)
    except Exception:
        return f"a value of type {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
