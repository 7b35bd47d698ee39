"""Anys that hold values of generated types, against an omniORBpy server and client whose stubs are of the same IDL."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.any import typecode_of
from iiop.cdr.typecode import TCKind, TypeCode
from iiop.exceptions import DecodeError, EncodeError
from iiop.idl import load
from iiop.iop import NIL
from iiop.net.client import Client
from iiop.net.servants import Server
from ior import IOR, IORBuilder
from tests.interop.omni_typed_anys import IDL
from tests.interop.test_echo import POLICY
from tests.peers import PeerProcess, omniidl_stubs
from tests.property.test_engines_agree import plain

CHILD = Path(__file__).with_name("omni_typed_anys.py")
REFERENCE = IORBuilder("IDL:Typed/Rebuilder:1.0").iiop("127.0.0.1", 2809, key=b"x").build().to_iop()


def _values(v: ModuleType) -> dict[str, Any]:
    """Return a value of each type, by the name of the type."""
    entry = v.Entry("rent", 7, v.Colour.blue, b"\1\2")
    ring = v.Node(1, None)
    ring.next = v.Node(2, ring)
    derived = v.Derived(5, v.Node(3, None), v.Colour.green)
    return {
        "Amount": -5,
        "Bytes": b"abc",
        "Digest": b"abcd",
        "Amounts": (1, 2, 3),
        "Other": (4,),
        "Table": ((1,), (2, 3)),
        "Grid": ((1, 2, 3), (4, 5, 6)),
        "Colour": v.Colour.green,
        "Entry": entry,
        "Entries": (entry, dataclasses.replace(entry, text="")),
        "Tree": v.Tree("a", (v.Tree("b", ()), v.Tree("c", (v.Tree("d", ()),)))),
        "Wide": v.Wide("\u65e5\u672c", Decimal("-1.50"), "seven", 2**63, 0.5, True, "x"),
        "Meta": v.Meta(CORBAAny.of(v.Entry, entry), typecode_of(v.Entry), REFERENCE),
        "Number": v.Number(-1, 7),
        "Number of text": v.Number(1, "text"),
        "Number by default": v.Number(77, entry),
        "Tinted": v.Tinted(v.Colour.blue, (entry,)),
        "Tinted with nothing": v.Tinted(v.Colour.green, None),
        "Overdrawn": v.Overdrawn(5, (entry,)),
        "Bare": v.Bare(),
        "Node": ring,
        "Base": v.Base(4),
        "Derived": derived,
        "Circle": v.Circle(0.25),
        "Shape": v.Circle(0.5),
        "Name": v.Name("text"),
        "Lines": v.Lines((entry,)),
        "Holder": v.Holder(ring, ring, derived, v.Name("x"), v.Circle(2.0)),
        "Rebuilder": REFERENCE,
        "Friend": REFERENCE,
        "Known": v.Known(REFERENCE, (REFERENCE, NIL), REFERENCE),
        "Describable": REFERENCE,
        "Rebuilder.Inside": v.Rebuilder.Inside(1, 2),
        "Rebuilder.Insides": (v.Rebuilder.Inside(1, 2), v.Rebuilder.Inside(3, 4)),
    }


class Scene:
    """A server of theirs, one of theirs that asks ours, and our module."""

    def __init__(self, module: ModuleType, echo: Any, relay: Any) -> None:
        self.module = module
        self.stubs = (echo, relay)
        self.values = _values(module)

    def type(self, name: str) -> Any:
        declared: Any = self.module
        for part in name.split()[0].split("."):
            declared = getattr(declared, part)
        return declared


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = omniidl_stubs(IDL, tmp_path_factory.mktemp("typed"))
    v = load(folder / "stubs.idl").Typed
    types: dict[str, Any] = {}

    class Rebuilder(v.RebuilderServant):  # type: ignore[misc]
        def rebuild(self, given: CORBAAny) -> CORBAAny:
            if not given.type.repository_id:
                return given
            declared = types[given.type.repository_id]
            return CORBAAny.of(declared, given.extract(declared))

        def pass_on_to(self, other: Any) -> None:
            raise AssertionError("nobody passes ours on")

    args: list[str | Path] = [sys.executable, "-P", CHILD, "-ORBendPoint", "giop:tcp:127.0.0.1:"]
    with (
        Client(policy=POLICY) as client,
        PeerProcess(args, folder / "peer.log", {"PYTHONPATH": str(folder)}) as process,
        Server() as server,
    ):
        match = process.wait_line("(IOR:[0-9a-f]+) (IOR:[0-9a-f]+)")
        echo, relay = [client.stub(IOR.from_string(text), v.Rebuilder) for text in match.groups()]
        relay.pass_on_to(IOR.from_iop(server.activate(Rebuilder())))
        for stub in (echo, relay):
            assert stub.rebuild(CORBAAny.of(str, "x")).value == "x"
        found = Scene(v, echo, relay)
        types |= {typecode_of(found.type(name)).repository_id: found.type(name) for name in found.values}
        yield found


def theirs(typecode: TypeCode | None) -> TypeCode | None:
    """Return a TypeCode as omniORBpy has it.

    Names that are keywords of Python have an underscore, Object has no id, and default members labels of its choice.
    """
    if typecode is None:
        return None
    if typecode.name == "Object":
        return dataclasses.replace(typecode, repository_id="")
    members = [
        dataclasses.replace(
            member,
            name={"from": "_from", "lambda": "_lambda"}.get(member.name, member.name),
            type=theirs(member.type),
            label=None if index == typecode.default_index else member.label,
        )
        for index, member in enumerate(typecode.members)
    ]
    inside = {name: theirs(getattr(typecode, name)) for name in ("content", "discriminator")}
    return dataclasses.replace(typecode, members=tuple(members), **inside)


def test_every_type(scene: Scene) -> None:
    for name, value in scene.values.items():
        declared = scene.type(name)
        given = CORBAAny.of(declared, value)
        for stub in scene.stubs:
            back = stub.rebuild(given)
            assert theirs(back.type) == theirs(given.type), name
            read = back.extract(declared)
            assert type(read) is type(value), name
            assert plain(read) == plain(value), name


def test_kinds(scene: Scene) -> None:
    """All kinds of IDL that have a name are there."""
    kinds = {typecode_of(scene.type(name)).kind for name in scene.values}
    assert kinds == {
        TCKind.tk_alias, TCKind.tk_enum, TCKind.tk_struct, TCKind.tk_union, TCKind.tk_except, TCKind.tk_value,
        TCKind.tk_value_box, TCKind.tk_objref, TCKind.tk_abstract_interface,
    }  # fmt: skip


@pytest.mark.parametrize(("declared", "value"), [(str, "text"), (tuple[str, ...], ("a", "b"))])
def test_types_without_a_name(scene: Scene, declared: Any, value: Any) -> None:
    for stub in scene.stubs:
        assert stub.rebuild(CORBAAny.of(declared, value)).extract(declared) == value


def test_a_value_of_a_derived_type(scene: Scene) -> None:
    """What stands where a base is told is of the class that is declared, shared objects are, and members of the base as well."""
    v = scene.module
    derived = v.Derived(5, v.Node(3, None), v.Colour.green)
    for stub in scene.stubs:
        read = stub.rebuild(CORBAAny.of(v.Base, derived)).extract(v.Base)
        assert type(read) is v.Derived
        assert read == derived
        holder = stub.rebuild(CORBAAny.of(v.Holder, scene.values["Holder"])).extract(v.Holder)
        assert holder.first is holder.second
        assert holder.first.next.next is holder.first


def test_what_is_made_equals_what_comes(scene: Scene) -> None:
    given = CORBAAny.of(scene.module.Entry, scene.values["Entry"])
    assert scene.stubs[0].rebuild(given) == given


def test_refusals(scene: Scene) -> None:
    v = scene.module
    with pytest.raises(DecodeError, match=r"type: the Any holds a IDL:Typed/Tree:1.0 \(tk_struct\), not a IDL:Typed/Entry:1.0"):
        CORBAAny.of(v.Tree, v.Tree("a", ())).extract(v.Entry)
    with pytest.raises(DecodeError, match="not a IDL:Typed/Colour"):
        CORBAAny.of(str, "text").extract(v.Colour)
    with pytest.raises(EncodeError, match=r"value: Tree has no member text"):
        CORBAAny.of(v.Entry, v.Tree("a", ()))
    with pytest.raises(EncodeError, match=r"value\[0\]\.tint: 9 is not a valid Colour"):
        CORBAAny.of(v.Entries, [v.Entry("a", 1, 9, b"")])
    with pytest.raises(EncodeError, match="must be a tuple or list, not int"):
        CORBAAny.of(v.Amounts, 5)
    with pytest.raises(TypeError, match="does not say"):
        CORBAAny.of(tuple[int, str], 5)


def test_typedefs_do_not_count(scene: Scene) -> None:
    v = scene.module
    assert CORBAAny.of(v.Amounts, (1, 2)).extract(v.Other) == (1, 2)
    assert CORBAAny.of(v.Other, (1, 2)).extract(v.Amounts) == (1, 2)
    assert typecode_of(v.Bytes).content == TypeCode(TCKind.tk_sequence, content=typecode_of(v.Byte))
