"""Run by a child process, beside stubs that omniidl made of `IDL`: Anys as omniORBpy writes them, and whether it reads ours.

Standard input: a JSON object of names to hexadecimal octets of Anys that we wrote. Standard output: a JSON object of names to
`octets` (an Any as omniORBpy writes it, big endian) and `same` (whether what we wrote is equal to it).
"""

from __future__ import annotations

import json
import sys
from typing import Any

IDL = """
module Types {
  struct Point { long x; double y; };
  struct Pair { Point first; Point second; };
  enum Colour { red, green, blue };
  typedef string Name;
  typedef sequence<Colour, 4> Colours;
  struct Node { string name; sequence<Node> children; };
  union Choice switch (Colour) { case red: long number; case green: case blue: Name text; };
  union Maybe switch (boolean) { case TRUE: Point value; };
  union Other switch (short) { case 1: long number; default: string text; };
  struct Everything { short a; unsigned short b; long long c; unsigned long long d; float e; char f; octet g; boolean h; any i; };
  struct Wide { wchar one; long a; wstring some; long b; };
  exception Oops { string why; long number; };
  interface Thing { };
};
"""


def anys() -> dict[str, Any]:
    """Return the Anys by name."""
    import CORBA
    import Types  # type: ignore[import-not-found]  # made by omniidl

    def of(cls: Any, *members: Any) -> Any:
        return CORBA.Any(CORBA.TypeCode(CORBA.id(cls)), cls(*members))

    def code(cls: Any) -> Any:
        return CORBA.Any(CORBA.TC_TypeCode, CORBA.TypeCode(CORBA.id(cls)))

    orb = CORBA.ORB_init(["omni"], CORBA.ORB_ID)
    point, leaf = Types.Point(3, 0.5), Types.Node("leaf", [])
    return {
        "short": CORBA.Any(CORBA.TC_short, -2),
        "ulong": CORBA.Any(CORBA.TC_ulong, 4000000000),
        "double": CORBA.Any(CORBA.TC_double, 1.5),
        "boolean": CORBA.Any(CORBA.TC_boolean, True),
        "char": CORBA.Any(CORBA.TC_char, "x"),
        "octet": CORBA.Any(CORBA.TC_octet, 200),
        "string": CORBA.Any(CORBA.TC_string, "text"),
        "bounded string": CORBA.Any(orb.create_string_tc(10), "text"),
        "octets": CORBA.Any(orb.create_sequence_tc(0, CORBA.TC_octet), b"\x01\x02"),
        "longs": CORBA.Any(orb.create_sequence_tc(5, CORBA.TC_long), [1, 2, 3]),
        "array": CORBA.Any(orb.create_array_tc(2, CORBA.TC_double), [1.0, 2.0]),
        "any": CORBA.Any(CORBA.TC_any, CORBA.Any(CORBA.TC_long, 7)),
        "null": CORBA.Any(CORBA.TC_null, None),
        "wide": of(Types.Wide, "\u3042", 1, "\u3042\u3044", 2),
        "wstring": CORBA.Any(CORBA.TC_wstring, "\u65e5\u672c \U0001f600"),
        "empty wstring": CORBA.Any(orb.create_wstring_tc(4), ""),
        "fixed": CORBA.Any(orb.create_fixed_tc(5, 2), CORBA.fixed(5, 2, -350)),
        "even fixed": CORBA.Any(orb.create_fixed_tc(4, 0), CORBA.fixed(4, 0, 1234)),
        "alias": CORBA.Any(CORBA.TypeCode(CORBA.id(Types.Name)), "text"),
        "enum": CORBA.Any(CORBA.TypeCode("IDL:Types/Colour:1.0"), Types.green),
        "enums": CORBA.Any(CORBA.TypeCode(CORBA.id(Types.Colours)), [Types.red, Types.blue]),
        "struct": of(Types.Point, 3, 0.5),
        "struct of structs": of(Types.Pair, point, point),
        "recursive struct": of(Types.Node, "root", [leaf, Types.Node("inner", [leaf])]),
        "union": of(Types.Choice, Types.blue, "text"),
        "union without a member": of(Types.Maybe, False, None),
        "union with a default": of(Types.Other, 7, "text"),
        "everything": of(
            Types.Everything,
            -1,
            1,
            -(2**40),
            2**60,
            0.25,
            "c",
            255,
            True,
            CORBA.Any(CORBA.TypeCode(CORBA.id(Types.Point)), point),
        ),
        "exception TypeCode": code(Types.Oops),
        "interface TypeCode": code(Types.Thing),
        "struct TypeCode": code(Types.Pair),
        "recursive TypeCode": code(Types.Node),
        "union TypeCode": code(Types.Choice),
        "fixed TypeCode": CORBA.Any(CORBA.TC_TypeCode, orb.create_fixed_tc(5, 2)),
        "wstring TypeCode": CORBA.Any(CORBA.TC_TypeCode, orb.create_wstring_tc(3)),
    }


def is_same(one: Any, other: Any) -> bool:
    """Compare Anys: octets of equal ones may differ in padding, text of equal ones in trailing zeros of a fixed."""
    import CORBA
    from omniORB import cdrMarshal

    octets = [cdrMarshal(CORBA.TC_any, value, False) for value in (one, other)]
    return bool(one.typecode().equal(other.typecode())) and (octets[0] == octets[1] or repr(one.value()) == repr(other.value()))


def main() -> None:
    """Answer standard input."""
    import CORBA
    from omniORB import cdrMarshal, cdrUnmarshal

    given = json.load(sys.stdin)
    answer = {}
    for name, value in anys().items():
        octets = cdrMarshal(CORBA.TC_any, value, False)
        same = name in given and is_same(cdrUnmarshal(CORBA.TC_any, bytes.fromhex(given[name]), False), value)
        answer[name] = {"octets": octets.hex(), "same": same}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
