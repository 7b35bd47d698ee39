"""Minor codes of the ORB of Sun's JDK and of GlassFish, block 0x53550000 ("SU"), and how GlassFish 3.1 mixed them up.

A code is 200 times its group plus its number. The JDK up to 10 and GlassFish up to 2 count groups from 1: no connection,
number 1 of ORBUtil, is COMM_FAILURE 0x53550000 + 201. GlassFish 3.1 and later, and eclipse-ee4j/orb to this day, count them from
0 and have exchanged the blocks: the same is 0x4F4D0000 + 1 there, in the OMG's block, and a code of the OMG's comes in Sun's.
Both are told apart where that is possible: a code that the OMG has given to the exception is the OMG's.

Sources: openjdk/jdk, corba/src/share/classes/com/sun/corba/se/spi/logging/data/*.mc; javaee/glassfish-corba, the same files as
of GlassFish 2; eclipse-ee4j/orb, *SystemException.java in orbmain/src/main/java/com/sun/corba/ee/spi/logging, CorbaExtension.java
(the exchange) and ORBConstants.java (BAD_PARAM 1); eclipse-ee4j/glassfish issue 17477 (seen on the wire, both ways).
"""

from __future__ import annotations

from dataclasses import replace

from iiop.exceptions.minor.core import MinorCode, Table, add_minor_code, known, register_decoder, register_table
from iiop.exceptions.minor.omg import OMG_VMCID
from iiop.exceptions.minor.sun_orbutil import ORBUTIL

SUN_VMCID = 0x53550000
GROUP_SIZE = 200

ACTIVATION: Table = {
    "INITIALIZE": {
        1: ("CANNOT_READ_REPOSITORY_DB", "the store of server definitions cannot be read"),
        2: ("CANNOT_ADD_INITIAL_NAMING", "the naming service of the daemon could not be added"),
    },
    "INTERNAL": {
        1: ("CANNOT_WRITE_REPOSITORY_DB", "the store of server definitions cannot be written"),
        3: ("SERVER_NOT_EXPECTED_TO_REGISTER", "a server registered that was not started here"),
        4: ("UNABLE_TO_START_PROCESS", "the server process could not be started"),
        6: ("SERVER_NOT_RUNNING", "the server is not running"),
    },
    "OBJECT_NOT_EXIST": {
        1: ("ERROR_IN_BAD_SERVER_ID_HANDLER", "the handler for keys of other servers failed"),
    },
}

NAMING: Table = {
    "BAD_PARAM": {
        0: ("TRANSIENT_NAME_SERVER_BAD_PORT", "port 0 was given to the transient naming service"),
        1: ("TRANSIENT_NAME_SERVER_BAD_HOST", "no host was given to the transient naming service"),
        2: ("OBJECT_IS_NULL", "a nil object was to be bound"),
        3: ("INS_BAD_ADDRESS", "the host in -ORBInitDef is wrong"),
    },
    "INITIALIZE": {
        50: ("TRANS_NS_CANNOT_CREATE_INITIAL_NC_SYS", "the root context could not be made: system exception"),
        51: ("TRANS_NS_CANNOT_CREATE_INITIAL_NC", "the root context could not be made: Java exception"),
    },
    "INTERNAL": {
        0: ("NAMING_CTX_REBIND_ALREADY_BOUND", "rebind met a binding that came in between"),
        1: ("NAMING_CTX_REBINDCTX_ALREADY_BOUND", "rebind_context met a binding that came in between"),
        2: ("NAMING_CTX_BAD_BINDINGTYPE", "the store holds a binding that is neither object nor context"),
        3: ("NAMING_CTX_RESOLVE_CANNOT_NARROW_TO_CTX", "what is bound as a context is no naming context"),
        4: ("NAMING_CTX_BINDING_ITERATOR_CREATE", "the POA for binding iterators could not be made"),
        100: ("TRANS_NC_BIND_ALREADY_BOUND", "bind met a binding that is there already"),
        101: ("TRANS_NC_LIST_GOT_EXC", "list could not make its iterator"),
        102: ("TRANS_NC_NEWCTX_GOT_EXC", "new_context could not make the context"),
        103: ("TRANS_NC_DESTROY_GOT_EXC", "destroy could not take the context from the ORB"),
        105: ("INS_BAD_SCHEME_NAME", "an initial reference is a URL of a scheme not known"),
        107: ("INS_BAD_SCHEME_SPECIFIC_PART", "an initial reference is a malformed URL"),
        108: ("INS_OTHER", "an initial reference is a malformed URL"),
        109: ("BAD_INITIAL_PORT_VALUE", "the initial port is not a number"),
    },
    "UNKNOWN": {
        0: ("BIND_UPDATE_CONTEXT_FAILED", "bind could not store the context"),
        1: ("BIND_FAILURE", "bind failed"),
        2: ("RESOLVE_CONVERSION_FAILURE", "resolve found something that is no object reference"),
        3: ("RESOLVE_FAILURE", "resolve failed"),
        4: ("UNBIND_FAILURE", "unbind failed"),
    },
}

