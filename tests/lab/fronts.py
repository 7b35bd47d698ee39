"""What tests of the virtual host share: servers that tell who they are, a client with a bare socket, a look inside."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Annotated, Any, Self

from iiop.balancer import Balancer
from iiop.cdr import Codec, Long, arguments
from iiop.exceptions import NO_PERMISSION, CompletionStatus, SystemException
from iiop.giop.fragments import Reassembler
from iiop.giop.header import cut_header
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    SYSTEM_EXCEPTION,
    Body,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    Reply,
    ReplyStatus,
    Request,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.idl import Interface, Servant, operation
from iiop.iop import ServiceContext
from iiop.limits import Limits
from iiop.profile import Version
from iiop_lab.virtual_host import Target, VirtualHost
from naming import NameService, NamingServer
from naming.interfaces import NamingContextExt
from naming.registration import Registration
from naming.types import NameComponent
from tests import peers
from tests.net import scripted
from tests.net.scripted import ScriptedServer, reply

NO, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_MAYBE
VERSIONS = [GIOP_1_0, GIOP_1_1, GIOP_1_2]
PATIENCE = 10.0
KEY = b"teller"
LONG = Codec(arguments("result", ("result", Annotated[int, Long])))
NAMING_KEY = b"NameService"


class Teller(Interface):
    repository_id = "IDL:test/Teller:1.0"

    @operation
    def who(self) -> str:  # type: ignore[empty-body]
        """Tell the name of the server."""

    @operation
    def refuse(self) -> None:
        """Raise a system exception."""

    @operation(oneway=True)
    def take(self, octets: bytes) -> None:
        """Take octets without a word."""


class TellerServant(Servant):
    interface = Teller

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken: list[bytes] = []

    def who(self) -> str:
        return self.name

    def refuse(self) -> None:
        raise NO_PERMISSION(0x1234, NO)

    def take(self, octets: bytes) -> None:
        self.taken.append(octets)


class Node:
    """A Naming Service with a teller, which can be stopped and started again at the same address."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.teller = TellerServant(name)
        self.port = 0
        self._stack = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        self.server = NamingServer(port=self.port)
        self.server.adapter.activate(KEY, self.teller)
        self._stack.enter_context(self.server)
        self.port = self.server.port
        with NameService(f"127.0.0.1:{self.port}") as names:
            names.root.bind((NameComponent("me"),), Registration(f"IDL:{self.name}:1.0", "127.0.0.1", self.port).reference())

    def stop(self) -> None:
        self._stack.close()

    @property
    def target(self) -> Target:
        return Target("127.0.0.1", self.port)


class Front(VirtualHost):
    """A virtual host in a thread, with a look inside."""

    def connect(self) -> Raw:
        return Raw(socket.create_connection(("127.0.0.1", self.port), PATIENCE))

    def run(self, coroutine: Any) -> Any:
        assert self._thread is not None
        return self._thread.call(coroutine)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something inside holds."""

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    await asyncio.sleep(0.001)

        self.run(wait())

    @property
    def calls(self) -> Balancer[Target]:
        return self.balancer("calls")

    @property
    def contexts(self) -> Balancer[Target]:
        return self.balancer("naming")

    @property
    def asked(self) -> set[Target]:
        return self._prober.asked

    def deaths(self, target: Target) -> int:
        return self.calls.state(target).deaths


class Raw:
    """A client with a bare socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *messages: Message | bytes) -> None:
        self.sock.sendall(b"".join(item if isinstance(item, bytes) else encode(item) for item in messages))

    def octets(self) -> bytes:
        """Return the next message as it came; nothing at the end of the stream."""
        header = self._exactly(12)
        return header + self._exactly(int.from_bytes(header[8:], "little" if header[6] & 1 else "big")) if header else b""

    def receive(self) -> Message | None:
        octets = self.octets()
        return decode(octets) if octets else None

    def _exactly(self, count: int) -> bytes:
        octets = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while len(octets) < count and (piece := self.sock.recv(count - len(octets))):
                octets += piece
        assert len(octets) in (0, count), "the stream ended in the middle of a message"
        return bytes(octets)

    def call(self, operation: str, *values: Any, **more: Any) -> Reply:
        self._id += 2
        self.send(request(operation, *values, id=self._id, **more))
        answer = self.receive()
        assert isinstance(answer, Reply), answer
        assert answer.request_id == self._id
        return answer

    def who(self, **more: Any) -> str:
        name: str = self.call("who", **more).body.decode(Teller.operations()["who"].results)[0]
        return name

    def naming_of(self) -> str:
        """Ask the Naming Service that this connection was given whose it is."""
        answer = self.call("resolve_str", "me", key=NAMING_KEY)
        found = answer.body.decode(NamingContextExt.operations()["resolve_str"].results)[0]
        name: str = found.type_id.split(":")[1]
        return name


