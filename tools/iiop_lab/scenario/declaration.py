"""What a lab file can say: each dataclass is a table of it, each field a key, each default what holds if it is left out.

It knows what can be said, not how it is written (`iiop_lab.scenario.text`) nor what becomes of it (`iiop_lab.scenario.lab`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Aiming",
    "ClientDeclaration",
    "ClusterDeclaration",
    "Expectation",
    "FailureKind",
    "FaultDeclaration",
    "LabFile",
    "LimitDeclaration",
    "NodeDeclaration",
    "Policy",
    "RefusalDeclaration",
    "ServiceDeclaration",
    "Step",
    "VirtualHostDeclaration",
    "WorkUnitDeclaration",
]

Policy = Literal[
    "round_robin",
    "random",
    "least_connections",
    "response_time",
    "data_quantity",
    "load",
    "waiting_messages",
    "buffer_use",
    "weights",
]

Reported = Literal["cpu", "memory", "disk_io", "waiting_messages", "buffer_use"]


@dataclass(frozen=True, slots=True)
class LimitDeclaration:
    """Declare a limit over which a target gets no work.

    Attributes:
        upper: no work from here on ...
        restoration: ... until it is below this.
    """

    upper: float
    restoration: float


@dataclass(frozen=True, slots=True)
class ServiceDeclaration:
    """Declare how the objects of a service are distributed; `naming` and `calls` are there undeclared.

    Attributes:
        work_units: whose objects they are.
        keys: patterns of object keys, `account*`, which are theirs, too.
        stickiness: what is distributed, and thus what stays with a target; `connection` for `naming`, `call` for others.
        policy: how a target is chosen.
        seed: of `random`.
        weights: of targets, by name, for `weights`; 1 for those left out.
        limits: by what is limited, as `waiting_messages` or `connections`.
    """

    work_units: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    stickiness: Literal["call", "connection", "address", "session"] | None = None
    policy: Policy = "round_robin"
    seed: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, LimitDeclaration] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefusalDeclaration:
    """Declare how clients learn that nobody can serve them.

    Attributes:
        minor: of COMM_FAILURE.
        delivery: a reply, or the end of the connection.
    """

    minor: int = 0x464A0114
    delivery: Literal["reply", "close"] = "reply"


@dataclass(frozen=True, slots=True)
class VirtualHostDeclaration:
    """Declare the virtual host.

    Attributes:
        host: its name, one of `[hosts]`.
        port: to listen on.
        targets: nodes it distributes to; all nodes that are in no cluster if left out.
        services: what is distributed how, by name.
        refusal: see there.
        probe: how targets are asked whether they are there.
        probe_interval: seconds between two looks at a target.
        probe_live: look at those that serve, too, and so find those that hang.
        connect_timeout: seconds to connect to a target, or for it to answer a probe.
    """

    host: str = "vhost"
    port: int = 8002
    targets: tuple[str, ...] = ()
    services: Mapping[str, ServiceDeclaration] = field(default_factory=dict)
    refusal: RefusalDeclaration = RefusalDeclaration()
    probe: Literal["connect", "locate"] = "locate"
    probe_interval: float = 0.2
    probe_live: bool = False
    connect_timeout: float = 2.0


@dataclass(frozen=True, slots=True)
class NodeDeclaration:
    """Declare a node.

    Attributes:
        host: at whose address of `[hosts]` it listens; that of its own name, or of its cluster, if left out.
        port: to listen on.
        home: its folder, relative to the file; one in the folder of the lab if left out.
        load: what it reports to the virtual host: `measured`, or numbers of its own.
        proxy: have a fault proxy before it although no fault is declared for it.
    """

    host: str = ""
    port: int = 8002
    home: str = ""
    load: Literal["measured"] | Mapping[Reported, float] = field(default_factory=dict)
    proxy: bool = False


@dataclass(frozen=True, slots=True)
class WorkUnitDeclaration:
    """Declare a WorkUnit, by a servant, a script or a command; nothing of these is the sample server.

    Attributes:
        nodes: where it runs; on all if left out.
        servant: a Python servant class, `module:Class`; modules beside the file are found.
        script: a Python program that prints a reference, relative to the file; one of omniORBpy, for example.
        command: any program that does, with its arguments.
        key: object key of the servant; the name of the WorkUnit if left out.
        count: of processes.
        monitored: whether its end takes the server out of distribution.
        names: what it is bound to in the Naming Service, and at which host: one of `[hosts]`, or `own` for that of the node.
        env: variables of its environment.
        process_bind: it is bound to processes, which does not work behind a virtual host.
        iswitch: as in the definition of CORBA applications; without effect behind a virtual host, which is told.
    """

    nodes: tuple[str, ...] = ()
    servant: str = ""
    script: str = ""
    command: tuple[str, ...] = ()
    key: str = ""
    count: int = 1
    monitored: bool = True
    names: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    process_bind: bool = False
    iswitch: bool = False


@dataclass(frozen=True, slots=True)
class ClusterDeclaration:
    """Declare a cluster.

    Attributes:
        nodes: two; the first serves at first.
        host: whose address of `[hosts]` is inherited; that of its own name if left out.
        shared_folder: whether the nodes have one folder, or each its own.
        automatic: switch by itself when what serves dies.
        watches_naming: whether the end of the Naming Service is a reason to.
        heartbeat: seconds that the node that serves may be silent before it is taken for failed; 0 for however long.
        timeout: seconds for a resource to start or to stop.
    """

    nodes: tuple[str, ...]
    host: str = ""
    shared_folder: bool = False
    automatic: bool = True
    watches_naming: bool = True
    heartbeat: float = 0.0
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Aiming:
    """Declare what a fault is aimed at, as `iiop_lab.faults.Aim` does.

    Attributes:
        direction: the way on which the fault is at home if left out.
        target: object key of the object asked.
    """

    direction: Literal["to_server", "to_client"] | None = None
    target: str | None = None
    operation: str | None = None
    nth: int | None = None
    every: int | None = None
    probability: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FaultDeclaration:
    """Declare a fault.

    Attributes:
        fault: its name: `latency`, `system_exception`, ...
        at: a node, or the host of the virtual host: a proxy before it does wrong.
        parameters: of the fault.
        aim: at what; everything if left out.
        attached: from the beginning, before the first connection; otherwise `fault NAME on` attaches it.
    """

    fault: str
    at: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    aim: Aiming = Aiming()
    attached: bool = False


@dataclass(frozen=True, slots=True)
class ClientDeclaration:
    """Declare a client: one that calls the sample server all the time, or a program of yours.

    Attributes:
        stub: what calls, iiopkit's client or omniORBpy.
        name: that is resolved.
        naming: the host whose Naming Service is asked; the virtual host, the first cluster's or the first node's if left out.
        fresh: obtain the Naming Service reference anew after so many calls; 0 for never.
        restart: after a failed call, obtain it anew, as 3.4.2 of the manual advises; our stub does so by itself.
        deadline: seconds for a call of our stub, re-resolving included.
        rounds: how often a call of our stub goes round all addresses before it fails.
        timeout: seconds for a reply, after which the server is taken for dead.
        asks: where nobody knows whether a call ran, our stub asks the servers, as a careful application does.
        pace: seconds from a call to the next, give or take half of that.
        command: a program and its arguments, instead of all that; its exit status can be expected.
    """

    stub: Literal["iiopkit", "omniORBpy"] = "iiopkit"
    name: str = "TDsample::tdtest"
    naming: str = ""
    fresh: int = 0
    restart: bool = False
    deadline: float = 20.0
    rounds: int = 15
    timeout: float = 10.0
    asks: bool = True
    pace: float = 0.001
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FailureKind:
    """Say which failures are meant: all that are as the keys that are given say.

    Attributes:
        exception: name, `COMM_FAILURE`.
        minor: code.
        completed: `COMPLETED_NO`, `COMPLETED_MAYBE`, `COMPLETED_YES`.
    """

    exception: str = ""
    minor: int | None = None
    completed: Literal["", "COMPLETED_NO", "COMPLETED_MAYBE", "COMPLETED_YES"] = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Expect something: all that its keys say.

    Attributes:
        clients: whose calls; those of all that call the sample server if left out.
        failed: at most so many calls failed.
        failed_with: calls were made, and all failed so.
        met: an exception like this was met, by a call that failed or on the way of one that did not, by each client.
        served_by: nodes that served, and the least share of all answers that each gave; nobody else gave any.
        at_most_once: no call ran twice, all answered ones ran once, and none that was told COMPLETED_NO.
        silence: seconds without an answer, at most; for steps whose calls are to be answered.
        standing: how targets are, by node: `serving`, `maintenance`, `dead`, `degraded`, `full`.
        state: how nodes and WorkUnits are, by `node` or `node/WorkUnit`: `running`, `stopped`, `hung`, `died`.
        active: which node serves, by cluster.
        struck: how often faults have struck at least, by name.
        exit: exit status of programs, by client.
    """

    clients: tuple[str, ...] = ()
    failed: int | None = None
    failed_with: FailureKind | None = None
    met: FailureKind | None = None
    served_by: Mapping[str, float] = field(default_factory=dict)
    at_most_once: bool = False
    silence: float | None = None
    standing: Mapping[str, Literal["serving", "maintenance", "dead", "degraded", "full"]] = field(default_factory=dict)
    state: Mapping[str, Literal["running", "stopped", "hung", "died"]] = field(default_factory=dict)
    active: Mapping[str, str] = field(default_factory=dict)
    struck: Mapping[str, int] = field(default_factory=dict)
    exit: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """Declare a step: what is done, how long it lasts, and what is expected of the calls that ended in it.

    Attributes:
        name: of the step.
        after: seconds to wait before it.
        do: what is done at its beginning, one after the other: `kill host1`.
        quiet: no client calls while that is done, so that none has a call under way.
        until: what must come true, ...
        within: ... and in how many seconds.
        seconds: it lasts at least that long, ...
        calls: ... and until every client has made that many calls in it.
        expect: what is expected at its end.
    """

    name: str
    after: float = 0.0
    do: tuple[str, ...] = ()
    quiet: bool = False
    until: tuple[Expectation, ...] = ()
    within: float = 60.0
    seconds: float = 0.0
    calls: int = 0
    expect: tuple[Expectation, ...] = ()


