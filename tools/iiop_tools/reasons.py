"""What errors of calls to a Naming Service mean to who asked, in one line.

It knows exceptions, and must not know which command asked, nor how it ends.
"""

from __future__ import annotations

from iiop.exceptions import (
    CODESET_INCOMPATIBLE,
    DATA_CONVERSION,
    OBJECT_NOT_EXIST,
    DeadlineExceeded,
    FailoverExhausted,
    IIOPError,
)
from naming.names import format_name
from naming.types import AlreadyBound, CannotProceed, InvalidName, Name, NotEmpty, NotFound, NotFoundReason

__all__ = ["reason"]


def reason(error: IIOPError) -> str:
    """Return what an error means to who asked, in one line."""
    match error:
        case NotFound(why=NotFoundReason.not_context, rest_of_name=rest):
            return f"{_shown(rest[:1])} is no context"
        case NotFound(why=NotFoundReason.not_object, rest_of_name=rest):
            return f"{_shown(rest[:1])} is a context, and no object"
        case NotFound(rest_of_name=rest):
            return f"{_shown(rest[:1])} is not there"
        case CannotProceed(rest_of_name=rest):
            return f"the context in which {_shown(rest)} would be cannot be asked"
        case AlreadyBound():
            return "the name is bound already (rebind replaces an object)"
        case NotEmpty():
            return "the context is not empty"
        case InvalidName():
            return "the server takes no such name"
        case DATA_CONVERSION() | CODESET_INCOMPATIBLE():
            return f"a name has characters that cannot be sent: give the IOR of the server, it tells what it can take ({error})"
        case OBJECT_NOT_EXIST():
            return f"there is no such context at the server ({error})"
        case FailoverExhausted(attempts=attempts) | DeadlineExceeded(attempts=attempts) if attempts:
            return "; ".join(f"{each.endpoint}: {each.error}" for each in attempts)
    return " ".join(str(error).split())


def _shown(name: Name) -> str:
    return format_name(name) if name else "the name"
