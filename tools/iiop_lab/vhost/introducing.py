"""What a client told of itself once, told to each server that its requests come to.

Code sets and listen points are said on the first requests of a connection. Behind a virtual host one connection of a client
becomes one to each server, and each has to hear them.

Source: CORBA 3.3 part 2, clauses 7.10.2.5 and 9.8.
"""

from __future__ import annotations

from dataclasses import replace

from iiop.giop.messages import EMPTY, GIOP_1_2, Request
from iiop.giop.wire import decode_whole, encode
from iiop.iop import ServiceContext, ServiceId
from iiop.limits import Limits
from iiop_lab.vhost.cutting import header_of, with_size

__all__ = ["TOLD_ONCE", "introduced"]

TOLD_ONCE = (ServiceId.CodeSets, ServiceId.BI_DIR_IIOP)

_NOBODYS = ServiceContext(0x69696F70, bytes(4))
"""Says nothing, and takes 12 octets: with 20 of a CodeSets context a multiple of 8, which leaves a body aligned."""


def introduced(octets: bytes, contexts: tuple[ServiceContext, ...], limits: Limits) -> bytes:
    """Return a request, or the beginning of one, that has these contexts too, unless it has them.

    Args:
        octets: at least what comes before its body.
        contexts: what its client told.
        limits: under which it has been read before.
    """
    header = header_of(octets)
    request = decode_whole(header._replace(more_fragments=False), octets, limits)
    assert isinstance(request, Request)
    had = {context.context_id for context in request.service_context}
    missing = tuple(context for context in contexts if context.context_id not in had)
    if not missing or not request.version.minor:
        return octets
    start = request.body.start
    head = _head(request, missing)
    if request.version < GIOP_1_2:
        if (len(head) - start) % 8:
            head = _head(request, (*missing, _NOBODYS))
    elif header.size > start or header.more_fragments:
        head += bytes(-len(head) % 8)
    whole = head[:6] + octets[6:7] + head[7:] + octets[start:]
    return with_size(header, whole, header.size + len(head) - start)


def _head(request: Request, contexts: tuple[ServiceContext, ...]) -> bytes:
    return encode(replace(request, service_context=(*request.service_context, *contexts), body=EMPTY))
