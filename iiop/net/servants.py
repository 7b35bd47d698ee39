"""A server for the servants of an application, whose methods may block: they run in threads.

    with Server() as server:
        reference = server.activate(Account())

Methods that are `def` run in a pool of threads, `async def` in the event loop, and what every object can be asked (`_is_a`) there
too. Requests of one connection are not kept in order by threads: who needs that waits for the reply before the next request. A
servant may call others from its thread, of its own server too; as that keeps the thread until the reply, there must be more
threads than such calls at a time, or they wait for each other until their deadlines.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Awaitable

from iiop.components import tls_port
from iiop.endpoints import endpoints
from iiop.exceptions import TRANSIENT, UNKNOWN, CompletionStatus, SystemException
from iiop.giop.messages import Reply, Request
from iiop.idl import ObjectAdapter, Operation, Servant
from iiop.idl.servant import carry_out
from iiop.iop import COMPONENTS, IOR, ComponentId, TaggedComponent
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.answering import OMG_POA_DISCARDING
from iiop.net.inward import CallerOfClients, S
from iiop.net.objects import make_reference, new_key
from iiop.net.server import STOP_GRACE, IIOPServer
from iiop.net.serving import Serving
from iiop.net.threads import THREADS, Job, Threads
from iiop.net.tls_transport import TLSListener
from iiop.profile import CODE_SETS_OF_SERVERS, CodeSetComponentInfo

__all__ = ["InThreads", "Server"]

log = logging.getLogger("iiop.servant")


class InThreads:
    """Call servants in threads, and take what comes of it back to the event loop; what an `ObjectAdapter` carries out with.

    Args:
        threads: where methods run that are not `async def`.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def __call__(self, servant: Servant, operation: Operation, request: Request, limits: Limits) -> Reply | Awaitable[Reply]:
        """Call the method of a servant, as `carry_out` does, perhaps later.

        Raises:
            TRANSIENT: too much waits for a thread already; nothing has run.
            SystemException: as `carry_out`, also later.
        """
        if _never_blocks(servant, operation):
            return carry_out(servant, operation, request, limits)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()

        def work() -> None:
            came = _outcome(servant, operation, request, limits)
            with contextlib.suppress(RuntimeError):  # the server has not waited for us, and its loop is closed
                loop.call_soon_threadsafe(_settle, answer, came)

        job = Job(work, len(request.body.octets))
        if not self._threads.submit(job):
            raise TRANSIENT(OMG_POA_DISCARDING, CompletionStatus.COMPLETED_NO)
        answer.add_done_callback(lambda _: self._threads.withdraw(job))  # for one that is cancelled
        return answer


def _never_blocks(servant: Servant, operation: Operation) -> bool:
    method = getattr(type(servant), operation.method, None)
    return inspect.iscoroutinefunction(method) or method is getattr(Servant, operation.method, servant)


_Came = Reply | Awaitable[Reply] | BaseException


def _outcome(servant: Servant, operation: Operation, request: Request, limits: Limits) -> _Came:
    try:
        return carry_out(servant, operation, request, limits)
    except SystemException as error:
        return error
    except BaseException as error:  # a SystemExit is the servant's, not the server's
        log.error("%s failed in %s", operation.name, type(servant).__name__, exc_info=error)
        return UNKNOWN(0, CompletionStatus.COMPLETED_MAYBE)


def _settle(answer: asyncio.Future[Reply], came: _Came) -> None:
    """Give an answer what has come, if anybody still wants it."""
    if answer.done():
        return
    if isinstance(came, Reply):
        answer.set_result(came)
    elif isinstance(came, BaseException):
        answer.set_exception(came)
    else:
        later = asyncio.ensure_future(came)
        answer.add_done_callback(lambda _: later.cancel())
        later.add_done_callback(
            lambda _: answer.cancel() if later.cancelled() else _settle(answer, later.exception() or later.result())
        )


