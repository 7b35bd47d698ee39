"""What can go wrong in this library itself; the exceptions CORBA defines are in `iiop.exceptions.corba`.

One family per door: decoding raises `DecodeError` kinds only, a connection's `next_event()` only `RemoteProtocolError`, an
invocation only `CorbaException`, `TransportError`, `DeadlineExceeded` or `FailoverExhausted`. Anything else that reaches a
caller is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

__all__ = [
    "Attempt",
    "CodecError",
    "CompletionStatus",
    "ConnectFailed",
    "ConnectionLost",
    "DeadlineExceeded",
    "DecodeError",
    "EncodeError",
    "FailoverExhausted",
    "IIOPError",
    "LimitExceeded",
    "LocalProtocolError",
    "ProtocolError",
    "ReferenceFormatError",
    "RemoteProtocolError",
    "TrailingDataError",
    "TransportError",
    "TruncatedError",
]


class CompletionStatus(IntEnum):
    """Say how far an operation got before it failed; members and values are those of the IDL (CORBA 3.3 part 1, 8.6.4)."""

    COMPLETED_YES = 0
    COMPLETED_NO = 1
    COMPLETED_MAYBE = 2


class Attempt(NamedTuple):
    """Record one try of an invocation: where, how it ended, and how many seconds it took."""

    endpoint: str
    error: BaseException
    elapsed: float


class IIOPError(Exception):
    """Stand above everything this library raises.

    Attributes:
        attempts: where an invocation ends with this error, the tries and acquisitions that failed before, in order.
    """

    attempts: tuple[Attempt, ...] = ()


class CodecError(IIOPError, ValueError):
    """Report octets or a value that do not fit their declared type.

    Attributes:
        reason: what is wrong, without the place.
        path: the field, as `profiles[0].host`; empty for the outermost value.
        offset: octets from the start of the message or encapsulation chain; None while encoding.
        excerpt: up to 16 octets around the place; empty while encoding.
        corba: class and minor code of the system exception that says the same; None where that is MARSHAL.
    """

    def __init__(
        self,
        reason: str,
        *,
        path: str = "",
        offset: int | None = None,
        excerpt: bytes = b"",
        corba: tuple[type[Any], int] | None = None,
    ) -> None:
        self.reason = reason
        self.path = path
        self.offset = offset
        self.excerpt = excerpt
        self.corba = corba
        super().__init__(reason)

    def __str__(self) -> str:
        place = self.path or "value"
        if self.offset is not None:
            place += f" at offset {self.offset}"
        text = f"{place}: {self.reason}"
        if self.excerpt:
            text += f" (octets here: {self.excerpt.hex(' ')})"
        return text


class EncodeError(CodecError):
    """Report a value that does not fit its type."""


class DecodeError(CodecError):
    """Report octets that are not a value of the type."""


class TruncatedError(DecodeError):
    """Report that the octets end inside a value."""


class TrailingDataError(DecodeError):
    """Report octets left over after a value that should have ended them."""


class LimitExceeded(DecodeError):
    """Report a size beyond `iiop.limits.Limits`.

    Attributes:
        limit: name of the limit.
        value: what the peer asked for, in the unit of the limit.
    """

    def __init__(
        self, reason: str, *, limit: str, value: int, path: str = "", offset: int | None = None, excerpt: bytes = b""
    ) -> None:
        super().__init__(reason, path=path, offset=offset, excerpt=excerpt)
        self.limit = limit
        self.value = value


class ProtocolError(IIOPError):
    """Stand above both directions of breaking GIOP."""


class LocalProtocolError(ProtocolError):
    """Report that we were asked for what GIOP forbids; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """Report what the peer sent against GIOP; the connection is unusable from here on.

    Attributes:
        response: the message to send before closing (a MessageError or CloseConnection), or None for a silent close.
        partial: the message as far as it was understood, or None.
    """

    def __init__(self, reason: str, *, response: Any = None, partial: Any = None) -> None:
        super().__init__(reason)
        self.response = response
        self.partial = partial


class ReferenceFormatError(IIOPError, ValueError):
    """Report text that is not an `IOR:`, `corbaloc:`, `corbaname:` or stringified name.

    Attributes:
        reason: what is wrong, without the place.
        text: the text as given.
        position: index into `text` of the first character that does not fit.
    """

    def __init__(self, reason: str, *, text: str = "", position: int = 0) -> None:
        self.reason = reason
        self.text = text
        self.position = position
        super().__init__(reason)

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return f"{self.reason} (character {self.position} of {shown!r})"


class TransportError(IIOPError, ConnectionError):
    """Stand above failures of the connection below GIOP."""


class ConnectFailed(TransportError):
    """Report that no connection came about: nothing was sent."""


class ConnectionLost(TransportError):
    """Report that an established connection ended without the peer's CloseConnection.

    Attributes:
        completed: NO if the request that was waiting had not left, MAYBE otherwise.
    """

    def __init__(self, reason: str, *, completed: CompletionStatus = CompletionStatus.COMPLETED_MAYBE) -> None:
        super().__init__(reason)
        self.completed = completed


def _listing(reason: object, attempts: Sequence[Attempt]) -> str:
    lines = [str(reason)]
    for attempt in attempts:
        name, text = type(attempt.error).__name__, str(attempt.error)
        shown = text if text.startswith(name) else f"{name}: {text}"
        lines.append(f"  {attempt.endpoint}: {shown} (after {attempt.elapsed:.3f} s)")
    return "\n".join(lines)


class DeadlineExceeded(IIOPError, TimeoutError):
    """Report that the time given to a call, or to one attempt of it, is over.

    Attributes:
        completed: NO if no request can have run, MAYBE otherwise.
        attempts: every try that failed before, in order; empty where one attempt ran out of its own time.
    """

    def __init__(
        self,
        reason: str,
        *,
        completed: CompletionStatus = CompletionStatus.COMPLETED_MAYBE,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        self.completed = completed
        self.attempts = tuple(attempts)
        super().__init__(reason)

    def __str__(self) -> str:
        return _listing(self.args[0], self.attempts)


class FailoverExhausted(IIOPError):
    """Report that every endpoint was tried as often as the policy allows, and none answered.

    `__cause__` is the last error.

    Attributes:
        attempts: every try in order.
        completed: NO if no try can have run, MAYBE if a repeatable operation may have.
    """

    def __init__(
        self,
        reason: str,
        *,
        attempts: Sequence[Attempt] = (),
        completed: CompletionStatus = CompletionStatus.COMPLETED_NO,
    ) -> None:
        self.attempts = tuple(attempts)
        self.completed = completed
        super().__init__(reason)

    def __str__(self) -> str:
        return _listing(self.args[0], self.attempts)
