"""Messages as rows: data for programs, and a line for people.

The keys of `row` are stable, new ones may be added; what a message has not, it has no key for. It must not know where rows go.
"""

from __future__ import annotations

import functools
import time
from typing import Any

from iiop.exceptions import CorbaException, DecodeError, SystemException
from iiop.exceptions.minor import explain_minor
from iiop.giop.messages import LocateReply, LocateRequest, Reply, Request, TargetAddress
from iiop.iop import SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.service_contexts import service_context_name
from iiop_tools.cli import printable
from iiop_tools.giopdump.conversations import Seen
from iiop_tools.giopdump.declared import REMEMBERED, Said
from iiop_tools.giopdump.values import plain, text
from ior.registry import code_set_name
from ior.text import display

__all__ = ["exception_name", "line", "milliseconds", "operation_of", "row", "status_of", "target_of", "words"]

_NO_CODE_SET = 0


def operation_of(seen: Seen) -> str:
    """Return the operation of a request, or of the one that a reply answers; empty if there is none, or it is not known."""
    message = seen.message if seen.request is None else seen.request.message
    return message.operation if type(message) is Request else ""


def target_of(seen: Seen) -> str:
    """Return the key of the object that is asked, or asked for, as text; empty if it is not known."""
    message = seen.message if seen.request is None else seen.request.message
    return _key(message.target) if isinstance(message, (Request, LocateRequest)) else ""


def status_of(seen: Seen) -> str:
    """Return the status of an answer; empty for everything else."""
    message = seen.message
    if isinstance(message, Reply):
        return message.reply_status.name
    return message.locate_status.name if isinstance(message, LocateReply) else ""


def exception_name(exception: CorbaException) -> str:
    """Return the name of an exception without its module: `COMM_FAILURE`, `NotFound`."""
    repository_id: str = exception.repository_id  # type: ignore[attr-defined]
    return repository_id.removeprefix("IDL:").rpartition(":")[0].rpartition("/")[2] or repository_id


def _key(target: TargetAddress) -> str:
    return display(target.value) if isinstance(target.value, bytes) else type(target.value).__name__


@functools.lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return str(seconds)


# --- for programs -----------------------------------------------------------------------------------------------------


def row(seen: Seen, said: Said) -> dict[str, Any]:
    """Return a message as JSON has it: times in UTC, latency in seconds, sizes in octets."""
    cut, message, connection = seen.cut, seen.message, seen.connection
    seconds, fraction = divmod(cut.began, 1_000_000_000)
    found: dict[str, Any] = {
        "number": seen.number,
        "time": f"{_second(seconds).replace(' ', 'T')}.{fraction:09}Z",
        "connection": connection.number,
        "client": connection.client,
        "server": connection.server,
        "sender": "client" if seen.by_client else "server",
        "type": None if cut.header is None else cut.header.message_type.name,
        "size": cut.size,
    }
    if cut.header is not None:
        found["version"] = str(cut.header.version)
        found["byte_order"] = cut.header.byte_order.name.lower()
    if cut.pieces > 1:
        found["fragments"] = cut.pieces
    request_id = getattr(message, "request_id", None)
    if request_id is not None:
        found["id"] = request_id
    operation = operation_of(seen)
    if operation:
        found["operation"] = operation
    target = target_of(seen)
    if target:
        found["target"] = target
    if type(message) is Request:
        found["response_expected"] = message.response_expected
    status = status_of(seen)
    if status:
        found["status"] = status
    if seen.request is not None:
        found["request"] = seen.request.number
        found["latency"] = (seen.latency or 0) / 1e9
    if isinstance(message, (Request, Reply)) and message.service_context:
        found["service_contexts"] = [_context(each) for each in message.service_context]
    found |= _body(said)
    problem = seen.problem or said.problem
    if problem:
        found["problem"] = problem
    return found


@functools.lru_cache(maxsize=REMEMBERED)
def _body(said: Said) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if said.arguments is not None:
        found["arguments"] = {name: plain(value) for name, value in said.arguments.items()}
    if said.results is not None:
        found["results"] = [plain(value) for value in said.results]
    if said.forward is not None:
        found["forward"] = plain(said.forward)
    exception = said.exception
    if exception is not None:
        found["exception"] = exception_name(exception)
        found["repository_id"] = exception.repository_id
        if isinstance(exception, SystemException):
            found["minor"] = exception.minor
            found["completed"] = exception.completed.name
            known = explain_minor(found["exception"], exception.minor)
            if known is not None:
                found["minor_code"] = {"vendor": known.vendor, "name": known.name, "meaning": known.meaning}
        else:
            members = plain(exception)
            if isinstance(members, dict):
                found["members"] = members
    return found


