"""What a client tells a server of a connection with its first requests: code sets, and that it may be called itself.

Here is also what a server makes of code sets, and how characters travel then.

It must not know which code sets are best (`iiop.cdr.code_sets.negotiate` does), nor how they are written (`iiop.cdr.speech`).
Where a connection goes both ways, requests of the server are in the code sets that its client chose.

Source: CORBA 3.3 part 2, clause 7.10.2.5 "GIOP Code Set Service Context" and 7.10.2.6 "Code Set Negotiation".
"""

from __future__ import annotations

from dataclasses import replace

from iiop.cdr.code_sets import ISO_8859_1, NO_CODE_SET, UTF_8, UTF_16, Negotiated
from iiop.cdr.speech import Speech, client_speeches, server_speeches
from iiop.connection.states import Role
from iiop.exceptions.errors import DecodeError
from iiop.giop.messages import Reply, Request
from iiop.iop import SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.profile import BiDirIIOPServiceContext, CodeSetComponent, CodeSetComponentInfo, CodeSetContext, Version

__all__ = ["Agreement"]

_NOBODY_HAS = Negotiated(0xFFFFFFFF, 0xFFFFFFFF)


class Agreement:
    """Remember in which code sets both ends of a connection speak; the arguments are those of `Connection`.

    Attributes:
        speeches: how messages carry characters, by minor version of GIOP.
        announces: requests are still to tell the server: no reply has shown that it knows.
    """

    def __init__(self, role: Role, agreed: Negotiated | None, code_sets: CodeSetComponentInfo) -> None:
        self.agreed = agreed
        self._listens = role is Role.SERVER
        self.speeches = server_speeches(None) if self._listens else client_speeches(agreed)
        self.announces = not self._listens and agreed is not None
        self._code_sets = code_sets
        self._offer: bytes | None = None

    def speech(self, version: Version) -> Speech:
        """Return how messages of a version of GIOP carry characters."""
        return self.speeches[version.minor]

    def offer(self, offer: BiDirIIOPServiceContext) -> None:
        """Tell the server that it may send requests, too, from now on."""
        self._offer = SERVICE_CONTEXTS.encode(ServiceId.BI_DIR_IIOP, offer)
        self.announces = True

    def announced(self, request: Request) -> Request:
        """Return a request as it is to be sent: with a CodeSets context until a reply shows that the server has heard one.

        It may overtake another in a server that runs them at the same time. A context that it has already is left alone; GIOP 1.0
        has no choice, and no context. An offer goes with requests of GIOP 1.2.
        """
        if not self.announces or not request.version.minor:
            return request
        contexts = request.service_context
        if self.agreed is not None and _context(request) is None:
            octets = SERVICE_CONTEXTS.encode(ServiceId.CodeSets, CodeSetContext(*self.agreed))
            contexts = (*contexts, ServiceContext(ServiceId.CodeSets, octets))
        if self._offer is not None and request.version.minor > 1:
            contexts = (*contexts, ServiceContext(ServiceId.BI_DIR_IIOP, self._offer))
        return replace(request, service_context=contexts)

    def hear(self, message: Request | Reply) -> None:
        """Note what a message says of code sets, and let its body be read accordingly.

        The last context that a client sends counts. One that cannot be read names a code set that nobody has.
        """
        if message.version.minor:  # in GIOP 1.0 nobody says anything
            if isinstance(message, Reply):
                self.announces = False
            elif self._listens and message.service_context and (octets := _context(message)) is not None:
                self.speeches = self._chosen(octets)
        message.body.speech = self.speeches[message.version.minor]

    def _chosen(self, octets: bytes) -> tuple[Speech, Speech, Speech]:
        try:
            said = SERVICE_CONTEXTS.decode(ServiceId.CodeSets, octets)
            char, wchar = said.char_data or ISO_8859_1, said.wchar_data
        except DecodeError:
            char, wchar = _NOBODY_HAS
        knows_char = char in (ISO_8859_1, UTF_8) or _has(self._code_sets.for_char_data, char)
        knows_wchar = wchar in (NO_CODE_SET, UTF_16) or _has(self._code_sets.for_wchar_data, wchar)
        spoken = Negotiated(char if knows_char else NO_CODE_SET, wchar if knows_wchar else NO_CODE_SET)
        return server_speeches(spoken, wide_known=knows_wchar)


def _context(request: Request) -> bytes | None:
    return next((context.context_data for context in request.service_context if context.context_id == ServiceId.CodeSets), None)


def _has(component: CodeSetComponent, number: int) -> bool:
    return number == component.native_code_set or number in component.conversion_code_sets
