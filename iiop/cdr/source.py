"""What the construct engine reads from and writes to, and how it words what is wrong: paths, offsets, limits, a trace.

It must not know types, but for `ByteOrder`. What a message holds of values (clause 9.3.4) is kept here for `value_constructs`;
that data may lie in chunks shows in `Input.begin`, `take` and `Output.begin` only, through which every field goes.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, NoReturn, Protocol

from iiop.cdr.types import ByteOrder
from iiop.exceptions.errors import CodecError, DecodeError, EncodeError, LimitExceeded, TruncatedError
from iiop.leniency import Leniency
from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = ["Explained", "Input", "Output", "Remainder", "Stream", "readable", "refuse", "shown", "take"]

EXCERPT = 16
ONE_BUFFER = 4096


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


class Remainder(NamedTuple):
    """Hold what was not read as yet, and what reading it needs."""

    octets: bytes
    position: int
    byte_order: ByteOrder
    limits: Limits


class Chunks(Protocol):
    """Tell where the chunk ends that data are read from, and open the one behind it."""

    end: int

    def open(self, path: str) -> None: ...


@dataclass
class Input:
    """Hold the octets being parsed, where they start in the outermost stream, and what was recognised so far.

    Attributes:
        patience: is advanced by every field; where it ends, so does the parse.
        bounded_by: name of the limit that `patience` is, if it is one.
        depth: nested values we are inside of.
        whole: whether the octets are parsed from their start, so that no value is mentioned that was not seen.
        values: what began where, for whatever mentions it: values, and the texts and lists of texts in their headers; and
            which types such texts told.
        chunks: of the chunked value whose state is being read.
    """

    octets: bytes
    limits: Limits = DEFAULT_LIMITS
    start: int = 0
    base: int = 0
    trace: list[Explained] | None = None
    patience: Iterator[bool] = field(default_factory=lambda: itertools.repeat(True))
    bounded_by: str | None = None
    depth: int = 0
    whole: bool = True
    values: dict[Any, Any] = field(default_factory=dict)
    chunks: Chunks | None = None
    stream: Stream = field(init=False)

    def __post_init__(self) -> None:
        self.stream = Stream(self.octets)
        self.stream.seek(self.start)
        self.stream.input = self

    def inner(self, octets: bytes, offset: int) -> Input:
        """Open an encapsulation whose first octet is at `offset` of this stream."""
        return Input(
            octets, self.limits, 0, self.base + offset, self.trace, self.patience, self.bounded_by, self.depth, self.whole
        )

    def begin(self, alignment: int, path: str) -> int:
        """Go to where the next field stands, into the next chunk if this one has no room, and return that offset."""
        start = self.stream.tell()
        if self.chunks is not None and start + -start % alignment >= self.chunks.end:
            self.chunks.open(path)
            start = self.stream.tell()
        at = start + -start % alignment
        if any(self.octets[start:at]) and Leniency.OMNIORB_PADDING not in self.limits.leniency:
            self.fail("padding that is not zero", path, start)
        return self.stream.seek(at)

    def fail(self, reason: str | Exception, path: str, offset: int, kind: type[DecodeError] = DecodeError) -> NoReturn:
        reason, corba = _told(reason)
        raise kind(
            reason,
            path=readable(path),
            offset=self.base + offset,
            excerpt=self.octets[max(0, offset) : offset + EXCERPT],
            corba=corba,
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


def take(stream: Stream, count: int, path: str, what: str) -> bytes:
    source = stream.input
    at = stream.tell()
    if not next(source.patience, False):
        if source.bounded_by is not None:
            source.check(source.bounded_by, getattr(source.limits, source.bounded_by) + 1, path, at)
        source.fail("refused, but not for one of the fields before this one; further ones are not looked at", path, at)
    if source.chunks is not None and at + count > source.chunks.end:
        source.fail(f"{what} needs {count} octets, its chunk has {max(0, source.chunks.end - at)} left", path, at)
    octets = stream.read(count)
    if len(octets) < count:
        source.fail(f"{what} needs {count} octets, {len(octets)} are left", path, at, TruncatedError)
    return octets


class Output(io.BytesIO):
    """Take the octets that the construct engine writes; its first octet is the origin of alignment.

    Attributes:
        values: what was written where: values by identity, with their type and themselves, so that the identity stays theirs;
            the texts of their headers.
        order: byte order of the sizes of chunks.
        whole: whether all that is written is written here.
        level: chunked values around, 0 where no chunks are written.
        chunk: where the size of the open chunk stands.
        ended: where the last end tag ends.
    """

    def __init__(self, order: Literal["big", "little"], octets: bytes = b"", whole: bool = True) -> None:
        super().__init__(octets)
        self.order = order
        self.whole = whole
        self.values: dict[Any, Any] = {}
        self.level = 0
        self.chunk: int | None = None
        self.ended = -1

    def begin(self, alignment: int) -> None:
        """Pad to where the next field stands, in a chunk if it is state of a chunked value."""
        if self.level and self.chunk is None:
            self.write(bytes(-self.tell() % 4))
            self.chunk = self.tell()
            self.write(bytes(4))
        self.write(bytes(-self.tell() % alignment))

    def end_array(self) -> None:
        """Close the chunk behind a string or array, unless that is near the start of all.

        omniORB 4.3.3 loses its place where octets run over the end of its buffer, of 8192 octets, and their chunk goes on.
        """
        if self.tell() > ONE_BUFFER:
            self.end_chunk()

    def end_chunk(self) -> None:
        """Close the open chunk, if there is one."""
        if self.chunk is None:
            return
        size = self.tell() - self.chunk - 4
        self.seek(self.chunk)
        self.write(size.to_bytes(4, self.order))
        self.seek(0, io.SEEK_END)
        self.chunk = None


def refuse(reason: str | Exception, path: str) -> NoReturn:
    reason, corba = _told(reason)
    raise EncodeError(reason, path=readable(path), corba=corba)


def _told(reason: str | Exception) -> tuple[str, tuple[type[Any], int] | None]:
    """Return what an error that knows no place says."""
    return (reason.reason, reason.corba) if isinstance(reason, CodecError) else (str(reason), None)


def shown(value: Any) -> str:
    """Return the repr of a user's value, cut short; its type where it has none (Python writes no integer of 5000 digits)."""
    try:
        shown = repr(value)
    except Exception:
        return f"a value of type {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
