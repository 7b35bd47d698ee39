"""The value types of `omni_values.IDL`, declared as ours, its interface, a servant of that, and the values given to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import Double, Float, Long, Octet, Value, abstract_interface, cdr_type, value_type
from iiop.cdr.any import Any
from iiop.cdr.typecode import TCKind, TypeCode
from iiop.idl import Interface, Servant, operation
from iiop.iop import IOR

Describable = abstract_interface(cdr_type(IOR))


@dataclass(frozen=True, slots=True)
class Pair:
    a: Annotated[int, Long]
    b: Annotated[float, Double]


@value_type("IDL:Values/Name:1.0")
class Name(Value):
    value: str


@value_type("IDL:Values/PairBox:1.0")
class PairBox(Value):
    value: Pair


@value_type("IDL:Values/Node:1.0")
class Node(Value):
    number: Annotated[int, Long]
    next: Node | None


@value_type("IDL:Values/Base:1.0")
class Base(Value):
    kind: Annotated[int, Octet]
    title: str


@value_type("IDL:Values/Derived:1.0")
class Derived(Base):
    weight: Annotated[float, Double]


@value_type("IDL:Values/Cut:1.0", truncatable=True)
class Cut(Base):
    extra: Annotated[int, Long]
    link: Node | None


@value_type("IDL:Values/Deep:1.0", truncatable=True)
class Deep(Cut):
    more: Annotated[float, Double]


@value_type("IDL:Values/Shape:1.0", abstract=True)
class Shape(Value): ...


@value_type("IDL:Values/Circle:1.0")
class Circle(Shape):
    radius: Annotated[float, Float]


@value_type("IDL:Values/Mixed:1.0")
class Mixed(Value):
    text: str
    anything: Any
    label: Name | None
    numbers: PairBox | None


@value_type("IDL:Values/Holder:1.0")
class Holder(Value):
    one: Base | None
    two: Base | None
    tail: Annotated[int, Octet]
    outline: Shape | None
    described: Annotated[IOR | Value | None, Describable]


@value_type("IDL:Values/Large:1.0")
class Large(Value):
    kind: Annotated[int, Octet]
    data: bytes
    numbers: tuple[Annotated[float, Double], ...]
    text: str
    couples: tuple[Pair, ...]


class Echo(Interface):
    repository_id = "IDL:Values/Echo:1.0"

    @operation
    def echo_node(self, value: Node | None) -> Node | None: ...

    @operation
    def echo_base(self, value: Base | None) -> Base | None: ...

    @operation
    def echo_name(self, value: Name | None) -> Name | None: ...

    @operation
    def echo_pair(self, value: PairBox | None) -> PairBox | None: ...

    @operation
    def echo_holder(self, value: Holder | None) -> Holder | None: ...

    @operation
    def echo_bases(self, value: tuple[Base | None, ...]) -> tuple[Base | None, ...]:  # type: ignore[empty-body]
        """Return the values."""

    @operation
    def echo_shape(self, value: Shape | None) -> Shape | None: ...

    @operation
    def echo_any(self, value: Any) -> Any:  # type: ignore[empty-body]
        """Return the Any."""

    @operation
    def echo_describable(
        self, value: Annotated[IOR | Value | None, Describable]
    ) -> Annotated[IOR | Value | None, Describable]: ...

    @operation
    def echo_value(self, value: Value | None) -> Value | None: ...


def _values() -> dict[str, tuple[str, object]]:
    """Return the operation and the value, by name, as in `omni_values.values`, but those that are references or Anys."""
    cycle = Node(1, None)
    cycle.next = Node(2, cycle)
    base, derived = Base(7, "base"), Derived(8, "derived", 1.5)
    cut = Cut(9, "cut", 5, Node(3, Node(4, None)))
    deep = Deep(10, "deep", 6, cycle, 2.5)
    mixed = Mixed("text", Any(TypeCode(TCKind.tk_long), 7), Name("label"), PairBox(Pair(1, 0.5)))
    return {
        "null": ("echo_node", None),
        "chain": ("echo_node", Node(1, Node(2, Node(3, None)))),
        "cycle": ("echo_node", cycle),
        "base": ("echo_base", base),
        "derived": ("echo_base", derived),
        "chunked": ("echo_base", cut),
        "chunked twice derived": ("echo_base", deep),
        "boxed string": ("echo_name", Name("text")),
        "null box": ("echo_name", None),
        "boxed struct": ("echo_pair", PairBox(Pair(3, 0.25))),
        "shared": ("echo_bases", (base, derived, base, None, derived)),
        "shared and chunked": ("echo_bases", (cut, deep, cut, base, deep)),
        "abstract value type": ("echo_shape", Circle(0.5)),
        "nested": ("echo_holder", Holder(cut, base, 9, Circle(2.0), mixed)),
        "nested and shared": ("echo_holder", Holder(cut, cut, 9, None, None)),
        "value as abstract interface": ("echo_describable", mixed),
        "ValueBase": ("echo_value", derived),
    }


VALUES = _values()
LARGE = Large(
    1,
    bytes(range(256)) * 100,
    tuple([number / 4 for number in range(5000)]),
    "text" * 5000,
    tuple([Pair(number, 0.5) for number in range(3000)]),
)
"""A value that takes more than a buffer of omniORB, so that it comes in many chunks, and in fragments."""


def _returning(operation: str) -> Callable[[Echoing, object], object]:
    def same(self: Echoing, value: object) -> object:
        self.calls.append((operation, value))
        return value

    return same


class Echoing(Servant):
    """Return what is given, and keep it."""

    interface = Echo

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []


for _operation in Echo.operations():
    if _operation.startswith("echo_"):
        setattr(Echoing, _operation, _returning(_operation))