def request(operation: str, *values: Any, id: int = 0, key: bytes = KEY, flags: int = 3, **more: Any) -> Request:
    declared = (Teller.operations() | NamingContextExt.operations()).get(operation)
    body = EMPTY if declared is None else Body.of(declared.arguments, values)
    return Request(id, operation, key_address(key), flags, **{"body": body} | more)


def failure(answer: Message | None) -> tuple[type[SystemException], int, CompletionStatus]:
    assert isinstance(answer, Reply), answer
    assert answer.reply_status is ReplyStatus.SYSTEM_EXCEPTION, answer
    return shown(answer.body)


def shown(body: Body) -> tuple[type[SystemException], int, CompletionStatus]:
    exception = body.decode(SYSTEM_EXCEPTION).exception()
    return type(exception), exception.minor, exception.completed


def target_of(server: ScriptedServer) -> Target:
    return Target("127.0.0.1", server.port)


def alive(value: int) -> scripted.Step:
    """Answer whatever is asked, requests with a long."""

    def loop(peer: scripted.Peer) -> None:
        while True:
            message = peer.receive()
            if isinstance(message, Request):
                reply(value)(peer)
            elif isinstance(message, LocateRequest):
                peer.sock.sendall(encode(LocateReply(message.request_id, LocateStatus.OBJECT_HERE, version=message.version)))

    return loop


def nobody() -> Target:
    """Return an address at which nobody listens."""
    return Target("127.0.0.1", peers.free_port())


Start = Callable[..., Front]


OCTETS = Codec(arguments("take", ("octets", bytes)))
HUGE = Limits(fragments=100_000, message_size=256 * 1024 * 1024, sequence_length=256 * 1024 * 1024)
CODE_SETS = ServiceContext(1, bytes.fromhex("010000000100010009010100"))


class Server:
    """Listen, and leave the rest to the test: each connection is a `Raw`."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.target = Target("127.0.0.1", self.listener.getsockname()[1])
        self.connections: list[Raw] = []

    def accept(self) -> Raw:
        sock, _ = self.listener.accept()
        sock.settimeout(PATIENCE)
        self.connections.append(Raw(sock))
        return self.connections[-1]

    def close(self) -> None:
        for connection in self.connections:
            connection.sock.close()
        self.listener.close()


def asked(id: int, octets: bytes = b"", version: Version = GIOP_1_2, **more: Any) -> bytes:
    return encode(request("take", octets, id=id, version=version, **more))


def told(id: int, octets: bytes = b"", version: Version = GIOP_1_2) -> bytes:
    return encode(Reply(id, body=Body.of(OCTETS, (octets,)), version=version))


def next_request(peer: Raw) -> Request:
    message = peer.receive()
    assert isinstance(message, Request), message
    return message


def asking(server: Server) -> Request:
    """Return the next request on a new connection, behind those of probes."""
    while not isinstance(message := (peer := server.accept()).receive(), Request):
        if isinstance(message, LocateRequest):
            peer.send(LocateReply(message.request_id, LocateStatus.OBJECT_HERE, version=message.version))
    return message


def raw_fragments(peer: Raw, count: int) -> list[bytes]:
    return [peer.octets() for _ in range(count)]


def joined(peer: Raw, version: Version) -> bytes:
    """Receive one message, however fragmented."""
    reassembler = Reassembler(HUGE)
    octets = peer.octets()
    header = cut_header(octets, HUGE)
    if not header.more_fragments:
        return octets
    whole = reassembler.add(header, octets)
    while whole is None:
        octets = peer.octets()
        whole = reassembler.add(cut_header(octets, HUGE), octets)
    return whole
