"""The exceptions CORBA defines, by repository id: the standard system exceptions, and the base of those written in IDL.

Knows names, repository ids and completion; must not know how an exception is laid out on the wire, nor what a caller does
about it. Standard system exceptions are those of CORBA 3.3 part 1 (formal/2012-11-12), 8.6.5 and annex A.

Two exceptions are equal if they are of one class and carry the same values, so that a test can compare what was raised with
what was meant. The hash is that of the class, because the values may be lists.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import ClassVar

from iiop.exceptions.errors import (
    CodecError,
    CompletionStatus,
    DecodeError,
    IIOPError,
    LimitExceeded,
    TrailingDataError,
    TruncatedError,
)
from iiop.exceptions.minor import explain_minor

__all__ = [
    "CompletionStatus",
    "CorbaException",
    "SystemException",
    "UserException",
    "UnknownUserException",
    "system_exception",
    "refusal",
    "register_exception",
    "user_exception_class",
    "UNKNOWN",
    "BAD_PARAM",
    "NO_MEMORY",
    "IMP_LIMIT",
    "COMM_FAILURE",
    "INV_OBJREF",
    "NO_PERMISSION",
    "INTERNAL",
    "MARSHAL",
    "INITIALIZE",
    "NO_IMPLEMENT",
    "BAD_TYPECODE",
    "BAD_OPERATION",
    "NO_RESOURCES",
    "NO_RESPONSE",
    "PERSIST_STORE",
    "BAD_INV_ORDER",
    "TRANSIENT",
    "FREE_MEM",
    "INV_IDENT",
    "INV_FLAG",
    "INTF_REPOS",
    "BAD_CONTEXT",
    "OBJ_ADAPTER",
    "DATA_CONVERSION",
    "OBJECT_NOT_EXIST",
    "TRANSACTION_REQUIRED",
    "TRANSACTION_ROLLEDBACK",
    "INVALID_TRANSACTION",
    "INV_POLICY",
    "CODESET_INCOMPATIBLE",
    "REBIND",
    "TIMEOUT",
    "TRANSACTION_UNAVAILABLE",
    "TRANSACTION_MODE",
    "BAD_QOS",
    "INVALID_ACTIVITY",
    "ACTIVITY_COMPLETED",
    "ACTIVITY_REQUIRED",
    "THREAD_CANCELLED",
]


class CorbaException(IIOPError):
    """Stand above what a servant, or an ORB on its behalf, answers instead of a result."""

    def _values(self) -> tuple[object, ...]:
        return self.args

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CorbaException):
            return NotImplemented
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(type(self))


_system_exceptions: dict[str, type[SystemException]] = {}
_user_exceptions: dict[str, type[UserException]] = {}


class SystemException(CorbaException):
    """Stand above the exceptions every operation may raise.

    A direct subclass is one more system exception, known by its `repository_id` from then on; the id follows from the class
    name unless the class states one. Deeper subclasses share the identity of their parent.

    Attributes:
        repository_id: as `IDL:omg.org/CORBA/COMM_FAILURE:1.0`.
        minor: 32 bits, the upper 20 naming a vendor; 0 says nothing.
        completed: how far the operation got; MAYBE where nothing is said, for only NO allows a caller to repeat it.
        received: whether a peer sent it, rather than our own code.
    """

    repository_id: str = "IDL:omg.org/CORBA/SystemException:1.0"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if SystemException in cls.__bases__:
            if "repository_id" not in vars(cls):
                cls.repository_id = f"IDL:omg.org/CORBA/{cls.__name__}:1.0"
            _system_exceptions[cls.repository_id] = cls

    received: bool = False

    def __init__(self, minor: int = 0, completed: CompletionStatus = CompletionStatus.COMPLETED_MAYBE) -> None:
        self.minor = minor
        self.completed = completed
        super().__init__(minor, completed)

    def _values(self) -> tuple[object, ...]:
        return self.repository_id, self.minor, self.completed

    def __str__(self) -> str:
        """Show name, minor code with what is known about it, and completion."""
        name = _local_name(self.repository_id)
        known = explain_minor(name, self.minor)
        shown = type(self).__name__
        if self.repository_id != type(self).repository_id:
            shown += f" ({self.repository_id})"
        text = f"{shown}: minor {self.minor:#010x}" if self.minor else f"{shown}: minor 0"
        if known is not None:
            text += f" ({' '.join(filter(None, (known.vendor, known.name)))}{known.meaning and ': ' + known.meaning})"
        return f"{text}, {self.completed.name}"


def refusal(error: CodecError, completed: CompletionStatus) -> SystemException:
    """Return the system exception that octets or a value get which do not fit their type: MARSHAL, or what says it better.

    The OMG has no minor codes for octets that cannot be read, so MARSHAL then carries those of omniORB, which operators know.
    """
    kind, minor = error.corba or (MARSHAL, _unreadable(error))
    exception: SystemException = kind(minor, completed)
    return exception


def _unreadable(error: CodecError) -> int:
    match error:
        case TruncatedError():
            return 0x4154000A  # MARSHAL_PassEndOfMessage
        case TrailingDataError():
            return 0x4154005D  # MARSHAL_MessageTooLong
        case LimitExceeded(limit="sequence_length"):
            return 0x41540012  # MARSHAL_SequenceIsTooLong
        case LimitExceeded(limit="string_length"):
            return 0x41540013  # MARSHAL_StringIsTooLong
        case DecodeError():
            return 0x4154008F  # MARSHAL_InvalidGIOPMessage
    return 0


class UNKNOWN(SystemException):
    """Report an exception that has no name here: `repository_id` of the instance keeps the one the peer sent."""


class BAD_PARAM(SystemException):
    """Report an argument out of range or otherwise not acceptable."""


class NO_MEMORY(SystemException):
    """Report that memory ran out."""


class IMP_LIMIT(SystemException):
    """Report that a limit of the implementation was reached."""


class COMM_FAILURE(SystemException):
    """Report that communication broke while an operation was under way."""


class INV_OBJREF(SystemException):
    """Report a malformed, or no longer usable, object reference."""


class NO_PERMISSION(SystemException):
    """Report that the caller may not do this."""


class INTERNAL(SystemException):
    """Report a fault inside the ORB."""


class MARSHAL(SystemException):
    """Report a request or reply whose octets do not fit the operation."""


class INITIALIZE(SystemException):
    """Report that the ORB could not be initialised."""


class NO_IMPLEMENT(SystemException):
    """Report an operation that is declared but has no implementation at hand."""


class BAD_TYPECODE(SystemException):
    """Report a malformed TypeCode."""


class BAD_OPERATION(SystemException):
    """Report an operation the object does not have."""


class NO_RESOURCES(SystemException):
    """Report that some resource of the ORB ran out."""


class NO_RESPONSE(SystemException):
    """Report that a deferred request has no answer yet."""


class PERSIST_STORE(SystemException):
    """Report that persistent storage failed."""


class BAD_INV_ORDER(SystemException):
    """Report calls made in the wrong order."""


class TRANSIENT(SystemException):
    """Report that the object was not reached, though it may be later."""


class FREE_MEM(SystemException):
    """Report that memory could not be given back."""


class INV_IDENT(SystemException):
    """Report an identifier that is no IDL identifier."""


class INV_FLAG(SystemException):
    """Report a flag the operation does not know."""


class INTF_REPOS(SystemException):
    """Report that the Interface Repository was not reached or does not know."""


class BAD_CONTEXT(SystemException):
    """Report an IDL context without the property an operation needs."""


class OBJ_ADAPTER(SystemException):
    """Report a failure of the object adapter, as a missing servant."""


class DATA_CONVERSION(SystemException):
    """Report a value that cannot be converted, as a character outside the negotiated code set."""


class OBJECT_NOT_EXIST(SystemException):
    """Report with authority that the object is gone: its reference may be thrown away."""


class TRANSACTION_REQUIRED(SystemException):
    """Report an operation that needs a transaction and got none."""


class TRANSACTION_ROLLEDBACK(SystemException):
    """Report that the transaction of the request was, or will be, rolled back."""


class INVALID_TRANSACTION(SystemException):
    """Report a transaction context that is not valid."""


class INV_POLICY(SystemException):
    """Report policies that contradict one another."""


class CODESET_INCOMPATIBLE(SystemException):
    """Report that client and server have no code set in common."""


class REBIND(SystemException):
    """Report that a reference would have to be bound anew where its policy forbids it."""


class TIMEOUT(SystemException):
    """Report that the time to live of a request is over."""


class TRANSACTION_UNAVAILABLE(SystemException):
    """Report that the transaction service was not reached."""


class TRANSACTION_MODE(SystemException):
    """Report a transaction of the wrong kind for the target."""


class BAD_QOS(SystemException):
    """Report that the quality of service asked for cannot be given."""


class INVALID_ACTIVITY(SystemException):
    """Report an activity or transaction resumed in another context than the one it was suspended in."""


class ACTIVITY_COMPLETED(SystemException):
    """Report a method that ran within an activity which is over."""


class ACTIVITY_REQUIRED(SystemException):
    """Report an operation that needs an activity and got none."""


class THREAD_CANCELLED(SystemException):
    """Report that the thread which served the request was cancelled."""


def _local_name(repository_id: str) -> str:
    parts = repository_id.split(":")
    return parts[1].rsplit("/", 1)[-1] if len(parts) >= 2 else repository_id


def system_exception(repository_id: str, minor: int, completed: int) -> SystemException:
    """Make the system exception a peer answered with.

    Args:
        repository_id: as received; ids of early ORBs, without `omg.org/`, are understood too. An id nobody registered gives
            `UNKNOWN`, whose `repository_id` and `minor` are the ones received.
        minor: as received.
        completed: as received. A value that is no `CompletionStatus` becomes COMPLETED_MAYBE: a peer that says something
            unintelligible has not said that the operation did not run, and MAYBE is the one status that neither repeats it
            behind the caller's back nor claims that it was done.

    Returns:
        The exception, not raised.
    """
    try:
        status = CompletionStatus(completed)
    except ValueError:
        status = CompletionStatus.COMPLETED_MAYBE
    cls = _system_exceptions.get(repository_id)
    if cls is None and repository_id.startswith("IDL:CORBA/"):
        cls = _system_exceptions.get(repository_id.replace("IDL:", "IDL:omg.org/", 1))
    if cls is not None:
        return cls(minor, status)
    unknown = UNKNOWN(minor, status)
    unknown.repository_id = repository_id
    return unknown


class UserException(CorbaException):
    """Stand above the exceptions an IDL `raises` clause names.

    A typed one is a dataclass that leaves equality to this class:

    >>> from dataclasses import dataclass
    >>> @dataclass(eq=False)
    ... class Overdrawn(UserException):
    ...     repository_id: ClassVar[str] = "IDL:Bank/Overdrawn:1.0"
    ...     missing: int
    >>> Overdrawn(5) == Overdrawn(missing=5)
    True
    >>> str(Overdrawn(5))
    'Overdrawn: missing=5'
    """

    repository_id: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Keep the members in `args`, however they were passed: that is what pickle and copy rebuild an exception from."""
        self.args = self._values()

    def _values(self) -> tuple[object, ...]:
        if is_dataclass(self):
            return tuple(getattr(self, field.name) for field in fields(self))
        return self.args

    def __str__(self) -> str:
        """Show name and members."""
        if is_dataclass(self):
            shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))
        else:
            shown = ", ".join(map(str, self.args))
        name = type(self).__name__
        return f"{name}: {shown}" if shown else name