INTERCEPTORS: Table = {
    "BAD_INV_ORDER": {
        1: ("RIR_INVALID_PRE_INIT", "initial references are not available before initialisation"),
        2: ("BAD_STATE1", ""),
        3: ("BAD_STATE2", ""),
    },
    "BAD_PARAM": {
        1: ("TYPE_OUT_OF_RANGE", "there is no such interceptor type"),
        2: ("NAME_NULL", "the interceptor has no name"),
    },
    "COMM_FAILURE": {
        1: ("IOEXCEPTION_DURING_CANCEL_REQUEST", "sending CancelRequest failed"),
    },
    "INTERNAL": {
        1: ("EXCEPTION_WAS_NULL", ""),
        2: ("OBJECT_HAS_NO_DELEGATE", ""),
        3: ("DELEGATE_NOT_CLIENTSUB", ""),
        4: ("OBJECT_NOT_OBJECTIMPL", ""),
        5: ("EXCEPTION_INVALID", ""),
        6: ("REPLY_STATUS_NOT_INIT", ""),
        7: ("EXCEPTION_IN_ARGUMENTS", ""),
        8: ("EXCEPTION_IN_EXCEPTIONS", ""),
        9: ("EXCEPTION_IN_CONTEXTS", ""),
        10: ("EXCEPTION_WAS_NULL_2", ""),
        11: ("SERVANT_INVALID", ""),
        12: ("CANT_POP_ONLY_PICURRENT", ""),
        13: ("CANT_POP_ONLY_CURRENT_2", ""),
        14: ("PI_DSI_RESULT_IS_NULL", ""),
        15: ("PI_DII_RESULT_IS_NULL", ""),
        16: ("EXCEPTION_UNAVAILABLE", ""),
        17: ("CLIENT_INFO_STACK_NULL", ""),
        18: ("SERVER_INFO_STACK_NULL", ""),
        19: ("MARK_AND_RESET_FAILED", ""),
        20: ("SLOT_TABLE_INVARIANT", ""),
        21: ("INTERCEPTOR_LIST_LOCKED", ""),
        22: ("SORT_SIZE_MISMATCH", ""),
        23: ("IGNORED_EXCEPTION_IN_ESTABLISH_COMPONENTS", ""),
        24: ("EXCEPTION_IN_COMPONENTS_ESTABLISHED", ""),
        25: ("IGNORED_EXCEPTION_IN_ADAPTER_MANAGER_STATE_CHANGED", ""),
        26: ("IGNORED_EXCEPTION_IN_ADAPTER_STATE_CHANGED", ""),
    },
    "NO_IMPLEMENT": {
        1: ("PI_ORB_NOT_POLICY_BASED", "policies are not implemented"),
    },
    "OBJECT_NOT_EXIST": {
        1: ("ORBINITINFO_INVALID", "ORBInitInfo was used after initialisation"),
    },
    "UNKNOWN": {
        1: ("UNKNOWN_REQUEST_INVOKE", ""),
    },
}