def _context(context: ServiceContext) -> dict[str, Any]:
    found: dict[str, Any] = {"id": context.context_id, "name": service_context_name(context.context_id)}
    try:
        value = plain(SERVICE_CONTEXTS.decode(context.context_id, context.context_data))
    except (KeyError, DecodeError):
        value = context.context_data.hex()
    return found | {"value": value}


# --- for people -------------------------------------------------------------------------------------------------------


def milliseconds(nanoseconds: float) -> str:
    """Return a latency as people read it.

    >>> milliseconds(123_456), milliseconds(12_345_678_900)
    ('0.123ms', '12345.679ms')
    """
    return f"{nanoseconds / 1e6:.3f}ms"


def line(seen: Seen, said: Said) -> str:
    """Return a message as one line: time (UTC), connection, ends, id, operation, what it is, size, latency, what it says."""
    cut, message, connection, request = seen.cut, seen.message, seen.connection, seen.request
    seconds, fraction = divmod(cut.began, 1_000_000_000)
    if type(message) is Request:
        operation, status = message.operation, "Request" if message.response_flags & 1 else "oneway"
    else:
        operation = operation_of(seen)
        if said.exception is not None:
            status = exception_name(said.exception)
        else:
            status = status_of(seen) or ("lost" if cut.header is None else cut.header.message_type.name)
    latency = "" if request is None else milliseconds(cut.ended - request.cut.began)
    return (
        f"{_second(seconds)}.{fraction // 1000:06} "
        f"{_ends(connection.number, connection.client, connection.server, seen.by_client)} "
        f"{getattr(message, 'request_id', ''):>6} {_column(operation, 14)} {_column(status, 16)} {cut.size:>6} {latency:>9}  "
        f"{words(seen, said)}"
    ).rstrip()


@functools.lru_cache(maxsize=1024)
def _ends(number: int, client: str, server: str, by_client: bool) -> str:
    return f"{number:>3} {client:>20} {'<>'[by_client]} {server:<20}"


@functools.lru_cache(maxsize=1024)
def _column(shown: str, width: int) -> str:
    return f"{printable(shown):<{width}}"


def words(seen: Seen, said: Said) -> str:
    """Return what a message says, in one line: arguments, results or exception, contexts, problem."""
    shown, message = _said_text(said), seen.message
    if type(message) is LocateRequest:
        shown = _key(message.target)
    if type(message) in (Request, Reply) and message.service_context:  # type: ignore[union-attr]
        shown = " ".join([shown, *[_context_text(each) for each in message.service_context]])  # type: ignore[union-attr]
    if seen.cut.pieces > 1:
        shown += f" [{seen.cut.pieces} fragments]"
    problem = seen.problem or said.problem
    return (f"{shown} ! {printable(problem)}" if problem else shown).strip()


@functools.lru_cache(maxsize=REMEMBERED)
def _said_text(said: Said) -> str:
    if said.arguments is not None:
        return ", ".join([f"{name}={text(value)}" for name, value in said.arguments.items()])
    if said.results is not None:
        return ", ".join([text(value) for value in said.results])
    if said.exception is not None:
        return _exception_text(said.exception)
    return "" if said.forward is None else f"to {text(said.forward)}"


def _exception_text(exception: CorbaException) -> str:
    """Return what an exception says beside its name, which stands before."""
    members = plain(exception)
    if isinstance(members, dict):
        return ", ".join([f"{name}={text(getattr(exception, name))}" for name in members])
    return printable(str(exception).partition(": ")[2])


@functools.lru_cache(maxsize=1024)
def _context_text(context: ServiceContext) -> str:
    """Return a service context in brackets: of code sets and bidirectional connections what they say, of others the name."""
    number = context.context_id
    name = service_context_name(number) or f"context {number:#x}"
    try:
        if number == ServiceId.CodeSets:
            said = SERVICE_CONTEXTS.decode(number, context.context_data)
            sets = [code_set_name(each) or f"{each:#010x}" for each in (said.char_data, said.wchar_data) if each != _NO_CODE_SET]
            name += f" {', '.join(sets)}"
        elif number == ServiceId.BI_DIR_IIOP:
            said = SERVICE_CONTEXTS.decode(number, context.context_data)
            name += f" {', '.join(f'{point.host}:{point.port}' for point in said.listen_points)}"
    except DecodeError as error:
        name += f" ! {error}"
    return printable(f"[{name}]")
