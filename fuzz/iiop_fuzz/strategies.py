"""Strategies for everything that travels, to be imported as `st`: names are plural, arguments keyword-only.

What is drawn is built, never filtered, and shrinks to GIOP 1.0, big endian, the first arm of a union and empty lists. Values
are equal to what comes back from the wire, so that `decode(encode(x)) == x` can be asserted of all of them.

Examples:
    >>> from hypothesis import given
    >>> from iiop.giop.wire import decode, encode
    >>> from iiop_fuzz import strategies as st
    >>> @given(st.messages())
    ... def test_round_trip(message):
    ...     assert decode(encode(message)) == message
    >>> test_round_trip()
"""

from iiop_fuzz._cdr import byte_orders, cdr_types, cdr_values, fixed_types, strings
from iiop_fuzz._malformed import Malformed, malformed
from iiop_fuzz._messages import (
    bodies,
    cut_points,
    fragmented,
    locate_replies,
    locate_requests,
    messages,
    replies,
    requests,
    service_contexts,
    targets,
    versions,
)
from iiop_fuzz._names import name_components, names, stringified_names
from iiop_fuzz._references import iors, object_keys, references, tagged_components, tagged_profiles
from iiop_fuzz._typecodes import anys, typecodes
from iiop_fuzz._urls import addresses, corbalocs, corbanames

__all__ = [
    "Malformed",
    "addresses",
    "anys",
    "bodies",
    "byte_orders",
    "cdr_types",
    "cdr_values",
    "corbalocs",
    "corbanames",
    "cut_points",
    "fixed_types",
    "fragmented",
    "iors",
    "locate_replies",
    "locate_requests",
    "malformed",
    "messages",
    "name_components",
    "names",
    "object_keys",
    "references",
    "replies",
    "requests",
    "service_contexts",
    "stringified_names",
    "strings",
    "tagged_components",
    "tagged_profiles",
    "targets",
    "typecodes",
    "versions",
]
