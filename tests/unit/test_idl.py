"""IDL made into Python: what it declares, how it is named, and what is refused where."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from iiop.cdr import Binary128, ByteOrder, Value, cdr_type, codec, value_implementation
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.typecode import TCKind, TypeCode
from iiop.exceptions import NO_IMPLEMENT, DecodeError, UserException
from iiop.idl import AsyncInterface, IDLError, Interface, Servant, load
from iiop.idl.compiler import compile_idl, write_packages
from iiop.iop import NIL
from tests.idl_texts import BANK, EVERYTHING, MONEY, TYPES, UNIONS, VALUES
from tests.interop.test_idl_of_omniorb import use_all

Compile = Callable[..., ModuleType]


@pytest.fixture
def idl(tmp_path: Path) -> Compile:
    """Give what loads IDL text; further files, which it may include, by keyword."""

    def compiled(text: str, **files: str) -> ModuleType:
        for name, content in files.items():
            (tmp_path / f"{name}.idl").write_text(content)
        path = tmp_path / "given.idl"
        path.write_text(text)
        return load(path, include=[tmp_path])

    return compiled


def octets(cls: Any, value: Any) -> str:
    encoded = codec(cls).encode(value)
    assert codec(cls).decode(encoded) == value
    return encoded.hex()


def test_a_module(idl: Compile) -> None:
    bank = idl(BANK).Bank
    assert bank.__doc__.splitlines()[:2] == ["Money, and", "who has it."]
    assert octets(bank.Entry, bank.Entry("rent", 7)) == "0000000572656e740000000000000007"
    assert inspect.cleandoc(bank.Entry.__doc__) == "One line of an account.\n\nAttributes:\n    text: what for"
    assert bank.LIMIT == 1000
    assert [state.name for state in bank.State] == ["open", "closed"]
    assert issubclass(bank.Account, Interface)
    assert bank.Account.repository_id == "IDL:Bank/Account:1.0"
    assert bank.Account.CURRENCY == "EUR"
    assert issubclass(bank.Account.Closed, UserException)
    assert bank.Account.Closed.repository_id == "IDL:Bank/Account/Closed:1.0"
    assert inspect.cleandoc(bank.Account.Closed.__doc__) == "Why an account\nis closed."
    assert str(bank.Overdrawn(5)) == "Overdrawn: missing=5"
    assert bank.Savings.repository_ids() == ("IDL:Bank/Savings:1.0", "IDL:Bank/Account:1.0", "IDL:omg.org/CORBA/Object:1.0")


def test_operations(idl: Compile) -> None:
    bank = idl(BANK).Bank
    operations = bank.Savings.operations()
    withdraw = operations["withdraw"]
    assert list(withdraw.signature.parameters) == ["cents", "why"]
    assert withdraw.returns == 3
    assert list(withdraw.raises) == ["IDL:Bank/Overdrawn:1.0", "IDL:Bank/Account/Closed:1.0"]
    assert withdraw.arguments.encode((5, "x")).hex() == "00000005000000027800"
    assert withdraw.results.decode(withdraw.results.encode((1, "a", (bank.Entry("b", 2),)))) == (1, "a", (bank.Entry("b", 2),))
    assert bank.Account.withdraw.__doc__ == "Take money out."
    assert bank.Account._get_balance.__doc__ == "Return attribute balance."
    assert {"_get_balance", "_get_owner", "_set_owner"} <= operations.keys()
    assert "_set_balance" not in operations
    assert operations["notify"].oneway
    assert not withdraw.oneway
    assert operations["other"].results.decode(operations["other"].results.encode((NIL,))) == (NIL,)


def test_classes_beside_an_interface(idl: Compile) -> None:
    bank = idl(BANK).Bank
    assert issubclass(bank.SavingsAsync, bank.AccountAsync)
    assert issubclass(bank.AccountAsync, AsyncInterface)
    assert issubclass(bank.SavingsServant, bank.AccountServant)
    assert bank.SavingsServant.interface is bank.Savings
    assert issubclass(bank.AccountServant, Servant)
    with pytest.raises(TypeError, match="abstract"):
        bank.SavingsServant()


def test_loading_again_gives_the_same_classes(idl: Compile) -> None:
    assert idl(BANK).Bank.Account is idl(BANK).Bank.Account
    assert idl(BANK.replace("1000", "1001")).Bank.LIMIT == 1001


def test_what_is_in_no_module(idl: Compile, tmp_path: Path) -> None:
    root = idl('#include "other.idl"\nstruct Here { There it; };', other="struct There { octet a; };")
    assert octets(root.Here, root.Here(root.There(5))) == "05"
    assert root.Here.__module__.endswith(".given_idl")
    assert root.There.__module__.endswith(".other_idl")


def test_names_that_python_has(idl: Compile) -> None:
    """Keywords, and names that classes here use, get an underscore; on the wire they have none."""
    m = idl("""
    module class {
      struct None { long from; long self; };
      enum E { name, mro, real, if };
      exception X { string args; };
      interface I { void operations(in long self, in long import); long print(); attribute long lambda; void repository_id(); };
    };
    """)
    module = m._class
    assert module._None(1, 2)._from == 1
    assert [member.name for member in module.E] == ["_name", "_mro", "_real", "_if"]
    assert module.X("a")._args == "a"
    assert list(module.I.operations()["operations"].signature.parameters) == ["_self", "_import"]
    assert module.I.operations()["operations"].method == "_operations"
    assert module.I.operations()["repository_id"].method == "repository_id_"
    assert module.I.operations()["_get_lambda"].method == "_get_lambda"


def test_names_that_generated_code_imports(idl: Compile) -> None:
    """Types called as ours are, members called as types are."""
    m = idl("""
    module M {
      struct ULong { long int; string str; };
      struct Value { sequence<octet> bytes; M::ULong ULong; boolean bool; unsigned long number; };
      interface IOR { M::Value Value(in M::ULong what, in unsigned long operation, in IOR more, in ValueBase any_); };
    };
    """).M
    number = m.ULong(5, "x")
    assert octets(m.Value, m.Value(b"ab", number, True, 7)) == "0000000261620000000000050000000278000100" + "00000007"
    assert m.IOR.operations()["Value"].arguments.encode((number, 6, NIL, None)).hex()[:32] == "00000005000000027800000000000006"


def test_unions(idl: Compile) -> None:
    u = idl(UNIONS).U
    assert octets(u.Number, u.Number(1, "a")) == "0001000000000002" + "6100"
    assert octets(u.Number, u.Number(7, 0.5)) == "0007000000000000" + "3fe0000000000000"
    assert octets(u.Some, u.Some(True, 5)) == "0100000000000005"
    assert octets(u.Some, u.Some(False, None)) == "00"
    assert octets(u.Both, u.Both(False, "b")) == "00000000000000026200"
    assert octets(u.Tinted, u.Tinted(u.Colour.blue, (u.Colour.red,))) == "000000020000000100000000"
    assert octets(u.Tinted, u.Tinted(u.Colour.green, None)) == "00000001"
    assert octets(u.Lettered, u.Lettered("'", 5)) == "2700000000000005"
    assert octets(u.Otherwise, u.Otherwise(77, "x")) == "0000004d000000027800"
    assert octets(u.Chain, u.Chain(True, (u.Chain(False, 5),))) == "01000000000000010000000000000005"
    assert octets(u.Inner, u.Inner(1, u.Inner.Here(2))) == "0000000100000002"


def test_types(idl: Compile) -> None:
    t = idl(TYPES).T
    value = t.All(
        "abc", "wide", "é", "x", "c", Decimal("1.50"), Binary128(0.5),
        b"ab", b"c", ((1, 2), ()), b"abc", ((1, 2), (3, 4)), ((1, 2, 3), (4, 5, 6)), 2**64 - 1,
        CORBAAny(TypeCode(TCKind.tk_long), 5), TypeCode(TCKind.tk_string), NIL, t.Node("a", (t.Node("b", ()),)),
    )  # fmt: skip
    for order in ByteOrder:
        assert codec(t.All).decode(codec(t.All).encode(value, order), order) == value
    for member, wrong in (
        ("short_", "abcd"),
        ("few_octets", b"abc"),
        ("nested", ((1, 2, 3),)),
        ("three", b"ab"),
        ("square", ((1, 2),)),
    ):
        with pytest.raises(ValueError, match=member):
            codec(t.All).encode(dataclasses.replace(value, **{member: wrong}))
    assert t.BIG == -(2**63) + 1
    assert t.WIDE == "x€"
    assert t.TEXT == 'quote " back \\ line\n'
    assert ("'", Decimal("1.50"), True, 0.5) == (t.LETTER, t.PRICE, t.YES, t.HALF)
    assert t.BEST is t.Colour.green


def test_value_types(idl: Compile) -> None:
    v = idl(VALUES).V
    ring = v.Node(1, None)
    ring.next = v.Node(2, ring)
    read = codec(v.Node).decode(codec(v.Node).encode(ring))
    assert read == ring
    assert read.next.next is read
    assert issubclass(v.Circle, v.Shape)
    assert issubclass(v.Cut, v.Base)
    cut = v.Cut(1, (v.Base(2, ()), None), None)
    assert codec(v.Base).decode(codec(v.Base).encode(cut)) == cut
    assert v.Cut.__cdr_type__.repository_ids == ("IDL:V/Cut:1.0", "IDL:V/Base:1.0")
    assert v.Secret.__cdr_type__.custom
    assert v.Shape.__cdr_type__.abstract
    holder = v.Holder(NIL, v.Circle(0.5), v.Name("x"))
    assert codec(v.Holder).decode(codec(v.Holder).encode(holder)) == holder
    assert codec(v.Holder).decode(codec(v.Holder).encode(v.Holder(v.Circle(0.5), None, None))).one == v.Circle(0.5)
    assert codec(v.Numbers).decode(codec(v.Numbers).encode(v.Numbers((1, 2)))).value == (1, 2)
    assert issubclass(v.Name, Value)


def test_operations_of_values(idl: Compile) -> None:
    m = idl(MONEY).Money
    bare = m.Amount(5, "x")
    for call in (
        lambda: bare.times(bare),
        lambda: bare.less(None),
        lambda: bare.text(True),
        lambda: bare._get_memo(),
        lambda: bare._set_memo("a"),
        lambda: bare._get_unit(),
        lambda: m.Amount.of_euros(1),
    ):
        with pytest.raises(NO_IMPLEMENT):
            call()
    assert inspect.cleandoc(m.Amount.times.__doc__) == "How many of another fit in."
    assert m.Amount.Negative(5).cents == 5

    @value_implementation
    class Euros(m.Amount):  # type: ignore[misc]
        def times(self, other: Any) -> tuple[int, int]:
            return divmod(self.cents, other.cents)

        @classmethod
        def of_euros(cls, euros: int) -> Euros:
            return cls(100 * euros, "")

    bill = m.Bill(Euros.of_euros(7), Euros(2, "b"), m.Amount(3, "c"))
    read = codec(m.Bill).decode(codec(m.Bill).encode(bill))
    assert [type(part) for part in (read.total, read.extra, read.least)] == [Euros] * 3
    assert read.total == bill.total
    assert read.total.times(read.least) == (233, 1)
    assert type(codec(m.Amount).decode(codec(m.Amount).encode(m.Tip(1, "", "me")))) is m.Tip
    assert type(CORBAAny.of(m.Amount, Euros(5, "")).extract(m.Amount)) is Euros
    with pytest.raises(TypeError, match=r"Money\.Amount is implemented by .*Euros"):
        value_implementation(type("Cents", (m.Amount,), {}))
    with pytest.raises(TypeError, match="derived from no value type that can have objects"):
        value_implementation(type("Less", (m.Comparable,), {}))
    with pytest.raises(TypeError, match="derived from no value type that can have objects"):
        value_implementation(m.Tip)
    with pytest.raises(TypeError, match="declares members"):
        value_implementation(dataclasses.make_dataclass("More", [("more", int)], bases=(m.Tip,), eq=False, repr=False))


def test_values_declared_twice(idl: Compile, caplog: pytest.LogCaptureFixture) -> None:
    """Where the class is not told by what is expected, those of the same members are told of, others refused."""
    text = "module Twice {{ valuetype {0} {{ public long a; {1} }}; struct Holder {{ {0} known; ValueBase some; }}; }};"
    one = idl(text.format("Same", "")).Twice
    two = idl(text.format("Same", "") + "module Other { const long C = 1; };").Twice
    assert one.Same is not two.Same
    octets_of_both = codec(two.Holder).encode(two.Holder(two.Same(1), two.Same(2)))
    for _ in range(2):
        read = codec(two.Holder).decode(octets_of_both)
        assert (type(read.known), type(read.some)) == (two.Same, one.Same)
    (record,) = [record for record in caplog.records if record.name == "iiop.values"]
    assert "IDL:Twice/Same:1.0 is declared by " in record.message
    third = idl(text.format("Odd", "")).Twice
    fourth = idl(text.format("Odd", "public string b;")).Twice
    odd = codec(fourth.Holder).encode(fourth.Holder(None, fourth.Odd(1, "x")))
    with pytest.raises(DecodeError, match=r"some at offset 4: IDL:Twice/Odd:1\.0 is declared by .*, which differ"):
        codec(third.Holder).decode(odd)
    value_implementation(type("Mine", (fourth.Odd,), {}))
    assert type(codec(third.Holder).decode(odd).some).__name__ == "Mine"


def test_pragmas(idl: Compile) -> None:
    m = idl(
        """
    #pragma prefix "example.com"
    module M {
      interface A { exception E { }; };
      interface B { };
      #pragma version B 2.3
      interface C { };
      #pragma ID C "LOCAL:here"
      typeid_
    };
    """.replace("typeid_", "")
    ).M
    ids = m.A.repository_id, m.A.E.repository_id, m.B.repository_id, m.C.repository_id
    assert ids == ("IDL:example.com/M/A:1.0", "IDL:example.com/M/A/E:1.0", "IDL:example.com/M/B:2.3", "LOCAL:here")


def test_inheritance_that_python_would_not_order(idl: Compile) -> None:
    m = idl("""
    module M {
      interface A { void do_a(); };
      interface B : A { void do_b(); };
      interface C { void do_c(); };
      interface D : A, B { };
      interface E : B, C { };
      interface F : C, B { };
      interface G : E, F { };
    };
    """).M
    assert {"do_a", "do_b", "do_c"} < m.G.operations().keys()
    assert {"do_a", "do_b"} < m.D.operations().keys()
    assert issubclass(m.GServant, m.AServant)


def test_modules_that_go_back_and_forth(idl: Compile) -> None:
    m = idl("""
    module A { struct X { long a; }; module Sub { typedef sequence<X> Xs; }; typedef Sub::Xs Many; };
    module B { typedef sequence<A::X> Xs; interface I { void f(in A::Many m); }; };
    module A { struct Z { B::Xs xs; }; };
    """)
    assert octets(m.A.Z, m.A.Z((m.A.X(5),))) == "0000000100000005"
    assert cdr_type(m.A.Sub.Xs) == cdr_type(tuple[m.A.X, ...]) == cdr_type(m.A.Many)


def test_modules_that_need_each_other(idl: Compile) -> None:
    with pytest.raises(IDLError, match=r"B::\w+ needs A\.\w+, which needs|A::\w+ needs B\.\w+, which needs"):
        idl("""
        module A { interface X { }; };
        module B { interface Y : A::X { }; };
        module A { interface Z : B::Y { }; };
        """)


def test_what_is_never_on_the_wire(idl: Compile) -> None:
    m = idl("""
    module M {
      native Cookie;
      local interface L { const long C = 5; Cookie get(); };
      typedef sequence<L> Ls;
      struct S { struct Inside { long a; } it; Ls all; };
      struct U { S::Inside it; };
      struct T { long a; };
    };
    """).M
    assert m.L.C == 5
    assert not hasattr(m, "U")
    assert not hasattr(m, "S")
    assert octets(m.T, m.T(1)) == "00000001"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("module M {\n struct S { long a };\n};", r"given\.idl:2: Syntax error"),
        ("module M {\n typedef Nobody T; };", r"given\.idl:2: Error in look-up of 'Nobody'"),
        (
            "native N;\ninterface I {\n  void f(in N it); };",
            r"given\.idl:3: I needs N \(a native type\), which is never on the wire",
        ),
        ("valuetype V;\nstruct S {\n V it; };", r"given\.idl:3: V is declared, and not defined"),
        ("exception E { };\ninterface I {\n attribute long a getraises (E); };", r"given\.idl:3: Syntax error in interface body"),
        ("component C { };", r"given\.idl:1: Syntax error"),
        ('#include "nowhere.idl"', r"nowhere\.idl: No such file"),
        ("interface A { };\ninterface B : A {\n attribute Missing it; };", r"given\.idl:3: .*Missing"),
    ],
)
def test_refusals_name_place_and_construct(idl: Compile, text: str, told: str) -> None:
    with pytest.raises(IDLError, match=told):
        idl(text)


def test_two_files_of_one_module(tmp_path: Path) -> None:
    (tmp_path / "common.idl").write_text("module M { struct X { long a; }; native N; struct Y { N it; }; };")
    (tmp_path / "one.idl").write_text('#include "common.idl"\nmodule M { struct One { X it; }; };')
    (tmp_path / "two.idl").write_text('#include "common.idl"\nmodule M { struct Two { X it; }; };')
    (tmp_path / "again.idl").write_text("module M { struct X { long b; }; };")
    m = load(tmp_path / "one.idl", tmp_path / "two.idl").M
    assert octets(m.Two, m.Two(m.X(1))) == "00000001"
    assert hasattr(m, "One")
    with pytest.raises(IDLError, match=r"again\.idl:1: M::X is declared at .*common\.idl:1, too"):
        load(tmp_path / "one.idl", tmp_path / "again.idl")


def test_nothing_is_overwritten_that_is_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "one.idl").write_text("module M { struct One { long a; }; };")
    (tmp_path / "two.idl").write_text("module M { struct Two { long a; }; };")
    one, two = compile_idl([tmp_path / "one.idl"]), compile_idl([tmp_path / "two.idl"])
    both = compile_idl([tmp_path / "one.idl", tmp_path / "two.idl"])
    written = write_packages(one, tmp_path / "stubs")
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["stubs/__init__.py", "stubs/M/__init__.py"]
    with pytest.raises(IDLError, match=r"was made of one\.idl: compile these files together"):
        write_packages(two, tmp_path / "stubs")
    write_packages(both, tmp_path / "stubs")
    with pytest.raises(IDLError, match="two"):
        write_packages(one, tmp_path / "stubs")
    long = [tmp_path / f"{letter * 90}.idl" for letter in "ab"]
    for number, path in enumerate(long):
        path.write_text(f"module M {{ struct S{number} {{ long a; }}; }};")
    write_packages(compile_idl(long), tmp_path / "long")
    write_packages(compile_idl(long), tmp_path / "long")
    with pytest.raises(IDLError, match=r"was made of a{90}\.idl, b{90}\.idl: compile"):
        write_packages(one, tmp_path / "long")
    (tmp_path / "mine" / "M").mkdir(parents=True)
    (tmp_path / "mine" / "M" / "__init__.py").write_text("mine = 1\n")
    with pytest.raises(IDLError, match="something else"):
        write_packages(one, tmp_path / "mine")


def test_warnings_are_logged(idl: Compile, caplog: pytest.LogCaptureFixture) -> None:
    assert idl("const long double HALF = 0.5;").HALF == 0.5
    assert "given.idl:1: Warning: long double constant truncated" in caplog.text


def test_comments_cannot_leave_their_docstring(idl: Compile) -> None:
    m = idl('// """ + undefined + """ \\ "\nmodule M {\n /* ends with " */\n struct S { long a; }; };').M
    assert m.__doc__.startswith('""" + undefined + """ \\ "')
    assert m.S.__doc__ == 'ends with "'


def test_file_names_that_a_shell_would_take_apart(tmp_path: Path) -> None:
    folder = tmp_path / "a $(touch x)"
    folder.mkdir()
    (folder / "-x.idl").write_text('#include "inc.idl"\nstruct A { B it; };')
    (folder / "inc.idl").write_text("struct B { long a; };")
    root = load(folder / "-x.idl")
    assert octets(root.A, root.A(root.B(1))) == "00000001"
    with pytest.raises(IDLError, match="quotes"):
        load(_written(tmp_path / 'with"quotes.idl', "struct A { long a; };"))


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", EVERYTHING)
def test_everything_can_be_used(tmp_path: Path, name: str) -> None:
    assert use_all(load(_written(tmp_path / f"{name}.idl", EVERYTHING[name]))) >= 3


def test_names_that_other_scopes_have(tmp_path: Path) -> None:
    root = load(_written(tmp_path / "typing.idl", EVERYTHING["typing"]))
    assert codec(root.typing.Servant.ABC).encode(root.typing.Servant.ABC(root.typing.Answer.other)).hex() == "00000001"
    assert root.typing.IntEnum is root.typing.Answer.other
    assert root.typing.ServantServant_.interface is root.typing.Servant
    assert issubclass(root.typing.ServantServant, root.typing.Servant)
    assert root.V1.V.INIT is root.V1.V.State.off
    assert octets(root.B.Y, root.B.Y(root.A.Types.X(1), root.B.Types.X(2))) == "0000000100000002"