POA: Table = {
    "BAD_INV_ORDER": {
        1: ("SERVANT_MANAGER_ALREADY_SET", "the POA has a servant manager already"),
        2: ("DESTROY_DEADLOCK", "destroying the POA from within a request would wait for itself"),
    },
    "BAD_OPERATION": {
        1: ("SERVANT_ORB", ""),
        2: ("BAD_SERVANT", ""),
        3: ("ILLEGAL_FORWARD_REQUEST", ""),
        4: ("COULD_NOT_SET_DAEMON", ""),
    },
    "BAD_PARAM": {
        1: ("BAD_TRANSACTION_CONTEXT", "the transaction context is malformed"),
        2: ("BAD_REPOSITORY_ID", "the repository id is malformed"),
        3: ("NULL_REPOSITORY_ID", "there is no repository id"),
    },
    "INITIALIZE": {
        1: ("JTS_INIT_ERROR", "the transaction service could not be initialised"),
        2: ("PERSISTENT_SERVERID_NOT_SET", "a persistent server has no id configured"),
        3: ("PERSISTENT_SERVERPORT_NOT_SET", "a persistent server has no port configured"),
        4: ("ORBD_ERROR", "the ORB daemon failed"),
        5: ("BOOTSTRAP_ERROR", "the bootstrap service failed"),
    },
    "INTERNAL": {
        1: ("INVOKESETUP", ""),
        2: ("BAD_LOCALREPLYSTATUS", ""),
        3: ("PERSISTENT_SERVERPORT_ERROR", ""),
        4: ("SERVANT_DISPATCH", ""),
        5: ("WRONG_CLIENTSC", ""),
        6: ("CANT_CLONE_TEMPLATE", ""),
        7: ("POACURRENT_UNBALANCED_STACK", ""),
        8: ("POACURRENT_NULL_FIELD", ""),
        9: ("POA_INTERNAL_GET_SERVANT_ERROR", ""),
        10: ("MAKE_FACTORY_NOT_POA", ""),
        11: ("DUPLICATE_ORB_VERSION_SC", ""),
        12: ("PREINVOKE_CLONE_ERROR", ""),
        13: ("PREINVOKE_POA_DESTROYED", "the POA was destroyed while the request was on its way to it"),
        14: ("PMF_CREATE_RETAIN", ""),
        15: ("PMF_CREATE_NON_RETAIN", ""),
        16: ("POLICY_MEDIATOR_BAD_POLICY_IN_FACTORY", ""),
        17: ("SERVANT_TO_ID_OAA", ""),
        18: ("SERVANT_TO_ID_SAA", ""),
        19: ("SERVANT_TO_ID_WP", ""),
        20: ("CANT_RESOLVE_ROOT_POA", "the root POA is not available"),
        21: ("SERVANT_MUST_BE_LOCAL", ""),
        22: ("NO_PROFILES_IN_IOR", "the reference has no profile"),
        23: ("AOM_ENTRY_DEC_ZERO", ""),
        24: ("ADD_POA_INACTIVE", ""),
        25: ("ILLEGAL_POA_STATE_TRANS", ""),
        26: ("UNEXPECTED_EXCEPTION", ""),
        27: ("RFM_POST_INIT_EXCEPTION", ""),
        28: ("RFM_CONFIGURE_EXCEPTION", ""),
        29: ("RFM_MANAGER_INACTIVE", ""),
        30: ("RFM_SUSPEND_CONDITION_WAIT_INTERRUPTED", ""),
        31: ("FIND_POA_LOCKS_NOT_RELEASED", ""),
    },
    "NO_IMPLEMENT": {
        1: ("SINGLE_THREAD_NOT_SUPPORTED", "the single thread policy is not supported"),
        2: ("METHOD_NOT_IMPLEMENTED", "the method is not implemented"),
    },
    "OBJECT_NOT_EXIST": {
        1: ("ADAPTER_ACTIVATOR_NONEXISTENT", "the POA is missing, and no adapter activator can make it"),
        2: ("ADAPTER_ACTIVATOR_FAILED", "the adapter activator did not make the POA"),
        3: ("BAD_SKELETON", "the skeleton is of the wrong kind"),
        4: ("NULL_SERVANT", "there is no servant"),
        5: ("ADAPTER_DESTROYED", "the POA was destroyed"),
    },
    "OBJ_ADAPTER": {
        1: ("POA_LOOKUP_ERROR", "the POA could not be found"),
        2: ("POA_INACTIVE", "the POA is inactive"),
        3: ("POA_NO_SERVANT_MANAGER", "the POA has no servant manager"),
        4: ("POA_NO_DEFAULT_SERVANT", "the POA has no default servant"),
        5: ("POA_SERVANT_NOT_UNIQUE", "the servant is active under several ids"),
        6: ("POA_WRONG_POLICY", "the policies of the POA do not allow this"),
        7: ("FINDPOA_ERROR", "the POA could not be found, for another reason"),
        9: ("POA_SERVANT_ACTIVATOR_LOOKUP_FAILED", "the servant activator returned nothing usable"),
        10: ("POA_BAD_SERVANT_MANAGER", "the servant manager is of the wrong type"),
        11: ("POA_SERVANT_LOCATOR_LOOKUP_FAILED", "the servant locator returned nothing usable"),
        12: ("POA_UNKNOWN_POLICY", "the POA does not know a policy"),
        13: ("POA_NOT_FOUND", "there is no such POA"),
        14: ("SERVANT_LOOKUP", "the servant could not be found"),
        15: ("LOCAL_SERVANT_LOOKUP", "the servant could not be found for a local call"),
        16: ("SERVANT_MANAGER_BAD_TYPE", "the servant manager does not fit the policies of the POA"),
        17: ("DEFAULT_POA_NOT_POAIMPL", ""),
        18: ("WRONG_POLICIES_FOR_THIS_OBJECT", ""),
        19: ("THIS_OBJECT_SERVANT_NOT_ACTIVE", ""),
        20: ("THIS_OBJECT_WRONG_POLICY", ""),
        21: ("NO_CONTEXT", "the operation is allowed only while a request is served"),
        22: ("INCARNATE_RETURNED_NULL", "the servant activator returned no servant"),
        23: ("RFM_ADAPTER_ACTIVATOR_FAILED", ""),
        24: ("RFM_NOT_ACTIVE", ""),
        25: ("RFM_ALREADY_ACTIVE", ""),
        26: ("RFM_ACTIVATE_FAILED", ""),
        27: ("RFM_NULL_ARG_RESTART", ""),
        28: ("RFM_RESTART_FAILED", ""),
        29: ("RFM_CREATE_REFERENCE_FAILED", ""),
        30: ("RFM_DESTROY_FAILED", ""),
        31: ("RFM_ILLEGAL_PARENT_POA_USAGE", ""),
        32: ("RFM_ILLEGAL_POA_MANAGER_USAGE", ""),
        33: ("RFM_METHOD_REQUIRES_SUSPENDED_STATE", ""),
    },
    "TRANSIENT": {
        1: ("POA_DISCARDING", "the POA manager discards requests"),
        2: ("POA_MANAGER_MIGHT_DEADLOCK", "waiting for a POA manager that holds requests could wait for itself"),
        3: ("RFM_MIGHT_DEADLOCK", "the reference factory manager would wait for itself"),
    },
    "UNKNOWN": {
        1: ("OTSHOOKEXCEPTION", "the transaction service raised an exception"),
        2: ("UNKNOWN_SERVER_EXCEPTION", "the server raised an exception that is not known"),
        3: ("UNKNOWN_SERVERAPP_EXCEPTION", "the application of the server raised an exception that is not known"),
        4: ("UNKNOWN_LOCALINVOCATION_ERROR", "a local call failed for a reason not known"),
    },
}

