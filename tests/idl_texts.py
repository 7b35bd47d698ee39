"""IDL that tests compile."""

BANK = """
// Money, and
// who has it.
module Bank {
  typedef long Amount;  // in cents
  enum State { open, closed };
  // One line of an account.
  struct Entry {
    string text;   // what for
    Amount cents;
  };
  typedef sequence<Entry> Entries;
  exception Overdrawn { Amount missing; };
  const Amount LIMIT = 1000;
  interface Account {
    /* Why an account
     * is closed. */
    exception Closed { State why; };
    const string CURRENCY = "EUR";
    readonly attribute Amount balance;
    attribute string owner;
    /** Take money out. */
    Amount withdraw(in Amount cents, inout string why, out Entries lines) raises (Overdrawn, Closed);
    oneway void notify(in string text);
    Account other(in Account like);
  };
  interface Savings : Account { double rate(); };
};
"""

UNIONS = """
module U {
  enum Colour { red, green, blue };
  union Number switch (short) { case -1: long whole; case 0: case 1: string text; default: double real; };
  union Some switch (boolean) { case TRUE: long there; };
  union Both switch (boolean) { case TRUE: long a; case FALSE: string b; };
  union Tinted switch (Colour) { case red: octet r; case blue: sequence<Colour> many; };
  union Lettered switch (char) { case 'a': case '\\'': long number; };
  union Otherwise switch (long) { default: string text; };
  union Chain;
  typedef sequence<Chain, 1> Chains;
  union Chain switch (boolean) { case TRUE: Chains next; case FALSE: long last; };
  union Inner switch (long) { case 1: struct Here { long a; } it; };
};
"""

TYPES = """
module T {
  typedef octet Byte;
  typedef Byte Digest[3];
  typedef long Row[2];
  typedef Row Grid[2];
  typedef long Plane[2][3];
  struct Node;
  typedef sequence<Node> Nodes;
  struct Node { string name; Nodes children; };
  struct All {
    string<3> short_;  wstring wide;  wstring<3> short_wide;  wchar letter;  char c;
    fixed<5, 2> price;  long double exact;
    sequence<Byte> octets;  sequence<octet, 2> few_octets;  sequence<sequence<short, 2> > nested;
    Digest three;  Grid square;  Plane flat;  unsigned long long large;
    any thing;  CORBA::TypeCode code;  Object target;  Node tree;
  };
  const long long BIG = -9223372036854775807;
  const wstring WIDE = L"x\\u20ac";
  const string TEXT = "quote \\" back \\\\ line\\n";
  const char LETTER = '\\'';
  const fixed PRICE = 1.50d;
  const boolean YES = TRUE;
  const double HALF = 0.5;
  enum Colour { red, green };
  const Colour BEST = green;
};
"""

VALUES = """
module V {
  abstract interface Describable { string describe(); };
  valuetype Node { public long number; private Node next; };
  abstract valuetype Shape { long area(); };
  valuetype Circle : Shape supports Describable { public float radius; factory make(in float radius); };
  valuetype Base { public octet kind; typedef sequence<Base> Bases; public Bases others; };
  valuetype Cut : truncatable Base { public Node link; };
  custom valuetype Secret { public long hidden; };
  valuetype Name string;
  valuetype Numbers sequence<long>;
  struct Holder { Describable one; ValueBase any_; Name label; };
  interface Taker { Node take(in Node n, in Holder h); };
};
"""

MONEY = """
module Money {
  interface Printable { string text(in boolean currency); readonly attribute string unit; };
  abstract interface Describable { string describe(); };
  abstract valuetype Comparable { boolean less(in Comparable than); };
  valuetype Amount : Comparable supports Printable {
    exception Negative { long cents; };
    public long cents;
    private string note;
    /** How many of another fit in. */
    long times(in Amount other, out long rest) raises (Negative);
    attribute string memo;
    factory of_euros(in long euros);
  };
  valuetype Tip : truncatable Amount { public string by; };
  struct Bill { Amount total; ValueBase extra; Comparable least; };
};
"""

NAMES = """
struct Annotated { long a; };
interface Global { void g(in Annotated x); };
module iiop {
  module cdr { struct Long_ { long a; }; typedef sequence<Long_> Longs; typedef ::Annotated Ann; };
  struct dataclass { cdr::Longs a; ::Annotated b; };
  interface operation { ::iiop::cdr::Long_ tuple(in cdr::Longs str, inout ::Annotated int); };
};
module typing {
  struct Final { long x; };
  struct ClassVar { Final f; };
  const long TypeAlias = 5;
  enum Answer { quit, other };
  const Answer IntEnum = other;
  interface Servant { exception ABC { Answer a; }; void abstractmethod() raises (ABC); };
  interface ServantAsync { void q(); };
  interface ServantServant : Servant { void z() raises (ABC, Servant::ABC); };
  interface Interface_ : Servant, ServantAsync { readonly attribute Answer bytes; attribute ::iiop::dataclass Any_; };
  union UserException switch (Answer) { case quit: case other: sequence<string> UserExceptions; };
};
module D1 { module D2 { module D3 { struct S { long a; }; typedef S T; interface I { typedef S U; struct N { U u_;
  struct M { long q; } m_[2]; }; void f(in N n_, out N::M x); union V switch (boolean) { case TRUE: N n_; }; typedef V
  W[2]; exception E { W w_; }; void g() raises (E); }; };
 interface J : D3::I { N h(in V x) raises (E); }; };
 interface K : D2::J { attribute D2::D3::I::N n_; };
};
module A { module Types { struct X { long a; }; }; };
module B { module Types { struct X { long a; }; }; struct Y { A::Types::X a_; Types::X b_; }; typedef A::Types::X Z;
  interface I { typedef sequence<Types::X, 3> Xs; Xs f(in Z z_, in Y y_); }; };
module C { typedef string Types; struct Q { Types t; A::Types::X x; B::Types::X y; }; };
module E1 { enum class { None, nonlocal, from, exec, print }; const class X = from; union U switch (class) { case
  from: long a; case None: class b; }; };
module V1 { valuetype V { typedef sequence<V> Vs; enum State {on, off}; private State s; public Vs more; public
  ValueBase any_one; const State INIT = off; exception Ex { V v_; }; void op() raises (Ex); };
 valuetype W : V { public State t; };
 abstract valuetype Ab { struct Inn { long a; }; }; abstract valuetype Ab2 : Ab { }; valuetype X : Ab, Ab2 { public
  Ab::Inn i; };
 valuetype BoxS sequence<V>;
};
"""
"""Names that Python, generated code or other scopes have for something else."""

EVERYTHING = {"bank": BANK, "unions": UNIONS, "types": TYPES, "values": VALUES, "money": MONEY, "typing": NAMES}
"""By file name."""
