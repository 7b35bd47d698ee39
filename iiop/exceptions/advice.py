"""What a caller can do about a system exception where its minor code says no more.

Knows names of exceptions, not what came before them; whether a call may be repeated is decided by its completion status
(`iiop.failover.classify`).
"""

from __future__ import annotations

__all__ = ["ADVICE", "COMPLETION_ADVICE"]

ADVICE: dict[str, str] = {
    "COMM_FAILURE": "The connection broke: with COMPLETED_NO call again, elsewhere if you can; else find out whether it ran.",
    "TRANSIENT": "Nobody answered there now: look whether the server runs at the address of the reference, then call again.",
    "TIMEOUT": "The reply was late: look at the server's load, or allow more time; the call may have run.",
    "NO_RESPONSE": "The reply is not there yet: ask for it later.",
    "OBJECT_NOT_EXIST": "The server does not know the object: resolve its name again; the reference is stale.",
    "INV_OBJREF": "The reference cannot be used: look at it with `iortool check`.",
    "BAD_PARAM": "An argument is not what the operation takes: fix the caller.",
    "BAD_OPERATION": "The object has no such operation: the IDL of caller and server differs, or the object is another.",
    "NO_IMPLEMENT": "The server has the operation, and does not implement it.",
    "BAD_INV_ORDER": "This call is not allowed now, for something must be called before: fix the caller.",
    "MARSHAL": "Octets could not be read as the IDL has it: that of caller and server differs, or an ORB has a bug.",
    "DATA_CONVERSION": "A character cannot be sent in the code set agreed on: look at the code sets of the reference.",
    "CODESET_INCOMPATIBLE": "Client and server have no code set in common: configure one that both have.",
    "NO_PERMISSION": "The server does not let this client do it: look at its access rules and at the client's identity.",
    "NO_MEMORY": "The server, or this program, is out of memory.",
    "NO_RESOURCES": "The ORB has no more of something (connections, threads, descriptors): call later, or raise its limits.",
    "IMP_LIMIT": "A limit of the ORB was passed: send less, or raise it.",
    "OBJ_ADAPTER": "The object adapter of the server cannot serve it: look at the server's log.",
    "INITIALIZE": "The ORB could not start: look at its configuration.",
    "INTERNAL": "The ORB has a bug, or its memory was damaged: look at its log, and report it.",
    "UNKNOWN": "The server raised what its IDL does not tell: look at its log.",
    "PERSIST_STORE": "The server cannot write its store: look at its disk.",
    "INTF_REPOS": "There is no Interface Repository that could answer.",
    "BAD_TYPECODE": "A TypeCode is malformed: the peer has a bug.",
    "FREE_MEM": "Memory could not be given back: look at the server's log.",
    "BAD_CONTEXT": "The context that the operation needs was not passed: fix the caller.",
    "INV_POLICY": "Two policies contradict each other: fix those of the client, or of the server.",
    "REBIND": "The object moved, and the policy of the client forbids to follow: allow it, or resolve again.",
    "BAD_QOS": "The quality of service that was asked for is not to be had.",
    "INV_IDENT": "A name is no valid IDL identifier: fix the caller.",
    "INV_FLAG": "A flag that was passed is not valid: fix the caller.",
    "INVALID_ACTIVITY": "The activity or transaction is not one that may be used here: begin a new one.",
    "ACTIVITY_COMPLETED": "The activity has ended: begin a new one.",
    "ACTIVITY_REQUIRED": "Call within an activity.",
    "THREAD_CANCELLED": "The thread that ran the call was cancelled: look at the server's log.",
    "TRANSACTION_REQUIRED": "Call within a transaction.",
    "TRANSACTION_ROLLEDBACK": "The transaction was rolled back: begin it anew.",
    "INVALID_TRANSACTION": "The transaction that was passed is not valid: begin a new one.",
    "TRANSACTION_UNAVAILABLE": "The transaction service cannot be reached: look whether it runs.",
    "TRANSACTION_MODE": "The kind of transaction is not one that the object takes.",
}
"""By name of the exception."""

COMPLETION_ADVICE = (
    "COMPLETED_NO: it did not run, call again. COMPLETED_YES: it ran. COMPLETED_MAYBE: find out, unless it may run twice."
)
