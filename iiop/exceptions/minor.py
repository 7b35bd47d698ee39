"""What the minor code of a system exception means, and whose it is.

A minor code is 32 bits; the upper 20 are the vendor's (its VMCID), the lower 12 count within one exception type (CORBA 3.3
part 1, 8.6.4). The OMG's own codes follow annex A of that standard, told in our words. Fujitsu's are those its public
documents name (Messages and FAQ of Interstage Application Server; High Availability System Guide B1WS-1092-03ENZ0, 3.3.2.1).
Of other vendors only the name is known.

Knows nothing of exception classes: an exception is its name here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["MinorCode", "explain_minor", "register_minor_code", "register_vendor", "vendor_of_minor"]

OMG_VMCID = 0x4F4D0000
FUJITSU_VMCID = 0x464A0000
FUJITSU_PAIR_BIT = 0x800
ANY_EXCEPTION = ""


@dataclass(frozen=True, slots=True)
class MinorCode:
    """Say what is known of one minor code.

    Attributes:
        minor: the code as asked for.
        vendor: who assigned it.
        exception: the exception it came with, as `COMM_FAILURE`.
        name: short symbol; empty where only the vendor is known.
        meaning: one phrase; empty where only the vendor is known.
        advice: what a caller can do about it; may be empty.
    """

    minor: int
    vendor: str
    exception: str
    name: str = ""
    meaning: str = ""
    advice: str = ""


_codes: dict[tuple[str, int], MinorCode] = {}
_vendors: dict[tuple[int, int], str] = {}


def register_vendor(vmcid: int, vendor: str, *, bits: int = 20) -> None:
    """Name the vendor of every code that shares its upper `bits` bits with `vmcid`; the longest match wins."""
    _vendors[(bits, vmcid >> (32 - bits))] = vendor


def vendor_of_minor(minor: int) -> str | None:
    """Name the vendor a code belongs to, or None if its block is not known."""
    for bits in sorted({bits for bits, _ in _vendors}, reverse=True):
        vendor = _vendors.get((bits, minor >> (32 - bits)))
        if vendor is not None:
            return vendor
    return None


def register_minor_code(
    exception: str, minor: int, name: str, meaning: str, *, advice: str = "", vendor: str | None = None
) -> MinorCode:
    """Make a code known to `explain_minor`; one that was known already is replaced.

    Args:
        exception: name of the exception it comes with, as `TRANSIENT`; empty if it means the same with every one.
        minor: all 32 bits.
        name: short symbol.
        meaning: one phrase.
        advice: what a caller can do about it.
        vendor: who assigned it; taken from the block of the code if not given.
    """
    owner = vendor if vendor is not None else vendor_of_minor(minor) or "unknown vendor"
    code = MinorCode(minor, owner, exception, name, meaning, advice)
    _codes[(exception, minor)] = code
    return code


def explain_minor(exception_name: str, minor: int) -> MinorCode | None:
    """Find what a minor code means.

    Fujitsu documents each cause as a pair of codes that differ in bit 0x800; both are found.

    Args:
        exception_name: as `COMM_FAILURE`.
        minor: all 32 bits, as received.

    Returns:
        The entry; one without name and meaning if only its vendor is known; None if nothing is.

    >>> explain_minor("COMM_FAILURE", 0x464A0914).name
    'IPCOM_ERROR'
    >>> explain_minor("COMM_FAILURE", 0x41540007).vendor
    'omniORB'
    """
    candidates = [minor]
    if minor & 0xFFFFF000 == FUJITSU_VMCID:
        candidates.append(minor & ~FUJITSU_PAIR_BIT)
    for candidate in candidates:
        for exception in (exception_name, ANY_EXCEPTION):
            code = _codes.get((exception, candidate))
            if code is not None:
                return replace(code, minor=minor, exception=exception_name)
    vendor = vendor_of_minor(minor)
    return MinorCode(minor, vendor, exception_name) if vendor is not None else None


for _vmcid, _vendor in (
    (OMG_VMCID, "OMG"),
    (FUJITSU_VMCID, "Fujitsu"),
    (0x41540000, "omniORB"),
    (0x54410000, "TAO"),
    (0x4A430000, "JacORB"),
    (0x53550000, "Sun"),
    (0x47430000, "GNU Classpath"),
    (0x49540000, "IONA"),
    (0x4F4F0000, "ORBacus"),
):
    register_vendor(_vmcid, _vendor)
register_vendor(0x49420000, "IBM", bits=16)  # IBM's ORBs use several blocks: 0x49421000, 0x4942f000, ...
register_vendor(0x494C0000, "ILU", bits=16)

_OMG: dict[str, dict[int, tuple[str, str]]] = {
    "UNKNOWN": {
        1: ("UNLISTED_USER_EXCEPTION", "the client got a user exception the operation does not list"),
        2: ("NONSTANDARD_SYSTEM_EXCEPTION", "a system exception that is not a standard one"),
        3: ("INTERCEPTOR_USER_EXCEPTION", "a portable interceptor met an unknown user exception"),
    },
    "BAD_PARAM": {
        1: ("VALUE_FACTORY", "a value factory could not be registered, removed or found"),
        2: ("ID_DEFINED", "the repository id is already defined in the Interface Repository"),
        3: ("NAME_USED", "the name is already used in this container of the Interface Repository"),
        4: ("NOT_A_CONTAINER", "the target is no container that can take the definition"),
        5: ("INHERITED_NAME_CLASH", "a name clashes with an inherited one"),
        6: ("ABSTRACT_INTERFACE_TYPE", "a value of the wrong type was passed as an abstract interface"),
        7: ("BAD_SCHEME_NAME", "string_to_object does not know the scheme of the URL"),
        8: ("BAD_ADDRESS", "string_to_object found a bad address in the URL"),
        9: ("BAD_SCHEME_SPECIFIC_PART", "string_to_object found a bad part after the address of the URL"),
        10: ("BAD_URL", "string_to_object could not use the URL for another reason"),
        11: ("ABSTRACT_BASE", "an abstract interface was to be derived from one that is not abstract"),
        12: ("VALUE_SUPPORTS", "a value type was to support more than one interface that is not abstract"),
        13: ("INCOMPLETE_TYPECODE", "an incomplete TypeCode was passed as an argument"),
        14: ("BAD_OBJECT_ID", "the object id does not fit this POA"),
        15: ("BAD_TYPECODE_NAME", "a name passed to a TypeCode operation is not valid"),
        16: ("BAD_TYPECODE_ID", "a repository id passed to a TypeCode operation is not valid"),
        17: ("BAD_MEMBER_NAME", "a member name passed to a TypeCode operation is not valid"),
        18: ("DUPLICATE_LABEL", "two members of a union TypeCode have the same label"),
        19: ("LABEL_TYPE", "a label of a union TypeCode does not fit the discriminator type"),
        20: ("DISCRIMINATOR_TYPE", "a union TypeCode cannot have this discriminator type"),
        21: ("NOT_AN_EXCEPTION", "the Any passed to set_exception holds no exception"),
        22: ("UNLISTED_EXCEPTION", "the exception passed to set_exception is not one the operation lists"),
        23: ("NO_WCHAR_CODE_SET", "the client did not say in which code set it sends wchar"),
        24: ("SERVICE_CONTEXT_RANGE", "the service context id is outside the range of the OMG"),
        25: ("ENUM_RANGE", "an enum value is out of range"),
        26: ("SERVICE_CONTEXT_ID", "a portable interceptor used an invalid service context id"),
        27: ("NULL_INITIAL_REFERENCE", "register_initial_reference was given a nil object"),
        28: ("COMPONENT_ID", "a portable interceptor used an invalid component id"),
        29: ("PROFILE_ID", "the profile id is unknown, or components cannot be added to that profile"),
        30: ("DUPLICATE_POLICY", "two policies of the same type were set together"),
        31: ("ONEWAY_DEFINITION", "a oneway operation was defined with results or exceptions"),
        32: ("IMPLICIT_OPERATION", "a DII request was to be made for an implicit operation"),
        33: ("XAER_INVAL", "an xa_ call answered XAER_INVAL"),
        34: ("UNION_DISCRIMINATOR", "a union member was set with a discriminator that does not select it"),
        35: ("CONTEXT_PROPERTY_NAME", "the property name of an IDL context is not valid"),
        36: ("CONTEXT_SEARCH_STRING", "the search string for an IDL context is not valid"),
        37: ("CONTEXT_NAME", "the name of an IDL context is not valid"),
        38: ("CONTEXT_NOT_EMPTY", "the IDL context is not empty"),
        39: ("STREAM_FORMAT", "the stream format of an RMI/IDL custom value is not supported"),
        40: ("NO_VALUE_OUTPUT", "the output stream cannot write custom values"),
        41: ("NO_VALUE_INPUT", "the input stream cannot read custom values"),
        43: ("POLLABLE_IN_SET", "the pollable is in a pollable set already"),
        44: ("COMPRESSION_LEVEL", "the compression level is not valid"),
    },
    "IMP_LIMIT": {1: ("NO_USABLE_PROFILE", "no profile of the reference can be used")},
    "INV_OBJREF": {
        1: ("NO_WCHAR", "the server does not say that it supports wchar"),
        2: ("NO_CODE_SETS", "the reference lacks the code set component that wchar data need"),
    },
    "MARSHAL": {
        1: ("NO_VALUE_FACTORY", "no factory for the value type was found"),
        2: ("RESULT_BEFORE_CONTEXT", "set_result was called before ctx"),
        3: ("ARGUMENT_LIST", "the argument list does not describe every parameter the client sent"),
        4: ("LOCAL_OBJECT", "a local object cannot be passed"),
        5: ("WCHAR_FROM_CLIENT", "the client sent wchar data over GIOP 1.0"),
        6: ("WCHAR_FROM_SERVER", "the server sent wchar data over GIOP 1.0"),
        7: ("STREAM_FORMAT", "the stream format of an RMI/IDL custom value is not supported"),
        8: ("NO_OPTIONAL_DATA", "a custom value was read beyond its optional data"),
    },
    "NO_IMPLEMENT": {
        1: ("NO_VALUE_IMPLEMENTATION", "the value type has no implementation here"),
        2: ("VALUE_VERSION", "the implementation of the value type has another version"),
        3: ("NO_USABLE_PROFILE", "no profile of the reference can be used"),
        4: ("DII_LOCAL_OBJECT", "the DII cannot call a local object"),
        5: ("BSA_ITERATOR", "a Biomolecular Sequence Analysis iterator cannot be reset"),
        6: ("BSA_METADATA", "Biomolecular Sequence Analysis metadata cannot be had as XML"),
        7: ("GENOMIC_MAPS_ITERATOR", "a Genomic Maps iterator cannot be reset"),
    },
    "BAD_TYPECODE": {
        1: ("INCOMPLETE", "an incomplete TypeCode was to be sent"),
        2: ("MEMBER_TYPE", "the TypeCode of a member is not allowed there"),
        3: ("PARAMETER_TYPE", "the TypeCode of a parameter is not allowed there"),
    },
    "BAD_OPERATION": {
        1: ("SERVANT_MANAGER_TYPE", "the servant manager is of the wrong type"),
        2: ("UNKNOWN_OPERATION", "the object has no such operation or attribute"),
    },
    "NO_RESOURCES": {
        1: ("INTERCEPTOR_BINDING", "the language binding cannot give a portable interceptor this information"),
        2: ("NO_PRIORITY_CONNECTION", "no connection for the priority of the request"),
    },
    "BAD_INV_ORDER": {
        1: ("DEPENDENCY", "something in the Interface Repository still depends on this object"),
        2: ("INDESTRUCTIBLE", "this object of the Interface Repository cannot be destroyed"),
        3: ("WOULD_DEADLOCK", "the operation would wait for itself"),
        4: ("SHUT_DOWN", "the ORB has shut down"),
        5: ("REQUEST_REUSED", "the same Request was invoked more than once"),
        6: ("SERVANT_MANAGER_SET", "the servant manager is set already"),
        7: ("ARGUMENTS_ORDER", "ServerRequest::arguments was called twice or too late"),
        8: ("CTX_ORDER", "ServerRequest::ctx was called out of order"),
        9: ("RESULT_ORDER", "ServerRequest::set_result was called out of order"),
        10: ("ALREADY_SENT", "the DII request has been sent already"),
        11: ("NOT_SENT", "the DII request has not been sent yet"),
        12: ("RESULT_TAKEN", "the result of the DII request has been fetched already"),
        13: ("SYNCHRONOUS", "the DII request is synchronous and cannot be polled"),
        14: ("INTERCEPTOR_CALL", "a portable interceptor asked for what is not available at this point"),
        15: ("SERVICE_CONTEXT_EXISTS", "the message has a service context of this id already"),
        16: ("POLICY_FACTORY_EXISTS", "a factory for this policy type is registered already"),
        17: ("POA_DESTRUCTION", "a POA that is being destroyed cannot create POAs"),
        18: ("PRIORITY_REASSIGNED", "the priority was assigned already"),
        19: ("XAER_OUTSIDE", "xa_start answered XAER_OUTSIDE"),
        20: ("XAER_PROTO", "an xa_ call answered XAER_PROTO"),
        22: ("NO_POLLER_RESPONSE", "the poller has no response yet"),
    },
    "TRANSIENT": {
        1: ("POA_DISCARDING", "the POA discarded the request, being short of resources or told to discard"),
        2: ("NO_USABLE_PROFILE", "no profile of the reference can be used now"),
        3: ("CANCELLED", "the request was cancelled"),
        4: ("POA_DESTROYED", "the POA was destroyed"),
    },
    "INTF_REPOS": {
        1: ("NOT_AVAILABLE", "the Interface Repository is not available"),
        2: ("NO_ENTRY", "the Interface Repository has no entry for the interface"),
    },
    "BAD_CONTEXT": {
        1: ("NOT_FOUND", "the IDL context was not found"),
        2: ("NO_MATCHING_PROPERTY", "no property of the IDL context matches"),
    },
    "OBJ_ADAPTER": {
        1: ("ADAPTER_ACTIVATOR", "the adapter activator raised a system exception"),
        2: ("SERVANT_TYPE", "the servant manager returned a servant of the wrong type"),
        3: ("NO_DEFAULT_SERVANT", "the POA has no default servant"),
        4: ("NO_SERVANT_MANAGER", "the POA has no servant manager"),
        5: ("INCARNATE_POLICY", "the servant activator broke a policy of the POA"),
        6: ("IOR_INTERCEPTOR", "an IOR interceptor raised an exception"),
        7: ("NULL_SERVANT", "the servant manager returned no servant"),
    },
    "DATA_CONVERSION": {
        1: ("CHARACTER", "a character does not exist in the negotiated code set"),
        2: ("PRIORITY_MAPPING", "the priority could not be mapped"),
    },
    "OBJECT_NOT_EXIST": {
        1: ("NOT_ACTIVATED", "the object is not active: its value or servant is not registered"),
        2: ("NO_ADAPTER", "the object adapter could not be found or created"),
        3: ("BSA_GONE", "the Biomolecular Sequence Analysis service is no longer there"),
        4: ("ADAPTER_INACTIVE", "the object adapter is inactive"),
        5: ("POLLER_DELIVERED", "the poller has delivered its reply already"),
    },
    "INITIALIZE": {1: ("PRIORITY_RANGE", "the priority range is too narrow for the ORB")},
    "INTERNAL": {
        1: ("XAER_RMERR", "an xa_ call answered XAER_RMERR"),
        2: ("XAER_RMFAIL", "an xa_ call answered XAER_RMFAIL"),
    },
    "INV_POLICY": {
        1: ("NOT_RECONCILED", "a policy of the reference contradicts one set by the client"),
        2: ("POLICY_TYPE", "the policy type is not valid"),
        3: ("NO_POLICY_FACTORY", "no factory is registered for the policy type"),
    },
    "TRANSACTION_ROLLEDBACK": {
        1: ("XAER_RB", "an xa_ call answered that the transaction is rolled back"),
        2: ("XAER_NOTA", "an xa_ call answered XAER_NOTA"),
        3: ("ROLLBACK_DEFERRED", "end was called with success while a rollback was deferred"),
    },
    "TIMEOUT": {1: ("NO_POLLER_RESPONSE", "the poller got no response in time")},
}

for _exception, _table in _OMG.items():
    for _number, (_name, _meaning) in _table.items():
        register_minor_code(_exception, OMG_VMCID | _number, _name, _meaning)

_RESEND = "The request crossed the closing of an idle connection: send it again; set the idle timer of the client."

for _exception, _number, _name, _meaning, _advice in (
    (
        "COMM_FAILURE",
        0x101,
        "REPLY_TIMEOUT",
        "no reply within the client's timeout",
        "The server may have run the request, whatever the completion status says: send it again only if it may run twice.",
    ),
    (
        "COMM_FAILURE",
        0x104,
        "IDLE_CLOSED",
        "the server had closed the idle connection (V6 and earlier, process mode)",
        _RESEND,
    ),
    ("COMM_FAILURE", 0x105, "IDLE_CLOSE_CROSSED", "the server closed the idle connection as the request left", _RESEND),
    (
        "COMM_FAILURE",
        0x10F,
        "IDLE_CLOSED_EARLY",
        "the server had closed the idle connection (alternative of 0104)",
        _RESEND,
    ),
    (
        "COMM_FAILURE",
        0x114,
        "IPCOM_ERROR",
        "IPCOM detected an error, all targets stopped or communication with them failed",
        "Wait, then acquire the Naming Service reference afresh, and the object's from it: IPCOM then distributes again.",
    ),
    ("BAD_OPERATION", 0x1E0, "CHANNEL_MODEL", "the event channel has another model than the method", "Fix the program."),
    (
        "BAD_OPERATION",
        0x1E1,
        "CHANNEL_NOT_TRANSACTIONAL",
        "the event channel is not set up for local transactions",
        "Create the channel for local transactions.",
    ),
    (
        "BAD_OPERATION",
        0x1E2,
        "CHANNEL_NOT_TRANSACTIONAL",
        "the event channel is not set up for local transactions",
        "Create the channel for local transactions.",
    ),
    ("BAD_OPERATION", 0x1E9, "NO_CONSUMER", "no consumer is connected to the event channel", "Push again after one is."),
    ("BAD_OPERATION", 0x1EB, "STATIC_CHANNEL", "a static persistent channel was to be destroyed", "Use `esrmchnl`."),
    ("BAD_PARAM", 0x1E4, "EVENT_PARAMETER", "a parameter of the Event Service is of wrong type or value", "Fix the program."),
):
    register_minor_code(_exception, FUJITSU_VMCID | _number, _name, _meaning, advice=_advice)

register_minor_code(
    ANY_EXCEPTION,
    10007,
    "PROCESS_BIND",
    "process bind is not effective behind IPCOM",
    advice="Do not rely on process bind through the virtual host.",
    vendor="Fujitsu",
)
