"""What calls to one endpoint have in common, in both clients: how the object is named, and prepared requests.

It must not know connections or threads.
"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from iiop.cdr import Short, codec
from iiop.cdr.code_sets import Negotiated
from iiop.cdr.speech import client_speeches
from iiop.connection import PreparedRequest
from iiop.endpoints import Endpoint
from iiop.exceptions import MARSHAL, CompletionStatus, DecodeError
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    AddressingDisposition,
    IORAddressingInfo,
    Reply,
    ReplyStatus,
    Request,
    ResponseFlags,
    TargetAddress,
    key_address,
)
from iiop.idl import Operation
from iiop.iop import IOR, IOR_CODEC
from iiop.limits import Limits
from iiop.profile import ProfileBody, Version, encode_profile

__all__ = ["FORWARDS", "LARGEST_KEPT", "ROUTES", "Route", "forward_target", "giop_version"]

FORWARDS = (ReplyStatus.LOCATION_FORWARD, ReplyStatus.LOCATION_FORWARD_PERM)
ROUTES = 4096
"""Endpoints of which a client keeps what calls have in common."""
LARGEST_KEPT = 8192
"""Octets of a reference, or of an object key, up to which that is kept: others decide how large those are that they give us."""

L = TypeVar("L")
_DISPOSITION = codec(Annotated[int, Short])


class Route(Generic[L]):
    """Keep what calls to one endpoint have in common.

    Attributes:
        endpoint: see `Endpoint`.
        line: the connections to it, as its client keeps them.
        prepared: requests, by operation.
    """

    __slots__ = ("_agreed", "_target", "_version", "endpoint", "line", "prepared")

    def __init__(self, endpoint: Endpoint, version: Version, agreed: Negotiated | None, line: L) -> None:
        self.endpoint = endpoint
        self.line = line
        self.prepared: dict[Operation, PreparedRequest] = {}
        self._version = version
        self._agreed = agreed
        self._target = key_address(endpoint.object_key)

    def prepare(self, operation: Operation) -> PreparedRequest:
        """Return the request for an operation, ready but for its arguments.

        Raises:
            EncodeError, LocalProtocolError: there can be none.
        """
        flags = ResponseFlags.SYNC_NONE.value if operation.oneway else ResponseFlags.SYNC_WITH_TARGET.value
        request = Request(0, operation.name, self._target, flags, version=self._version)
        speech = client_speeches(self._agreed)[self._version.minor]
        prepared = self.prepared[operation] = PreparedRequest(request, operation.arguments, speech)
        return prepared

    def retarget(self, reply: Reply, limits: Limits) -> None:
        """Name the object from now on in the form that a NEEDS_ADDRESSING_MODE asks for.

        Raises:
            MARSHAL: it asks for none there is; nothing has run.
        """
        try:
            form = AddressingDisposition(reply.body.decode(_DISPOSITION, limits=limits))
        except ValueError as error:
            raise MARSHAL(0, CompletionStatus.COMPLETED_NO) from error
        endpoint = self.endpoint
        profile = encode_profile(ProfileBody(endpoint.version, endpoint.host, endpoint.port, endpoint.object_key))
        if form is AddressingDisposition.KeyAddr:
            self._target = key_address(endpoint.object_key)
        elif form is AddressingDisposition.ProfileAddr:
            self._target = TargetAddress(form, profile)
        else:
            self._target = TargetAddress(form, IORAddressingInfo(0, IOR("", (profile,))))
        self.prepared.clear()


def forward_target(reply: Reply, limits: Limits) -> IOR:
    """Return the reference that a LOCATION_FORWARD carries.

    Raises:
        MARSHAL: it cannot be read; nothing has run.
    """
    try:
        reference: IOR = reply.body.decode(IOR_CODEC, limits=limits)
    except DecodeError as error:
        raise MARSHAL(0, CompletionStatus.COMPLETED_NO) from error
    return reference


def giop_version(version: Version) -> Version:
    """Return the GIOP version to speak to a profile: the highest both know."""
    return GIOP_1_2 if version >= GIOP_1_2 else GIOP_1_1 if version >= GIOP_1_1 else GIOP_1_0