IOR: Table = {
    "BAD_OPERATION": {
        1: ("ADAPTER_ID_NOT_AVAILABLE", ""),
        2: ("SERVER_ID_NOT_AVAILABLE", ""),
        3: ("ORB_ID_NOT_AVAILABLE", ""),
        4: ("OBJECT_ADAPTER_ID_NOT_AVAILABLE", ""),
    },
    "BAD_PARAM": {
        1: ("BAD_OID_IN_IOR_TEMPLATE_LIST", "the profiles of the reference name different objects"),
        2: ("INVALID_TAGGED_PROFILE", "an IIOP profile could not be read"),
        3: ("BAD_IIOP_ADDRESS_PORT", "the port is out of range"),
    },
    "INTERNAL": {
        1: ("ORT_NOT_INITIALIZED", ""),
        2: ("NULL_POA", ""),
        3: ("BAD_MAGIC", "the object key begins with a magic number not known here"),
        4: ("STRINGIFY_WRITE_ERROR", ""),
        5: ("TAGGED_PROFILE_TEMPLATE_FACTORY_NOT_FOUND", ""),
        6: ("INVALID_JDK1_3_1_PATCH_LEVEL", ""),
        7: ("GET_LOCAL_SERVANT_FAILURE", ""),
        8: ("IOEXCEPTION_DURING_STREAM_CLOSE", ""),
    },
    "INV_OBJREF": {
        1: ("IOR_MUST_HAVE_IIOP_PROFILE", "the reference has no IIOP profile"),
    },
    "UNKNOWN": {
        1: ("CREATE_MARSHAL_ERROR", "the object key could not be read"),
    },
}

