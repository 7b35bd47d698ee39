"""The checklist of what has broken ORBs: every class has a case with its answer, and a strategy that draws the like."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from iiop_fuzz import strategies as st
from iiop_fuzz._broken_messages import OF_MESSAGES
from iiop_fuzz._broken_octets import BREAKAGES
from iiop_fuzz._broken_text import OF_IORS, OF_NAMES, OF_URLS
from tests.cases import fragments, header, replies, requests, test_iors, test_names, test_naming, test_values

CHECKLIST = {
    # Header
    "header/magic": "magic",
    "header/version 1.3": "version",
    "header/version 1.9": "version",
    "header/version 2.0": "version",
    "header/type 8": "message_type",
    "header/type 255": "message_type",
    "header/reserved flag bits": "reserved_flag",
    "header/byte-order bit against body": "byte_order_flipped",
    "header/size 0": "cut_short",
    "header/size lies short": "message_size_less_1",
    "header/size lies long": "message_size_plus_1",
    "header/size 0xffffffff": "message_size_0xffffffff",
    "header/size above the maximum": "message_size_0xffffffff",
    # Fragments
    "fragments/orphan": "fragment_out_of_nowhere",
    "fragments/wrong id": "fragment_of_another_request",
    "fragments/1.1 without id": "fragmented",
    "fragments/not multiple of 8": "piece_no_multiple_of_8",
    "fragments/interleaved": "fragmented",
    "fragments/cancel mid-way": "fragmented",
    "fragments/CloseConnection mid-way": "fragmented",
    "fragments/endless": "last_fragment_missing",
    "fragments/1.0 with fragment flag": "fragment_flag",
    "fragments/final fragment empty": "fragmented",
    # Request, Reply
    "request/operation length 0": "string_length_0",
    "request/operation without NUL": "string_without_nul",
    "request/addressing disposition 1 with garbage": "truncated",
    "request/addressing disposition 2 with garbage": "truncated",
    "request/addressing disposition 7 with garbage": "union_label_unknown",
    "request/context count 0xffffffff": "count_0xffffffff",
    "reply/context count 0xffffffff": "count_0xffffffff",
    "request/duplicate ids": "requests",
    "reply/duplicate ids": "replies",
    "request/unknown id": "messages",
    "reply/unknown id": "replies",
    "reply/status 77": "replies",
    "reply/completion 9": "replies",
    "request/trailing bytes": "trailing_octets",
    "reply/trailing bytes": "trailing_octets",
    "request/Reply in the wrong direction": "replies",
    "reply/Request in the wrong direction": "requests",
    "request/Close in the wrong direction": "messages",
    "request/Error in the wrong direction": "messages",
    # CDR
    "CDR/string length 0": "string_length_0",
    "CDR/missing NUL": "string_without_nul",
    "CDR/embedded NUL": "string_with_embedded_nul",
    "CDR/sequence count x size overflow": "count_times_size_overflows",
    "CDR/boolean above 1": "boolean_2",
    "CDR/enum range": "enum_out_of_range",
    "CDR/union label": "union_label_unknown",
    "CDR/wchar BOM forms": "cdr_values",
    "CDR/alignment origin inside encapsulation": "cdr_types",
    "CDR/encapsulation of 0 octets": "encapsulation_of_0_octets",
    "CDR/encapsulation of 1 octet": "truncated",
    "CDR/byte-order octet above 1": "encapsulation_of_byte_order_2",
    "CDR/nested Any depth": "anys",
    "CDR/TypeCode indirection loop": "indirection_to_nowhere",
    "CDR/TypeCode indirection forward": "indirection_to_nowhere",
    # IOR
    "IOR/odd hex": "odd_number_of_digits",
    "IOR/upper/lower case": "iors",
    "IOR/whitespace/newline": "no_hexadecimal_digit",
    "IOR/zero profiles": "iors",
    "IOR/unknown profiles": "tagged_profiles",
    "IOR/non-zero padding": "references",
    "IOR/1.0 with component list": "references",
    "IOR/mixed byte order": "references",
    "IOR/port 0": "references",
    "IOR/empty host": "references",
    "IOR/duplicated single-instance tags": "tagged_components",
    "IOR/12-octet SSL component": "tagged_components",
    # Names, URLs
    "names/dangling backslash": "dangling_backslash",
    "names/empty component": "empty_component",
    "names/.": "stringified_names",
    "names/bad percent escape": "bad_percent_escape",
    "names/IPv6 literal": "addresses",
    "names/empty key": "corbalocs",
    "names/missing port": "bad_address",
    "names/several addresses": "corbalocs",
    "names/rir mixed with others": "bad_address",
    # Naming
    "naming/loops": "names",
    "naming/dangling contexts": "names",
    "naming/iterator misuse": "names",
    "naming/10**5 entries": "names",
    "naming/how_many 0": "names",
    "naming/how_many 2**32-1": "names",
    # Known defects of ORBs and tools, as far as they are not among the classes above
    "header/size close to 2**31": "message_size_0xffffffff",
    "CDR/inner length close to 2**31": "string_length_0xffffffff",
    "IOR/inner length close to 2**31": "octets_length_0xffffffff",
    "IOR/component length beyond the profile": "octets_length_0xffffffff",
    "IOR/short": "truncated",
    "request/value type where none is declared": "messages",
    "reply/little endian": "replies",
    "reply/short": "replies",
}
"""Class to the strategy that draws it: a breakage of `malformed`, or what `iiop_fuzz.strategies` exports.

Defects that are classes too: messages joined wrongly (fragments/interleaved), nested Anys and indirections (CDR), an odd number
of digits (IOR), a request behind a cancelled one (fragments/cancel mid-way).
"""

BROKEN = {breakage.__name__ for breakage in (*BREAKAGES, *OF_MESSAGES, *OF_IORS, *OF_NAMES, *OF_URLS)}


def classes(names: Iterable[str]) -> set[str]:
    """Return the classes that cases are of: what stands before the brackets."""
    return {name.partition(" (")[0] for name in names}


def names() -> list[str]:
    tables = (header, fragments, requests, replies, test_values, test_iors, test_names)
    found = [case.name for table in tables for case in table.CASES]
    return [*found, *test_naming.CASES, test_naming.MANY_ENTRIES]


def test_every_class_has_a_case() -> None:
    assert set(CHECKLIST) - classes(names()) == set()


def test_every_case_has_a_name_of_its_own() -> None:
    assert len(names()) == len(set(names()))


@pytest.mark.parametrize("strategy", sorted(set(CHECKLIST.values())))
def test_every_class_has_a_strategy(strategy: str) -> None:
    assert (strategy in BROKEN) != (strategy in st.__all__)
