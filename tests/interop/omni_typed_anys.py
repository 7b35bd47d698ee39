"""Run by a child process, beside stubs that omniidl made of `IDL`: an omniORBpy server that takes Anys apart by its stubs.

Its one object answers `rebuild` with an Any made anew, of its own TypeCode and of the value that it was given. Once `pass_on_to`
has named another object, it asks that, with an Any of its own making, and answers with what comes back, made anew again.
"""

from __future__ import annotations

from typing import Any

IDL = """
module Typed {
  typedef long Amount;  typedef octet Byte;  typedef sequence<Byte> Bytes;  typedef Byte Digest[4];
  typedef sequence<Amount> Amounts;  typedef sequence<Amounts, 3> Table;  typedef Amount Grid[2][3];  typedef Amounts Other;
  enum Colour { red, green, blue };
  struct Entry { string text; Amount cents; Colour tint; Bytes raw; };
  typedef sequence<Entry> Entries;
  struct Tree;  typedef sequence<Tree> Trees;  struct Tree { string name; Trees below; };
  struct Wide { wstring<9> text; fixed<5, 2> price; string<7> narrow; unsigned long long large; double d; boolean b; char c; };
  struct Meta { any inner; CORBA::TypeCode code; Object target; };
  union Number switch (short) { case -1: Amount whole; case 0: case 1: string text; default: Entry line; };
  union Tinted switch (Colour) { case red: octet r; case blue: Entries many; };
  exception Overdrawn { Amount missing; Entries lines; };
  exception Bare { };
  valuetype Node { public long number; private Node next; };
  valuetype Base { public Amount kind; };
  valuetype Derived : truncatable Base { public Node link; private Colour tint; };
  abstract valuetype Shape { };  valuetype Circle : Shape { public double radius; };
  valuetype Name string;  valuetype Lines Entries;
  abstract interface Describable { };
  struct Holder { Node first; Node second; Base some; Name label; Shape drawn; };
  interface Rebuilder;
  typedef sequence<Rebuilder> Rebuilders;
  typedef Rebuilder Friend;
  struct Known { Friend one; Rebuilders others; Describable any_of_it; };
  interface Rebuilder {
    struct Inside { long from; Amount lambda; };
    typedef Inside Insides[2];
    any rebuild(in any given);
    void pass_on_to(in Rebuilder other);
  };
};
"""


def main() -> None:
    """Serve until killed."""
    import sys

    import CORBA
    import Typed  # type: ignore[import-not-found]  # made by omniidl
    import Typed__POA  # type: ignore[import-not-found]
    from omniORB import any as anys

    class Rebuilder(Typed__POA.Rebuilder):  # type: ignore[misc]
        other: Any = None

        def rebuild(self, given: Any) -> Any:
            own = anew(given)
            return own if self.other is None else anew(self.other.rebuild(own))

        def pass_on_to(self, other: Any) -> None:
            self.other = other

    def anew(given: Any) -> Any:
        typecode = given.typecode()
        if typecode.kind() in (CORBA.tk_string, CORBA.tk_sequence):  # no id; as users put plain values into an Any
            return anys.to_any(anys.from_any(given))
        known = CORBA.TypeCode(typecode.id())
        if not typecode.equal(known):
            raise CORBA.BAD_TYPECODE
        return CORBA.Any(known, given.value(known))

    orb = CORBA.ORB_init(["typed", *sys.argv[1:]], CORBA.ORB_ID)
    orb.register_value_factory(CORBA.id(Typed.Circle), Typed.Circle)  # it has none: a base is abstract
    poa = orb.resolve_initial_references("RootPOA")
    poa._get_the_POAManager().activate()
    print(*[orb.object_to_string(Rebuilder()._this()) for _ in range(2)], flush=True)
    orb.run()


if __name__ == "__main__":
    main()
