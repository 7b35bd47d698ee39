"""TLS for tests: an authority that everybody trusts, one that nobody does, and scripted servers that speak TLS."""

from __future__ import annotations

import contextlib
import functools
import ssl
from collections.abc import Sequence

import trustme

from iiop.iop import IOR
from ior import IORBuilder
from tests.net.scripted import KEY, Counter, Peer, ScriptedServer, Step, fin

AUTHORITY, STRANGER = trustme.CA(), trustme.CA()


@functools.cache
def certificate(*names: str, by: trustme.CA = AUTHORITY) -> trustme.LeafCert:
    """Return a certificate for host names, addresses or people."""
    return by.issue_cert(*names)


def server_context(
    *names: str, by: trustme.CA = AUTHORITY, client_certificate: bool = False, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Return what a server speaks TLS by; for 127.0.0.1 if no name is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate(*names or ("127.0.0.1",), by=by).configure_cert(context)
    if client_certificate:
        AUTHORITY.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def client_context(
    identity: trustme.LeafCert | None = None, *, trust: trustme.CA = AUTHORITY, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Return what a client speaks TLS by: all is checked, as by default."""
    context = ssl.create_default_context()
    trust.configure_trust(context)
    if identity is not None:
        identity.configure_cert(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def tls_reference(port: int, host: str = "127.0.0.1", *, plain: int = 0) -> IOR:
    """Return a reference to a counter that is reached by TLS, and by a plain port too if there is one."""
    builder = IORBuilder(Counter.repository_id).iiop(host, plain, key=KEY)
    return builder.tls(port, required=not plain).build().to_iop()


class SecureScriptedServer(ScriptedServer):
    """Play scripts over TLS.

    Attributes:
        refused: why handshakes failed.
    """

    def __init__(self, context: ssl.SSLContext, *scripts: Sequence[Step], then: Sequence[Step] = (fin,)) -> None:
        super().__init__(*scripts, then=then)
        self._context = context
        self.refused: list[OSError] = []

    def reference(self, *_: object, **__: object) -> IOR:
        return tls_reference(self.port)

    def _play(self, peer: Peer, script: Sequence[Step] | None) -> None:
        try:
            peer.sock = self._context.wrap_socket(peer.sock, server_side=True)
        except OSError as error:
            self.refused.append(error)
        else:
            super()._play(peer, script)


def goodbye(peer: Peer) -> None:
    """End TLS in order, then the connection; a client need not answer."""
    assert isinstance(peer.sock, ssl.SSLSocket)
    with contextlib.suppress(ssl.SSLEOFError):
        peer.sock.unwrap()
    peer.sock.close()
