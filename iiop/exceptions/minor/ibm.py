"""Minor codes of IBM's ORBs: blocks 0x49420000 (C++), 0x49421000 and 0x49424000 (WebSphere), 0x4942F000 (Java).

IBM publishes few of them outside its products, so this table is short; a code that is not in it still tells which
component's it is, where IBM gave the component a range.

Sources, by code: 0x49424300, 0C, 0D and 0x49421092, 93, C5: OpenLiberty/open-liberty, class
com.ibm.ws.security.csiv2.SecurityMinorCodes. 0x494210D0 to D3: the same, com.ibm.tx.remote.MinorCode. 0x49424307: a published
WebSphere error report. 0x4942FC11: IBM SDK Java Technology 8, "Completion status and minor codes". 0x4942FE02: a published
WebSphere log (vmcid IBM, minor E02). 0x49420032 to 34 and 47: WebSphere Application Server 4 and 5 Enterprise, "CORBA system
exception minor codes". Ranges: WebSphere Application Server 9, "CORBA minor codes". Names in capitals that no source has
(NO_FORWARDABLE_TOKEN, CONNECTION_REFUSED) are ours.
"""

from __future__ import annotations

from iiop.exceptions.minor.core import ANY_EXCEPTION, MinorCode, Table, register_decoder, register_table

IBM: Table = {
    ANY_EXCEPTION: {
        0x0032: ("SOMDERROR_CouldNotLoadLibrary", "the client lacks a library it needs"),
        0x0033: ("SOMDERROR_NoMemory", "memory ran out"),
        0x0034: ("SOMDERROR_NotImplemented", "the target does not support the operation"),
        0x1092: ("CREDENTIAL_NOT_AVAILABLE", "CSIv2: there is no credential to send"),
        0x1093: ("SECURITY_MECHANISM_NOT_SUPPORTED", "CSIv2: the mechanism is not supported"),
        0x10C5: ("GSS_FORMAT_ERROR", "CSIv2: a GSS token or name is malformed"),
        0x10D0: ("NO_COORDINATOR", "the transaction context has no coordinator"),
        0x10D1: ("NO_GLOBAL_TID", "the transaction has no global id"),
        0x10D2: ("LOGIC_ERROR", "the transaction service is in a state it should not be in"),
        0x10D3: ("SERVER_BUSY", "the transaction service is busy"),
    },
    "BAD_CONTEXT": {0x0047: ("SOMDERROR_CtxNoPropFound", "the IDL context has no such property")},
    "NO_PERMISSION": {
        0x4300: ("AUTHENTICATION_FAILED", "the user could not be authenticated"),
        0x4307: ("NO_FORWARDABLE_TOKEN", "the credential has no token that may be passed on: assert the identity instead"),
        0x430C: ("INVALID_IDENTITY_TOKEN", "the identity token is not valid"),
        0x430D: ("IDENTITY_SERVER_NOT_TRUSTED", "the server that asserts the identity is not trusted"),
    },
    "OBJECT_NOT_EXIST": {0xFC11: ("SERVANT_NOT_FOUND", "the server has no servant for the object key")},
    "TRANSIENT": {0xFE02: ("CONNECTION_REFUSED", "the server's host refused the connection")},
}

IBM_BASE = 0x49420000

_RANGES = (
    (0x49421050, 0x4942105F, "a code of WebSphere's ORB service"),
    (0x49421070, 0x4942107F, "a code of WebSphere's ORB service"),
    (0x49421080, 0x4942108F, "a code of WebSphere's naming or workload management"),
    (0x494210D0, 0x494210DF, "a code of WebSphere's transaction service"),
    (0x49424300, 0x494243FF, "a code of WebSphere's security"),
    (0x4942F000, 0x4942FFFF, "a code of IBM's Java ORB"),
)


def component_of(exception: str, minor: int) -> MinorCode | None:
    """Tell whose range an unlisted code lies in."""
    for first, last, meaning in _RANGES:
        if first <= minor <= last:
            return MinorCode(minor, "IBM", exception, "", meaning)
    return None


register_table(IBM_BASE, IBM)
for _block in (0x49421000, 0x49424000, 0x4942F000):
    register_decoder(_block, component_of)