UTIL: Table = {
    "BAD_OPERATION": {
        1: ("STUB_FACTORY_COULD_NOT_MAKE_STUB", "no stub could be made"),
        2: ("ERROR_IN_MAKE_STUB_FROM_REPOSITORY_ID", "making a stub from its repository id failed"),
        3: ("FAILURE_IN_MAKE_STUB_FROM_REPOSITORY_ID", ""),
        4: ("CLASS_CAST_EXCEPTION_IN_LOAD_STUB", ""),
        5: ("EXCEPTION_IN_LOAD_STUB", ""),
        6: ("COULD_NOT_MAKE_STUB_FROM_REPOSITORY_ID", ""),
        7: ("EXCEPTION_IN_CREATE_IIOP_OUTPUT_STREAM", ""),
        8: ("EXCEPTION_IN_CREATE_IIOP_INPUT_STREAM", ""),
        9: ("ONLY_ONE_CALL_TO_CONSTRUCTOR_ALLOWED", ""),
    },
    "BAD_PARAM": {
        2: ("NO_POA", "the POA of the servant was not found"),
        3: ("CONNECT_WRONG_ORB", "the stub is connected to another ORB already"),
        4: ("CONNECT_NO_TIE", "the stub has no tie to connect to"),
        5: ("CONNECT_TIE_WRONG_ORB", "the stub's tie belongs to another ORB"),
        6: ("CONNECT_TIE_NO_SERVANT", "the stub's tie has no servant"),
        7: ("LOAD_TIE_FAILED", "the tie class could not be loaded"),
    },
    "DATA_CONVERSION": {
        1: ("BAD_HEX_DIGIT", "a stringified IOR has a character that is no hexadecimal digit"),
    },
    "INTERNAL": {
        1: ("ERROR_SET_OBJECT_FIELD", ""),
        2: ("ERROR_SET_BOOLEAN_FIELD", ""),
        3: ("ERROR_SET_BYTE_FIELD", ""),
        4: ("ERROR_SET_CHAR_FIELD", ""),
        5: ("ERROR_SET_SHORT_FIELD", ""),
        6: ("ERROR_SET_INT_FIELD", ""),
        7: ("ERROR_SET_LONG_FIELD", ""),
        8: ("ERROR_SET_FLOAT_FIELD", ""),
        9: ("ERROR_SET_DOUBLE_FIELD", ""),
        10: ("ILLEGAL_FIELD_ACCESS", ""),
        11: ("BAD_BEGIN_UNMARSHAL_CUSTOM_VALUE", ""),
        12: ("CLASS_NOT_FOUND", "the class of a Java remote exception was not found"),
        13: ("COULD_NOT_FIND_JDK_VALUE_HANDLER", ""),
        14: ("HANDLE_SYSTEM_EXCEPTION", ""),
        15: ("TEST_EXCEPTION", ""),
        16: ("SIMPLE_TEST_EXCEPTION", ""),
    },
    "INV_OBJREF": {
        1: ("OBJECT_NOT_CONNECTED", "the object is not connected to an ORB"),
        2: ("COULD_NOT_LOAD_STUB", "the stub class could not be loaded"),
        3: ("OBJECT_NOT_EXPORTED", "the object is not exported, or is a stub of Java's own protocol"),
    },
    "MARSHAL": {
        2: ("UNABLE_LOCATE_VALUE_HELPER", "no helper for the value type was found"),
        3: ("INVALID_INDIRECTION", "an indirection points at nothing"),
    },
    "UNKNOWN": {
        1: ("UNKNOWN_SYSEX", "a system exception that is not known"),
    },
}