class Server(Serving):
    """Serve objects on one address.

    `with` runs it in a thread, `async with` in the caller's event loop; servants run as the module says.

    Args:
        host: address to listen on; loopback unless told otherwise.
        port: 0 lets the system choose.
        threads: that run methods of servants; with 0 these run in the event loop, and must not block.
        advertised_host: host name that references carry; None for `host`, which must then be an address that clients reach.
        advertised_port: port that they carry; None for the real one.
        limits: what peers may make the server hold.
        code_sets: those that the server has, and that references state.
        fragment_size: see `IIOPServer`.
        bidirectional: take offers of clients to be called over the connections they made, for `stub`; such a connection is kept
            however long it is silent. Who offers an address is believed.
        tls: speak TLS, on a port beside the plain one or instead of it; references say so.
        adapter: maps keys to servants; None for one that knows what is activated.

    Attributes:
        adapter: see above; what is to be there from the first moment can be activated here before the server starts.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        threads: int = THREADS,
        advertised_host: str | None = None,
        advertised_port: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        code_sets: CodeSetComponentInfo = CODE_SETS_OF_SERVERS,
        fragment_size: int | None = None,
        bidirectional: bool = False,
        tls: TLSListener | None = None,
        adapter: ObjectAdapter | None = None,
    ) -> None:
        self.adapter = adapter or ObjectAdapter(limits=limits)
        self._advertised_host = advertised_host or host
        self._advertised_port = advertised_port
        self._limits = limits
        self._code_sets = TaggedComponent(ComponentId.TAG_CODE_SETS, COMPONENTS.encode(ComponentId.TAG_CODE_SETS, code_sets))
        self._count = threads
        self._threads: Threads | None = None
        self._bidirectional = bidirectional
        self._caller: CallerOfClients | None = None
        self._server = IIOPServer(
            lambda: self.adapter,
            host=host,
            port=port,
            limits=limits,
            code_sets=code_sets,
            standing=self.adapter.standing,
            fragment_size=fragment_size,
            tls=tls,
        )

    @property
    def host(self) -> str:
        """Return the address listened on."""
        return self._server.host

    @property
    def port(self) -> int:
        """Return the plain port listened on; 0 if there is none."""
        return self._server.port

    @property
    def tls_port(self) -> int:
        """Return the port where TLS is spoken; 0 if there is none."""
        return self._server.tls_port

    @property
    def address(self) -> tuple[str, int]:
        """Return the address and the port at which this machine reaches the server; it has started."""
        host, port = self._server.address
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port

    @property
    def port_told(self) -> int:
        """Return the plain port that references carry; 0 if there is none."""
        return self.port if self._advertised_port is None or not self.port else self._advertised_port

    def activate(self, servant: Servant, object_key: bytes | None = None) -> IOR:
        """Let a servant answer, and return the reference of the object that it is.

        Args:
            servant: may be activated several times, and is then several objects.
            object_key: of the object, which keeps its references good when the server starts again; None for a new one that
                nobody can guess. A servant that answered for it until now does so no more.

        Raises:
            ValueError: the server has not started, and only then has a port.
        """
        if not (self.port_told or self.tls_port):
            raise ValueError("a reference needs a port, which this server has once it has started")
        key = new_key() if object_key is None else object_key
        self.adapter.activate(key, servant)
        return self.reference(servant._repository_id(), key)

    def deactivate(self, reference: IOR) -> None:
        """Let nobody answer any more for an object; what runs ends.

        Args:
            reference: as `activate` returned it.

        Raises:
            KeyError: nobody does.
        """
        self.adapter.deactivate(endpoints(reference)[0].object_key)

    def reference(self, repository_id: str, object_key: bytes) -> IOR:
        """Return the reference of an object of this server, whether or not there is one."""
        components = [self._code_sets]
        if (tls := self._server.tls) is not None:
            value = tls_port(self.tls_port, required=tls.only, client_certificate=tls.client_certificate)
            components.append(
                TaggedComponent(ComponentId.TAG_SSL_SEC_TRANS, COMPONENTS.encode(ComponentId.TAG_SSL_SEC_TRANS, value))
            )
        return make_reference(repository_id, self._advertised_host, self.port_told, object_key, *components)

    def stub(self, reference: IOR, interface: type[S]) -> S:
        """Return a stub of an object that a client told us of, and that is called over the connection the client made.

        Objects that no client offered to be called so are connected to.

        Args:
            reference: of the object.
            interface: of the object: an `AsyncInterface` for code in the event loop, or an `Interface` for threads. In the loop
                calls of that raise RuntimeError.

        Raises:
            ValueError: the server is not `bidirectional`, or does not run.
        """
        if self._caller is None:
            raise ValueError("only a server that runs, and is bidirectional, calls its clients")
        return self._caller.stub(reference, interface)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        if self._count:
            self._threads = Threads(self._count, f"servants of {self.host}", self._limits)
            self.adapter.carry_out = InThreads(self._threads)
        if self._bidirectional:
            self._caller = CallerOfClients(self._limits)
            self._server.inward = self._caller.inward
        try:
            await self._server.start()
        except BaseException:
            self._end_threads()
            raise

    async def stop(self) -> None:
        """Stop as `IIOPServer` does, and end the threads; servants that run beyond `Limits.stop_time` are left alone."""
        await self._server.stop()
        if self._caller is not None:
            self._caller.close()
            self._caller = None
        self._end_threads()

    def _end_threads(self) -> None:
        if self._threads is not None:
            self._threads.close(STOP_GRACE)
            self._threads = None
