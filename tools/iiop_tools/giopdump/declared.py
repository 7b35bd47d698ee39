"""What bodies say: operations by name, and with them arguments, results and exceptions.

CosNaming and what every object has (`_is_a`, ...) are known, and the interfaces of IDL that is loaded. A name does not tell an
interface: of several operations of one name, the first whose arguments fit the octets is taken, those of IDL before CosNaming. It
must not know how values are shown.

Source: CORBA 3.3 part 2, clause 9.4.3.2 "Reply Body", 9.4.6 "LocateReply".
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from iiop.cdr import Codec, Latin1String, codec
from iiop.exceptions import DecodeError, SystemException, UnknownUserException, UserException
from iiop.giop.messages import (
    SYSTEM_EXCEPTION,
    Body,
    LocateReply,
    LocateStatus,
    Reply,
    ReplyStatus,
    Request,
)
from iiop.idl import Interface, Operation, load
from iiop.iop import IOR, IOR_CODEC
from iiop.values import quick
from iiop_tools.giopdump.conversations import Seen
from naming.interfaces import BindingIterator, NamingContextExt

__all__ = ["REMEMBERED", "Declarations", "Said", "interfaces_of"]

_REPOSITORY_ID = codec(Latin1String)
_FORWARDS = (ReplyStatus.LOCATION_FORWARD, ReplyStatus.LOCATION_FORWARD_PERM)
_LOCATE_FORWARDS = (LocateStatus.OBJECT_FORWARD, LocateStatus.OBJECT_FORWARD_PERM)


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Hold what a body says; at most one is given of what follows the operation. The same octets, said again, are the same one.

    Attributes:
        operation: that of the request; None if it is not known.
        arguments: by name.
        results: the result and the out parameters.
        exception: as it was sent.
        forward: where the object is.
        problem: why the body cannot be read.
    """

    operation: Operation | None = None
    arguments: dict[str, Any] | None = None
    results: tuple[Any, ...] | None = None
    exception: UserException | SystemException | None = None
    forward: IOR | None = None
    problem: str = ""


NOTHING = Said()
REMEMBERED, SHORT = 4096, 1024
"""Bodies of which is remembered what they say, each of at most so many octets: traffic repeats itself."""


class _Known(NamedTuple):
    """Hold an operation, with what is asked of it for every request."""

    operation: Operation
    arguments: Codec
    names: tuple[str, ...]


class Declarations:
    """Know operations.

    Args:
        interfaces: those of the user, before which CosNaming stands back.
    """

    def __init__(self, interfaces: Iterable[type[Interface]] = ()) -> None:
        known_to_us: tuple[type[Interface], ...] = (NamingContextExt, BindingIterator)
        self._operations: dict[str, list[_Known]] = {}
        self._remembered: dict[tuple[object, ...], Said] = {}
        for interface in (*interfaces, *known_to_us):
            for name, operation in interface.operations().items():
                known = self._operations.setdefault(name, [])
                if all(each.operation is not operation for each in known):
                    known.append(_Known(operation, operation.arguments, tuple(operation.signature.parameters)))

    def said(self, seen: Seen) -> Said:
        """Return what the body of a message says; that of a reply only if it was asked for the request before."""
        message: Any = seen.message
        kind = type(message)
        if kind is Request:
            what = message.operation
        elif kind is Reply:
            operation = None if seen.request is None else seen.request.operation
            what = operation if message.reply_status is ReplyStatus.NO_EXCEPTION else (operation, message.reply_status)
        else:
            return _located(message) if kind is LocateReply else NOTHING
        body = message.body
        key = what, body.octets[body.start :], (body.start & 7) << 1 | body.byte_order, body.speech
        said = self._remembered.get(key)
        if said is None:
            said = self._arguments(message) if kind is Request else _answer(message, operation)
            if not said.problem and len(key[1]) <= SHORT:
                if len(self._remembered) >= REMEMBERED:
                    self._remembered.clear()
                self._remembered[key] = said
        if kind is Request:
            seen.operation = said.operation
        return said

    def _arguments(self, request: Request) -> Said:
        problem = ""
        for operation, arguments, names in self._operations.get(request.operation, ()):
            try:
                values = request.body.decode(arguments)
            except DecodeError as error:
                problem = problem or str(error)
            else:
                return Said(operation, dict(zip(names, values, strict=True)))
        return Said(problem=problem)


def _answer(reply: Reply, operation: Operation | None) -> Said:
    status, body = reply.reply_status, reply.body
    try:
        if status is ReplyStatus.NO_EXCEPTION:
            return NOTHING if operation is None else Said(operation, None, body.decode(operation.results))
        if status is ReplyStatus.SYSTEM_EXCEPTION:
            return Said(operation, exception=_system_exception(body))
        if status is ReplyStatus.USER_EXCEPTION:
            return Said(operation, exception=_user_exception(body, operation))
        if status in _FORWARDS:
            return Said(operation, forward=body.decode(IOR_CODEC))
    except DecodeError as error:
        return Said(operation, problem=str(error))
    return Said(operation)


def _system_exception(body: Body) -> SystemException:
    exception: SystemException = body.decode(SYSTEM_EXCEPTION, exact=False).exception()
    return exception


def _user_exception(body: Body, operation: Operation | None) -> UserException:
    repository_id, at = _REPOSITORY_ID.decode_from(body.octets, body.start, body.byte_order)
    declared = operation and operation.raised.get(repository_id)
    if not declared:
        return UnknownUserException(repository_id, body.octets[at:])
    exception: UserException = body.decode(declared)[1]
    return exception


def _located(reply: LocateReply) -> Said:
    try:
        if reply.locate_status in _LOCATE_FORWARDS:
            return Said(forward=reply.body.decode(IOR_CODEC))
        if reply.locate_status is LocateStatus.LOC_SYSTEM_EXCEPTION:
            return Said(exception=_system_exception(reply.body))
    except DecodeError as error:
        return Said(problem=str(error))
    return NOTHING


def interfaces_of(files: Iterable[Path], include: Iterable[Path] = ()) -> tuple[type[Interface], ...]:
    """Return the interfaces that IDL files declare, and those that they include.

    Raises:
        IDLError: omniidl, or what is spoken here, does not admit what is written.
        NoCompilerError: omniidl is not installed.
        FileNotFoundError: a file that is not there.
    """
    first, *more = files
    package = load(first, *more, include=include).__name__
    found: dict[type[Interface], None] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{package}."):
            for each in vars(module).values():
                if isinstance(each, type) and issubclass(each, Interface) and each is not Interface:
                    found[each] = None
    return tuple(found)