GROUPS: tuple[Table, ...] = (ORBUTIL, ACTIVATION, NAMING, INTERCEPTORS, POA, IOR, UTIL)
"""In the order they are counted."""

JDK_ORBUTIL: Table = {
    "COMM_FAILURE": {17: ("BUFFER_READ_MANAGER_TIMEOUT", "the next fragment did not arrive in time")},
    "UNKNOWN": {
        3: ("UNKNOWN_SERVER_ERROR", "the ORB or the servant of the server failed in a way not known"),
        4: ("UNKNOWN_DSI_SYSEX", "the system exception of a DSI call could not be sent"),
        5: ("UNKNOWN_SYSEX", "a system exception could not be decoded"),
        6: ("WRONG_INTERFACE_DEF", "the server returned an InterfaceDef of the wrong type"),
        7: ("NO_INTERFACE_DEF_STUB", "the stub class of InterfaceDef is missing"),
        9: ("UNKNOWN_EXCEPTION_IN_DISPATCH", "an exception that is not known came up while dispatching"),
    },
}
"""Where the JDK numbers ORBUtil otherwise than GlassFish does; in Sun's block the JDK is believed."""

JDK_UTIL: Table = {
    "BAD_OPERATION": {
        3: ("CLASS_CAST_EXCEPTION_IN_LOAD_STUB", "the stub is of another class than expected"),
        4: ("EXCEPTION_IN_LOAD_STUB", "the stub could not be loaded"),
    }
}

for _number, _group in enumerate(GROUPS, 1):
    register_table(SUN_VMCID + GROUP_SIZE * _number, _group)
register_table(SUN_VMCID + GROUP_SIZE, JDK_ORBUTIL)
register_table(SUN_VMCID + GROUP_SIZE * len(GROUPS), JDK_UTIL)
add_minor_code(
    "BAD_PARAM", SUN_VMCID + 1, "LEGACY_SUN_NOT_SERIALIZABLE", "an object is not Serializable, says a JDK older than 1.4"
)


def glassfish_in_omg_block(exception: str, minor: int) -> MinorCode | None:
    """Name a code that GlassFish 3.1 and later send in the OMG's block, where the OMG has none of that number."""
    group, number = divmod(minor - OMG_VMCID, GROUP_SIZE)
    found = GROUPS[group].get(exception, {}).get(number) if group < len(GROUPS) else None
    if found is None:
        return None
    return MinorCode(minor, "GlassFish", exception, *found, "GlassFish 3.1 and later send their own codes in the OMG's block.")


def omg_in_sun_block(exception: str, minor: int) -> MinorCode | None:
    """Name a code of the OMG's that GlassFish 3.1 and later send in Sun's block."""
    code = known(exception, OMG_VMCID + minor - SUN_VMCID) if minor - SUN_VMCID < GROUP_SIZE else None
    if code is None:
        return None
    return replace(code, vendor="GlassFish", advice="GlassFish 3.1 and later send the OMG's codes in Sun's block.")


register_decoder(OMG_VMCID, glassfish_in_omg_block)
register_decoder(SUN_VMCID, omg_in_sun_block)
