"""A server behind a `FaultProxy`, and two clients that call it through that: ours and omniORBpy's, asked alike."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol

from iiop import iop
from iiop.cdr import Long
from iiop.exceptions import DeadlineExceeded, FailoverExhausted, SystemException, TransportError
from iiop.failover import FailoverPolicy
from iiop.idl import Interface, Servant, operation
from iiop.net.client import Client
from iiop_lab.faults import FaultProxy
from ior import IOR, IORBuilder
from naming import NamingServer
from tests.peers import OmniClient, OmniException, omniidl_stubs

KEY = b"account"
IDL = """
module Faulty {
  typedef sequence<octet> OctetSeq;
  interface Account { long add(in long n); OctetSeq echo(in OctetSeq it); Account moved(); };
};
"""
TIMEOUT = 0.5
"""Seconds that a call may take where a fault keeps it from being answered."""


class Account(Interface):
    repository_id = "IDL:Faulty/Account:1.0"

    @operation
    def add(self, n: Annotated[int, Long]) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Change something, and return the sum."""

    @operation
    def echo(self, it: bytes) -> bytes:  # type: ignore[empty-body]
        """Return what is given."""

    @operation
    def moved(self) -> iop.IOR:  # type: ignore[empty-body]
        """Return a reference to this very object."""


class AccountServant(Servant):
    interface = Account

    def __init__(self) -> None:
        self.sum = 0
        self.ran = 0
        self.reference: iop.IOR = iop.NIL

    def add(self, n: int) -> int:
        self.ran += 1
        self.sum += n
        return self.sum

    def echo(self, it: bytes) -> bytes:
        self.ran += 1
        return it

    def moved(self) -> iop.IOR:
        self.ran += 1
        return self.reference


class Failed(NamedTuple):
    """What a call ended with: exception, minor code, completion; of our own exceptions their kind only."""

    name: str
    minor: int | None = None
    completed: str | None = None


class Caller(Protocol):
    """A client, ours or omniORBpy's, which calls an account."""

    def call(self, operation: str, *args: Any) -> Any:
        """Return the result, or what the call failed with."""


class Ours:
    def __init__(self, client: Client, reference: IOR) -> None:
        policy = FailoverPolicy(
            deadline=TIMEOUT, attempt_timeout=TIMEOUT, rounds=1, backoff_initial=0, refresh_interval=None, forwards=5
        )
        self.stub = client.stub(reference, Account, policy=policy)

    def call(self, operation: str, *args: Any) -> Any:
        try:
            return getattr(self.stub, operation)(*args)
        except SystemException as error:
            return Failed(type(error).__name__, error.minor, error.completed.name.removeprefix("COMPLETED_"))
        except (TransportError, DeadlineExceeded, FailoverExhausted) as error:
            completed = getattr(error, "completed", None)
            return Failed(type(error).__name__, None, completed and completed.name.removeprefix("COMPLETED_"))


class Omni:
    def __init__(self, client: OmniClient, reference: IOR) -> None:
        client.call_timeout(int(TIMEOUT * 1000))
        self.ref = client.string_to_object(str(reference), "Faulty.Account", checked=False)

    def call(self, operation: str, *args: Any) -> Any:
        try:
            return self.ref.call(operation, *args)
        except OmniException as error:
            return Failed(error.name, error.minor, error.completed and error.completed.removeprefix("COMPLETED_"))


class Scene(NamedTuple):
    """A proxy, what is behind it, and who calls."""

    proxy: FaultProxy
    account: AccountServant
    caller: Caller
    server: NamingServer


def reference(host: str, port: int, version: tuple[int, int] = (1, 2)) -> IOR:
    return IORBuilder(Account.repository_id).iiop(host, port, key=KEY, version=version).code_sets().build()


@contextlib.contextmanager
def serving(account: AccountServant) -> Iterator[NamingServer]:
    """Run a server of an account."""
    with NamingServer() as server:
        server.activate(account, KEY)
        yield server


@contextlib.contextmanager
def scene(kind: str, stubs: Path, version: tuple[int, int] = (1, 2)) -> Iterator[Scene]:
    """Run a server, a proxy before it, and a client of one kind that knows the proxy's address."""
    account = AccountServant()
    with (
        serving(account) as server,
        FaultProxy((server.host, server.port)) as proxy,
        contextlib.ExitStack() as stack,
    ):
        account.reference = reference(server.host, server.port, version)
        known = reference(proxy.host, proxy.port, version)
        caller: Caller
        if kind == "ours":
            caller = Ours(stack.enter_context(Client(seed=1)), known)
        else:
            omni = stack.enter_context(OmniClient("-ORBmaxGIOPVersion", "{}.{}".format(*version)))
            omni.load(stubs, "Faulty")
            caller = Omni(omni, known)
        yield Scene(proxy, account, caller, server)


def make_stubs(folder: Path) -> Path:
    return omniidl_stubs(IDL, folder)
