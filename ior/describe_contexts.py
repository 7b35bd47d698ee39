"""How the values of service contexts, and Anys, are shown: one `describe.register` a type.

Octets of authentication tokens are counted, never shown: they hold passwords.
"""

from __future__ import annotations

from iiop.cdr.any import Any as CORBAAny
from iiop.components.csi import mechanism_name
from iiop.service_contexts import (
    AuthorizationElement,
    CompleteEstablishContext,
    ContextError,
    EstablishContext,
    IdentityToken,
    IdentityTokenType,
    SASContextBody,
)
from ior.describe import describe
from ior.describe_components import name_text
from ior.text import display_text


def _token(octets: bytes) -> str:
    """Return the size of a token, and its mechanism if it is framed as RFC 2743, 3.1 has it."""
    size = f"{len(octets)} octets, not shown"
    if octets[:1] == b"\x60" and len(octets) > 2:
        start = 2 + (octets[1] & 0x7F if octets[1] & 0x80 else 0)
        behind = start + 2 + octets[start + 1] if len(octets) > start + 1 else 0
        mechanism = mechanism_name(octets[start:behind])
        if mechanism:
            return f"of {mechanism} ({size})"
    return f"({size})" if octets else "none"


@describe.register
def _(value: SASContextBody) -> str:
    return f"{type(value.value).__name__}: {describe(value.value)}"


@describe.register
def _(value: EstablishContext) -> str:
    return (
        f"client context {value.client_context_id}, identity {describe(value.identity_token)}, "
        f"authentication token {_token(value.client_authentication_token)}, "
        f"authorization {describe(value.authorization_token) if value.authorization_token else 'none'}"
    )


@describe.register
def _(value: CompleteEstablishContext) -> str:
    kept = "stateful" if value.context_stateful else "stateless"
    return f"client context {value.client_context_id}, {kept}, token {_token(value.final_context_token)}"


@describe.register
def _(value: ContextError) -> str:
    status = f"major status {value.major_status}, minor status {value.minor_status}"
    return f"client context {value.client_context_id}, {status}, token {_token(value.error_token)}"


@describe.register
def _(value: IdentityToken) -> str:
    kind = value.discriminator
    if isinstance(value.value, bool):
        return kind.name
    shown = name_text(value.value) if kind is IdentityTokenType.ITTPrincipalName else describe(value.value)
    return f"{kind.name} {shown}"


@describe.register
def _(value: AuthorizationElement) -> str:
    return f"type {value.the_type:#x} {describe(value.the_element)}"


@describe.register
def _(value: CORBAAny) -> str:
    return f"any of {value.type.kind.name}: {display_text(repr(value.value))}"
