"""From omniidl's syntax tree to `tree`.

What is never on the wire (native and local types, and what is made of them) is skipped; where an operation needs it, or has what
is not spoken here, that is refused with file and line. Knows omniidl's objects by their class names: it imports none of them.

Source: omniidl 4.3, `omniidl.idlast` and `omniidl.idltype`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from iiop.cdr.typecode import TCKind as K
from iiop.idl.backend import names
from iiop.idl.backend.comments import Comments, text_of
from iiop.idl.backend.tree import (
    AbstractReference,
    Alias,
    Array,
    Basic,
    Constant,
    Context,
    Declaration,
    Enum,
    Enumerator,
    Exception_,
    Fixed,
    Interface,
    Member,
    Module,
    Named,
    Operation,
    Parameter,
    Place,
    Reference,
    Refusal,
    Scoped,
    Sequence,
    Skipped,
    String,
    Struct,
    Type,
    Union,
    UnionArm,
    Value_,
    ValueBox,
)
from iiop.idl.backend.types import quoted

__all__ = ["Reader"]

_BASIC = {
    K.tk_short: "short",
    K.tk_long: "long",
    K.tk_ushort: "unsigned short",
    K.tk_ulong: "unsigned long",
    K.tk_longlong: "long long",
    K.tk_ulonglong: "unsigned long long",
    K.tk_float: "float",
    K.tk_double: "double",
    K.tk_longdouble: "long double",
    K.tk_boolean: "boolean",
    K.tk_char: "char",
    K.tk_wchar: "wchar",
    K.tk_octet: "octet",
    K.tk_any: "any",
    K.tk_TypeCode: "TypeCode",
    K.tk_Principal: "Principal",
}
_BUILT_IN = {("CORBA", "Object"): "Object", ("CORBA", "ValueBase"): "ValueBase", ("CORBA", "AbstractBase"): "AbstractBase"}
_FLOATS = (K.tk_float, K.tk_double, K.tk_longdouble)
_LOCAL_INTERFACE, _ABSTRACT_INTERFACE, _STRUCT_FORWARD, _UNION_FORWARD = 33, 32, 100, 101
"""Kinds that omniidl numbers in its own way."""


class _NeverOnTheWire(Exception):
    """A type is, or is made of, something local or native; the text says what."""


class Reader:
    """Collect what syntax trees declare.

    Attributes:
        modules: packages to write, parents first.
        places: where Python has what IDL has under a name.
        bases: of interfaces and value types.
        interfaces: those that are not local.
    """

    def __init__(self) -> None:
        self.modules: dict[Scoped, Module] = {}
        self.places: dict[Scoped, Place] = {}
        self.bases: dict[Scoped, list[Scoped]] = {}
        self.interfaces: dict[Scoped, Interface] = {}
        self._declared_at: dict[Scoped, str] = {}
        self._occupied: dict[Place, Scoped] = {}
        self._contents: dict[Scoped, list[Declaration]] = {}
        self._taken: dict[Scoped, frozenset[str]] = {}
        self._skipped: dict[Scoped, str] = {}
        self._wanted: dict[Scoped, str] = {}
        self._comments = Comments(())

    def read(self, tree: Any) -> None:
        """Take in the declarations of a syntax tree.

        Raises:
            Refusal: a construct that is not spoken here.
        """
        self._comments = Comments(tree.declarations())
        self._declare_all(tree.declarations())
        for scoped, place in self._wanted.items():
            if scoped not in self.places:
                raise Refusal(f"{place}: {'::'.join(scoped)} is declared, and not defined")

    def _declare_all(self, declarations: list[Any]) -> None:
        for declaration in declarations:
            self._declare(declaration)

    def _declare(self, declaration: Any) -> None:
        visit = getattr(self, f"_visit_{type(declaration).__name__}", None)
        if visit is not None:
            visit(declaration)

    # scopes

    def _visit_Module(self, node: Any) -> None:
        scoped = tuple(node.scopedName())
        doc = self._comments.of(node)
        if scoped not in self.modules:
            self._open_module(scoped, node.repoId(), doc)
        module = self.modules[scoped]
        module.doc = module.doc or doc
        self._declare_all(node.definitions())

    def _open_module(self, scoped: Scoped, repository_id: str, doc: str) -> None:
        above = self.places[scoped[:-1]].module if scoped[:-1] else ()
        path = (*above, names.escaped(scoped[-1]))
        module = Module(scoped, repository_id, doc)
        self.modules[scoped] = module
        self.places[scoped] = Place(path, ())
        self._contents[scoped] = module.contents
        if scoped[:-1]:
            self._contents[scoped[:-1]].append(module)

    def _scope_of(self, node: Any) -> Scoped:
        """Return the scope that a declaration belongs to; what is in no module belongs to a package for its file."""
        scope = tuple(node.scopedName()[:-1])
        if not scope:
            scope = (f"{names.identifier(PurePath(node.file()).stem)}_idl",)
            if scope not in self.modules:
                self._open_module(scope, "", "")
        return scope

    def _add(self, node: Any, made: Declaration, *, contents: list[Declaration] | None = None) -> bool:
        """Put a declaration into its scope; not if it is there, for it is included twice."""
        scope, at = self._scope_of(node), _at(node)
        known = self._declared_at.get(made.scoped)
        if known is not None and known != at:
            raise Refusal(f"{at}: {made.name} is declared at {known}, too")
        if known is not None:
            return False
        self._declared_at[made.scoped] = at
        around = self.places[scope]
        place = Place(around.module, (*around.path, names.escaped(made.scoped[-1], self._taken.get(scope, names.PLAIN))))
        other = self._occupied.setdefault(place, made.scoped)
        if other != made.scoped:
            both = f"{'::'.join(other)} ({self._declared_at[other]}) and {made.name}"
            raise Refusal(f"{at}: {both} would both be {'.'.join((*place.module, *place.path))} in Python")
        self.places[made.scoped] = place
        self._contents[scope].append(made)
        if contents is not None:
            self._contents[made.scoped] = contents
        module = next(m for path, m in self.modules.items() if self.places[path].module == around.module)
        file = PurePath(node.file()).name
        if file not in module.files:
            module.files.append(file)
        return True

    def _skip(self, node: Any, why: object) -> None:
        made = Skipped(tuple(node.scopedName()), node.repoId(), "", str(why))
        self._skipped[made.scoped] = str(why)
        self._add(node, made)
        self.places.pop(made.scoped, None)

    # declarations

    def _head(self, node: Any) -> tuple[Scoped, str, str]:
        return tuple(node.scopedName()), node.repoId(), self._comments.of(node)

    def _visit_Native(self, node: Any) -> None:
        self._skip(node, "a native type")

    def _visit_Enum(self, node: Any) -> None:
        self._add(node, Enum(*self._head(node), [names.escaped(each.identifier(), names.ENUM) for each in node.enumerators()]))

    def _visit_Const(self, node: Any) -> None:
        kind, value = node.constKind(), node.value()
        python = "int"
        if hasattr(value, "identifier"):
            self._add(node, Constant(*self._head(node), "", self._enumerator(node.constType(), value)))
            return
        if kind == K.tk_boolean:
            python, value = "bool", bool(value)
        elif kind in _FLOATS:
            python = "float"
        elif kind == K.tk_fixed:
            python = "Decimal"
        elif kind in (K.tk_char, K.tk_string):
            python, value = "str", text_of(value)
        elif kind == K.tk_wchar:
            python, value = "str", chr(value)
        elif kind == K.tk_wstring:
            python, value = "str", b"".join(unit.to_bytes(2, "big") for unit in value).decode("utf-16-be", "surrogatepass")
        self._add(node, Constant(*self._head(node), python, quoted(value) if isinstance(value, str) else repr(value)))

    def _enumerator(self, declared: Any, value: Any) -> Enumerator:
        return Enumerator(tuple(declared.unalias().scopedName()), names.escaped(value.identifier(), names.ENUM))

    def _visit_Typedef(self, node: Any) -> None:
        if node.constrType():
            self._declare(node.aliasType().decl())
        doc = self._comments.of(node)
        for declarator in node.declarators():
            try:
                made = self._sized(node.aliasType(), declarator, node)
            except _NeverOnTheWire as why:
                self._skip(declarator, why)
            else:
                self._add(declarator, Alias(tuple(declarator.scopedName()), declarator.repoId(), doc, made))

    def _visit_Struct(self, node: Any) -> None:
        self._members(node, Struct(*self._head(node)), names.PLAIN)

    def _visit_Exception(self, node: Any) -> None:
        self._members(node, Exception_(*self._head(node)), names.EXCEPTION)

    def _members(self, node: Any, made: Struct, taken: frozenset[str]) -> None:
        self._taken[made.scoped] = taken
        if not self._add(node, made, contents=made.contents):
            return
        try:
            made.members += self._members_of(node.members(), taken)
        except _NeverOnTheWire as why:
            self._replace(node, why)

    def _replace(self, node: Any, why: object) -> None:
        """Skip what was added."""
        scoped = tuple(node.scopedName())
        contents = self._contents[self._scope_of(node)]
        contents[:] = [each for each in contents if each.scoped != scoped]
        del self._declared_at[scoped], self._contents[scoped]
        self._skip(node, why)

    def _members_of(self, nodes: list[Any], taken: frozenset[str]) -> list[Member]:
        for node in nodes:
            if node.constrType():
                self._declare(node.memberType().decl())
        return [
            Member(
                names.escaped(declarator.identifier(), taken),
                self._sized(node.memberType(), declarator, node),
                self._comments.of(node),
                private=bool(getattr(node, "memberAccess", int)()),
            )
            for node in nodes
            for declarator in node.declarators()
        ]

    def _visit_Union(self, node: Any) -> None:
        made = Union(*self._head(node), Basic("long"))
        if not self._add(node, made, contents=made.contents):
            return
        try:
            if node.constrType():
                self._declare(node.switchType().decl())
            made.discriminator = self._type(node.switchType(), node)
            for case in node.cases():
                if case.constrType():
                    self._declare(case.caseType().decl())
                made.arms.append(self._arm(node, case))
        except _NeverOnTheWire as why:
            self._replace(node, why)
            return
        switch = node.switchType().unalias()
        all_of = {K.tk_boolean: 2}.get(switch.kind()) or (len(switch.decl().enumerators()) if switch.kind() == K.tk_enum else 0)
        made.exhaustive = sum(len(arm.labels) for arm in made.arms) == all_of

    def _arm(self, node: Any, case: Any) -> UnionArm:
        kind = node.switchType().unalias().kind()
        declarator = case.declarator()
        labels: list[str | Enumerator] = []
        for label in case.labels():
            value = label.value()
            if label.default():
                continue  # its value is one that no other label has
            if hasattr(value, "identifier"):
                labels.append(self._enumerator(node.switchType(), value))
            elif kind == K.tk_boolean:
                labels.append(repr(bool(value)))
            else:
                labels.append(quoted(value) if isinstance(value, str) else repr(value))
        default = any(label.default() for label in case.labels())
        return UnionArm(declarator.identifier(), self._sized(case.caseType(), declarator, case), labels, default)

    def _visit_ValueBox(self, node: Any) -> None:
        made = ValueBox(*self._head(node), Basic("long"))
        if not self._add(node, made, contents=made.contents):
            return
        if node.constrType():
            self._declare(node.boxedType().decl())
        try:
            made.type = self._type(node.boxedType(), node)
        except _NeverOnTheWire as why:
            self._replace(node, why)

    def _visit_ValueAbs(self, node: Any) -> None:
        self._value(node, Value_(*self._head(node), abstract=True))

    def _visit_Value(self, node: Any) -> None:
        self._value(node, Value_(*self._head(node), custom=bool(node.custom()), truncatable=bool(node.truncatable())))

    def _value(self, node: Any, made: Value_) -> None:
        self._taken[made.scoped] = names.VALUE
        made.bases = [tuple(base.fullDecl().scopedName()) for base in node.inherits()]
        if not self._add(node, made, contents=made.contents):
            return
        self.bases[made.scoped] = made.bases
        made.supports = [tuple(each.fullDecl().scopedName()) for each in node.supports()]
        self._declare_all(node.declarations())
        for each in [*node.callables(), *getattr(node, "factories", tuple)()]:
            where = made.factories if type(each).__name__ == "Factory" else made.operations
            try:
                where += self._callable(each, names.VALUE)
            except _NeverOnTheWire as why:  # where it is, it may be: nothing of this is sent
                made.left_out.append(f"{each.identifier()} needs {why}")
        try:
            if not made.custom:
                made.members += self._members_of(node.statemembers(), names.VALUE)
        except _NeverOnTheWire as why:
            self._replace(node, why)

    # interfaces

    def _visit_Interface(self, node: Any) -> None:
        made = Interface(*self._head(node), local=bool(node.local()), abstract=bool(node.abstract()))
        self._taken[made.scoped] = names.INTERFACE
        if not self._add(node, made, contents=made.contents):
            return
        if not made.local:
            made.bases = [tuple(base.fullDecl().scopedName()) for base in node.inherits()]
            self.bases[made.scoped] = made.bases
            self.interfaces[made.scoped] = made
        for each in node.contents():
            try:
                if type(each).__name__ not in ("Operation", "Attribute"):
                    self._declare(each)
                elif not made.local:
                    made.operations += self._callable(each, names.INTERFACE)
            except _NeverOnTheWire as why:
                raise Refusal(f"{_at(each)}: {made.name} needs {why}, which is never on the wire") from None
        methods: dict[str, str] = {}
        for operation in self._operations(made):
            if methods.setdefault(operation.method, operation.name) != operation.name:
                both = f"operations {methods[operation.method]} and {operation.name}"
                raise Refusal(f"{_at(node)}: {both} of {made.name} would both be {operation.method} in Python")

    def _operations(self, interface: Interface) -> Iterator[Operation]:
        """Yield the operations of an interface, inherited ones too."""
        for base in interface.bases:
            yield from self._operations(self.interfaces[base])
        yield from interface.operations

    def _callable(self, node: Any, taken: frozenset[str]) -> list[Operation]:
        """Return an operation, what an attribute is, or a factory."""
        return self._attribute(node) if type(node).__name__ == "Attribute" else [self._operation(node, taken)]

    def _operation(self, node: Any, taken: frozenset[str]) -> Operation:
        factory = type(node).__name__ == "Factory"
        raises = [tuple(each.scopedName()) for each in node.raises()]
        for each in raises:
            if each in self._skipped:
                raise _NeverOnTheWire(f"{'::'.join(each)} ({self._skipped[each]})")
        parameters = [
            Parameter(
                names.escaped(each.identifier(), names.PARAMETER),
                self._type(each.paramType(), each),
                bool(each.is_in()),
                bool(each.is_out()),
            )
            for each in node.parameters()
        ]
        if not factory and node.contexts():
            parameters.append(Parameter("context", Context(tuple(node.contexts())), True, False))
        returns = []
        if not factory and node.returnType().kind() != K.tk_void:
            returns = [self._type(node.returnType(), node)]
        return Operation(
            names.escaped(node.identifier(), taken),
            node.identifier(),
            self._comments.of(node) or (f"Factory {node.identifier()}." if factory else f"Operation {node.repoId()}."),
            parameters,
            returns + [each.type for each in parameters if each.returned],
            raises,
            not factory and bool(node.oneway()),
        )

    def _attribute(self, node: Any) -> list[Operation]:
        declared, doc, made = self._type(node.attrType(), node), self._comments.of(node), []
        for name in node.identifiers():
            made.append(Operation(f"_get_{name}", f"_get_{name}", doc or f"Return attribute {name}.", [], [declared], [], False))
            if not node.readonly():
                value = Parameter("value", declared, True, False)
                made.append(Operation(f"_set_{name}", f"_set_{name}", f"Set attribute {name}.", [value], [], [], False))
        return made

    # types

    def _sized(self, declared: Any, declarator: Any, node: Any) -> Type:
        """Return the type of a declarator, which may be an array."""
        sizes = declarator.sizes() or []
        made = self._type(declared, node)
        for size in reversed(sizes):
            made = Array(made, size)
        return made

    def _type(self, declared: Any, node: Any) -> Type:
        kind = declared.kind()
        if kind in _BASIC:
            return Basic(_BASIC[kind])
        if kind in (K.tk_string, K.tk_wstring):
            wide = kind == K.tk_wstring
            return String(declared.bound(), wide) if declared.bound() else Basic("wstring" if wide else "string")
        if kind == K.tk_fixed:
            return Fixed(declared.digits(), declared.scale())
        if kind == K.tk_sequence:
            return Sequence(self._type(declared.seqType(), node), declared.bound())
        scoped = tuple(declared.scopedName())
        if scoped in _BUILT_IN:
            return Basic(_BUILT_IN[scoped])
        for scope in (scoped[: len(scoped) - around] for around in range(len(scoped))):
            if scope in self._skipped:
                raise _NeverOnTheWire(f"{'::'.join(scope)} ({self._skipped[scope]})")
        if kind == _LOCAL_INTERFACE:
            raise _NeverOnTheWire(f"{'::'.join(scoped)} (a local interface)")
        if kind == K.tk_objref:
            return Reference(scoped, declared.decl().repoId())
        if kind == _ABSTRACT_INTERFACE:
            return AbstractReference(scoped, declared.decl().repoId())
        if kind in (K.tk_struct, K.tk_union, K.tk_enum, K.tk_except, K.tk_alias, _STRUCT_FORWARD, _UNION_FORWARD):
            self._wanted.setdefault(scoped, _at(node))
            return Named(scoped, octet=declared.unalias().kind() == K.tk_octet)
        if kind in (K.tk_value, K.tk_value_box):
            self._wanted.setdefault(scoped, _at(node))
            return Named(scoped, nullable=True)
        raise Refusal(f"{_at(node)}: a type of kind {kind} ({'::'.join(scoped)}) is not spoken here")


def _at(node: Any) -> str:
    return f"{node.file()}:{node.line()}"