class UnknownUserException(UserException):
    """Carry a user exception whose type is not registered.

    Attributes:
        repository_id: as received.
        body: the members as received, still encoded.
    """

    def __init__(self, repository_id: str, body: bytes) -> None:
        vars(self)["repository_id"] = repository_id  # a ClassVar for every typed exception, of the instance here only
        self.body = body
        super().__init__(repository_id, body)

    def __str__(self) -> str:
        """Show the repository id and how much came with it."""
        return f"UnknownUserException: {self.repository_id}, {len(self.body)} octets of members"


def register_exception(repository_id: str, cls: type[UserException] | type[SystemException]) -> None:
    """Raise `cls` from now on where a peer answers with `repository_id`.

    The last registration wins, so that stubs may be generated again in a running program.

    Raises:
        TypeError: `cls` is neither a `UserException` nor a `SystemException`.
    """
    if issubclass(cls, UserException):
        _user_exceptions[repository_id] = cls
    elif issubclass(cls, SystemException):
        _system_exceptions[repository_id] = cls
    else:
        raise TypeError(f"{cls!r} is neither a UserException nor a SystemException")


def user_exception_class(repository_id: str) -> type[UserException] | None:
    """Find the class registered for a user exception, or None."""
    return _user_exceptions.get(repository_id)
