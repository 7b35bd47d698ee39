"""Run by a child process: omniORBpy at either end of a connection that goes both ways.

`client URL`: binds the name `it` at the context URL to a BindingIterator that can be called back only on the connection made.
`server`: prints the reference of a context; what is bound there is a BindingIterator, which `bind` asks for its next binding and
expects `from/client`; ends with standard input.

Neither destroys its ORB: with a connection that goes both ways, omniORBpy 4.3.3 sometimes ends with SIGSEGV in there.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import CosNaming
import CosNaming__POA
import omniORB.BiDirPolicy as BiDir
from omniORB import CORBA, PortableServer

RULE = "* unix,tcp,bidir"


class Iterator(CosNaming__POA.BindingIterator):
    """Has one binding."""

    def next_one(self) -> Any:
        return True, CosNaming.Binding([CosNaming.NameComponent("from", "client")], CosNaming.nobject)


class Context(CosNaming__POA.NamingContext):
    """Calls back what is bound."""

    def bind(self, n: Any, obj: Any) -> None:
        more, binding = obj._unchecked_narrow(CosNaming.BindingIterator).next_one()
        if not more or [(part.id, part.kind) for part in binding.binding_name] != [("from", "client")]:
            raise CosNaming.NamingContext.InvalidName


def adapter(orb: Any) -> Any:
    """Return an active POA whose objects may be called, and call, on connections of either end."""
    root = orb.resolve_initial_references("RootPOA")
    both = CORBA.Any(BiDir._tc_BidrectionalPolicyValue, BiDir.BOTH)
    poa = root.create_POA("both ways", root._get_the_POAManager(), [orb.create_policy(BiDir.BIDIRECTIONAL_POLICY_TYPE, both)])
    root._get_the_POAManager().activate()
    return poa


def reference(poa: Any, servant: Any) -> Any:
    return poa.id_to_reference(poa.activate_object(servant))


def client(url: str) -> None:
    orb = CORBA.ORB_init(
        ["", "-ORBendPoint", "giop:tcp:127.0.0.1:", "-ORBofferBiDirectionalGIOP", "1", "-ORBclientTransportRule", RULE],
        CORBA.ORB_ID,
    )
    iterator = reference(adapter(orb), Iterator())
    context = orb.string_to_object(url)._unchecked_narrow(CosNaming.NamingContext)
    context.bind([CosNaming.NameComponent("it", "")], iterator)


def server() -> None:
    orb = CORBA.ORB_init(
        ["", "-ORBendPoint", "giop:tcp:127.0.0.1:", "-ORBacceptBiDirectionalGIOP", "1", "-ORBserverTransportRule", RULE],
        CORBA.ORB_ID,
    )
    print(orb.object_to_string(reference(adapter(orb), Context())), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    assert PortableServer  # the POA of omniORBpy is there once this is imported
    client(sys.argv[2]) if sys.argv[1] == "client" else server()
    os._exit(0)