@dataclass(frozen=True, slots=True)
class LabFile:
    """Declare a lab, and a scenario that is played in it.

    Attributes:
        about: what it shows.
        lab: another file, relative to this one, that declares all but clients, steps and what is expected.
        references: whether references name hosts by their addresses, or by `names`, as the manual has it: then clients must
            know `[hosts]`; programs that a scenario starts are told by libnss-wrapper.
        hosts: addresses of 127.0.0.0/8, by name.
        virtual_host: if there is one.
        nodes, work_units, clusters, faults, clients: by name.
        step: in their order.
        expect: what is expected of all calls, at the end.
    """

    about: str = ""
    lab: str = ""
    references: Literal["addresses", "names"] = "addresses"
    hosts: Mapping[str, str] = field(default_factory=dict)
    virtual_host: VirtualHostDeclaration | None = None
    nodes: Mapping[str, NodeDeclaration] = field(default_factory=dict)
    work_units: Mapping[str, WorkUnitDeclaration] = field(default_factory=dict)
    clusters: Mapping[str, ClusterDeclaration] = field(default_factory=dict)
    faults: Mapping[str, FaultDeclaration] = field(default_factory=dict)
    clients: Mapping[str, ClientDeclaration] = field(default_factory=dict)
    step: tuple[Step, ...] = ()
    expect: tuple[Expectation, ...] = ()
