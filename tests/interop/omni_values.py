"""Run by a child process, beside stubs that omniidl made of `IDL`: an omniORBpy client and server of values of value types.

Not by `omniORB.cdrMarshal`: that of omniORB 4.3.3 ends the process where it ends chunked values inside each other in a byte order
that is not the machine's.

`serve`: print the reference of a servant that returns what it is given, and end with standard input. `call REFERENCE`: give such
a servant each of `values`, and print a JSON object of names to True, or to what is wrong with the answer.
"""

from __future__ import annotations

import json
import sys
from typing import Any

IDL = """
module Values {
  abstract interface Describable { };
  valuetype Name string;
  struct Pair { long a; double b; };
  valuetype PairBox Pair;
  valuetype Node { public long number; public Node next; };
  valuetype Base { public octet kind; public string title; };
  valuetype Derived : Base { public double weight; };
  valuetype Cut : truncatable Base { public long extra; public Node link; };
  valuetype Deep : truncatable Cut { public double more; };
  abstract valuetype Shape { };
  valuetype Circle : Shape { public float radius; };
  valuetype Mixed supports Describable { public string text; public any anything; public Name label; public PairBox numbers; };
  valuetype Holder { public Base one; public Base two; public octet tail; public Shape outline; public Describable described; };
  typedef sequence<Base> Bases;
  typedef sequence<octet> Octets;
  typedef sequence<double> Doubles;
  typedef sequence<Pair> Pairs;
  valuetype Large { public octet kind; public Octets data; public Doubles numbers; public string text; public Pairs couples; };
  interface Echo : Describable {
    Node echo_node(in Node value);
    Base echo_base(in Base value);
    Name echo_name(in Name value);
    PairBox echo_pair(in PairBox value);
    Holder echo_holder(in Holder value);
    Bases echo_bases(in Bases value);
    Shape echo_shape(in Shape value);
    any echo_any(in any value);
    Describable echo_describable(in Describable value);
    ValueBase echo_value(in ValueBase value);
  };
};
"""


def values(this: Any) -> dict[str, tuple[str, Any]]:
    """Return the operation and the value, by name; `this` is an object reference."""
    import CORBA
    import Values  # type: ignore[import-not-found]  # made by omniidl

    def code(cls: Any) -> Any:
        return CORBA.TypeCode(CORBA.id(cls))

    cycle = Values.Node(1, None)
    cycle.next = Values.Node(2, cycle)
    base, derived = Values.Base(7, "base"), Values.Derived(8, "derived", 1.5)
    cut = Values.Cut(9, "cut", 5, Values.Node(3, Values.Node(4, None)))
    deep = Values.Deep(10, "deep", 6, cycle, 2.5)
    mixed = Values.Mixed("text", CORBA.Any(CORBA.TC_long, 7), "label", Values.Pair(1, 0.5))
    pairs = [Values.Pair(number, 0.5) for number in range(3000)]
    large = Values.Large(1, bytes(range(256)) * 100, [number / 4 for number in range(5000)], "text" * 5000, pairs)
    return {
        "null": ("echo_node", None),
        "chain": ("echo_node", Values.Node(1, Values.Node(2, Values.Node(3, None)))),
        "cycle": ("echo_node", cycle),
        "base": ("echo_base", base),
        "derived": ("echo_base", derived),
        "chunked": ("echo_base", cut),
        "chunked twice derived": ("echo_base", deep),
        "boxed string": ("echo_name", "text"),
        "null box": ("echo_name", None),
        "boxed struct": ("echo_pair", Values.Pair(3, 0.25)),
        "shared": ("echo_bases", [base, derived, base, None, derived]),
        "shared and chunked": ("echo_bases", [cut, deep, cut, base, deep]),
        "abstract value type": ("echo_shape", Values.Circle(0.5)),
        "nested": ("echo_holder", Values.Holder(cut, base, 9, Values.Circle(2.0), mixed)),
        "nested and shared": ("echo_holder", Values.Holder(cut, cut, 9, None, None)),
        "reference as abstract interface": ("echo_describable", this),
        "value as abstract interface": ("echo_describable", mixed),
        "ValueBase": ("echo_value", derived),
        "large": ("echo_value", large),
        "value in Any": ("echo_any", CORBA.Any(code(Values.Base), base)),
        "cycle in Any": ("echo_any", CORBA.Any(code(Values.Node), cycle)),
        "chunked value in Any": ("echo_any", CORBA.Any(code(Values.Cut), cut)),
        "box in Any": ("echo_any", CORBA.Any(Values._tc_Name, "text")),
    }


def difference(one: Any, other: Any, known: dict[int, Any], path: str = "") -> str:
    """Return where two graphs of values differ, in shape or in sharing; nothing where they do not."""
    import CORBA

    if isinstance(one, CORBA.ValueBase):
        if id(one) in known:
            return "" if known[id(one)] is other else f"{path} is not shared"
        known[id(one)] = other
    if isinstance(one, CORBA.Any):
        if not one.typecode().equal(other.typecode()):
            return f"{path} has another TypeCode"
        return difference(one.value(), other.value(), known, f"{path}.value")
    if isinstance(one, CORBA.Object):
        return "" if one._is_equivalent(other) else f"{path} is another object"
    if type(one) is not type(other):
        return f"{path} is a {type(other).__name__}, not a {type(one).__name__}"
    if isinstance(one, list):
        pairs = [difference(a, b, known, f"{path}[{i}]") for i, (a, b) in enumerate(zip(one, other, strict=True))]
        return next(filter(None, pairs), "")
    if hasattr(one, "__dict__"):
        if vars(one).keys() != vars(other).keys():
            return f"{path} has other members"
        members = [difference(vars(one)[name], vars(other)[name], known, f"{path}.{name}") for name in vars(one)]
        return next(filter(None, members), "")
    return "" if one == other else f"{path} is {other!r}, not {one!r}"


def main() -> None:
    """Serve or call."""
    import CORBA
    import Values
    import Values__POA  # type: ignore[import-not-found]  # made by omniidl

    orb = CORBA.ORB_init(["omni_values", *sys.argv[3:]], CORBA.ORB_ID)
    for cls in (Values.Circle, Values.Mixed):  # those with an abstract base are not registered by the stubs
        orb.register_value_factory(CORBA.id(cls), cls)
    if sys.argv[1] == "call":
        given = orb.string_to_object(sys.argv[2])._unchecked_narrow(Values.Echo)
        answer: dict[str, object] = {}
        for name, (operation, value) in values(given).items():
            try:
                answer[name] = difference(value, getattr(given, operation)(value), {}) or True
            except CORBA.Exception as error:
                answer[name] = repr(error)
        print(json.dumps(answer))
        return

    class Echo(Values__POA.Echo):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            return (lambda value: value) if name.startswith("echo_") else super().__getattribute__(name)

    poa = orb.resolve_initial_references("RootPOA")
    poa._get_the_POAManager().activate()
    servant = Echo()
    print(orb.object_to_string(servant._this()), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
