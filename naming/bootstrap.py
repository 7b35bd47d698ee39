"""The bootstrap of ORBs older than corbaloc: initial references, asked of the object key `INIT`.

JDKs send `get("NameService")` there, in GIOP 1.0, to the host and port of `-ORBInitialHost` and `-ORBInitialPort`. An id that
is not known gives a nil reference, as the JDK's own server answers and its clients expect; omniORB raises InvalidName there,
which the operation does not declare.

Source: no specification; the wire form was compared with omniORB's bootstrap agent (`-ORBsupportBootstrapAgent 1`).
"""

from __future__ import annotations

from iiop.idl import Interface, Servant, operation
from iiop.iop import IOR, NIL
from naming.services import InitialServices

__all__ = ["INIT", "InitialReferences", "InitialReferencesServant"]

INIT = b"INIT"
"""The object key."""


class InitialReferences(Interface):
    """Hand out what an ORB's `resolve_initial_references` returns."""

    repository_id = "IDL:omg.org/CORBA/InitialReferences:1.0"

    @operation(idempotent=True)
    def get(self, id: str) -> IOR:  # type: ignore[empty-body]
        """Return an initial reference, nil if there is none of that id."""

    @operation(idempotent=True)
    def list(self) -> tuple[str, ...]:  # type: ignore[empty-body]
        """Return the ids there are."""


class InitialReferencesServant(Servant):
    """Answer with the initial services of a server."""

    interface = InitialReferences

    def __init__(self, services: InitialServices) -> None:
        self._services = services

    def get(self, id: str) -> IOR:
        reference = self._services.reference(id)
        return NIL if reference is None else reference

    def list(self) -> tuple[str, ...]:
        return self._services.ids
