"""Types as Python: what a type checker sees, and how it lies on the wire.

Names that generated code imports are asked for as they are used; one that the IDL has, too, gets an underscore in front.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from iiop.idl.backend.tree import (
    AbstractReference,
    Alias,
    Array,
    Basic,
    Context,
    Enumerator,
    Fixed,
    Named,
    Place,
    Reference,
    Scoped,
    Sequence,
    String,
    Type,
)

__all__ = ["Scope", "named_in", "quoted"]

_CDR, _ANY, _WIDE, _FIXED = "iiop.cdr", "iiop.cdr.any", "iiop.cdr.wide", "iiop.cdr.fixed"
_BASIC = {
    "short": ("int", "Short"),
    "long": ("int", "Long"),
    "unsigned short": ("int", "UShort"),
    "unsigned long": ("int", "ULong"),
    "long long": ("int", "LongLong"),
    "unsigned long long": ("int", "ULongLong"),
    "float": ("float", "Float"),
    "double": ("float", "Double"),
    "char": ("str", "Char"),
    "octet": ("int", "Octet"),
    "wchar": ("str", "WChar"),
    "wstring": ("str", "WString"),
    "long double": ("Binary128", "LongDouble"),
    "Principal": ("bytes", "Principal"),
    "boolean": ("bool", None),
    "string": ("str", None),
    "any": ("Any", None),
    "TypeCode": ("TypeCode", None),
    "Object": ("IOR", None),
    "AbstractBase": ("AbstractReference", None),
    "ValueBase": ("Value", None),
}
"""Class of the values, and declaration of the layout where the class does not say it."""
_MODULES = {
    **dict.fromkeys(("int", "float", "str", "bytes", "bool", "tuple", "dict", "classmethod"), "builtins"),
    **dict.fromkeys(("WChar", "WString", "wide_string"), _WIDE),
    **dict.fromkeys(("Annotated", "ClassVar", "Final", "Self", "TypeAlias"), "typing"),
    **dict.fromkeys(
        ("AbstractReference", "Answer", "AsyncInterface", "Interface", "Servant", "asynchronous", "operation"), "iiop.idl"
    ),
    **dict.fromkeys(("ABC", "abstractmethod"), "abc"),
    "Any": _ANY,
    "TypeCode": "iiop.cdr.typecode",
    "IOR": "iiop.iop",
    "fixed": _FIXED,
    "context": "iiop.cdr.context",
    "Decimal": "decimal",
    "IntEnum": "enum",
    "dataclass": "dataclasses",
    "UserException": "iiop.exceptions",
    "NO_IMPLEMENT": "iiop.exceptions",
}
"""Modules that names are imported from; others are from `iiop.cdr`."""


def quoted(text: str) -> str:
    """Return Python for a string."""
    shown = repr(text)
    return f'"{shown[1:-1]}"' if '"' not in shown and shown[0] == "'" else shown


def named_in(declared: Type) -> Iterator[Scoped]:
    """Yield the names that a type is made of."""
    match declared:
        case Named():
            yield declared.scoped
        case Sequence() | Array():
            yield from named_in(declared.element)


class Scope:
    """Write types as they are written in one package.

    Args:
        package: its path.
        places: where Python has what IDL has under a name.
        taken: identifiers in the package, at any depth.
        inner: those of them in classes, which stand before those of the package.
        expanded: typedefs that are written out, for they have no place in Python.

    Attributes:
        imports: names imported from each module, and what they are called here.
        packages: packages imported, and what they are called here.
        eager: see `imports.Item`; of what has been written since it was last emptied.
        lazy: likewise.
    """

    def __init__(
        self,
        package: Scoped,
        places: Mapping[Scoped, Place],
        taken: frozenset[str],
        inner: frozenset[str],
        expanded: Mapping[Scoped, Alias],
    ) -> None:
        self.package = package
        self._places = places
        self._taken = taken
        self.inner = inner
        self.expanded = expanded
        self.imports: dict[tuple[str, str], str] = {}
        self.packages: dict[Scoped, str] = {}
        self.eager: set[tuple[Scoped, str]] = set()
        self.lazy: set[Scoped] = set()

    def __call__(self, name: str) -> str:
        """Return what a name of Python or of this project is called here, and import it."""
        local = f"_{name}" if name in self._taken else name
        module = _MODULES.get(name, _CDR)
        if module != "builtins" or local != name:
            self.imports[module, name] = local
        return local

    def of_package(self, package: Scoped) -> str:
        """Return what another package is called here, and import it."""
        local = self.packages.get(package)
        if local is None:
            local = package[-1]
            if local in self._taken or local in self.packages.values():
                local = f"_{'_'.join(package)}"
            self.packages[package] = local
        self.lazy.add(package)
        return local

    def name(self, scoped: Scoped, *, inside: Scoped | None = None, suffix: str = "") -> str:
        """Return the name of something declared.

        Args:
            scoped: its name in IDL.
            inside: names of the classes around, where it is needed when these are defined; None where later is enough.
            suffix: of a class made beside it.
        """
        place = self._places[scoped]
        path = (*place.path[:-1], self.beside(scoped, suffix)) if suffix else place.path
        if inside is not None and (place.module != self.package or path[:1] != inside[:1]):
            self.eager.add((place.module, path[0]))
        if place.module != self.package:
            return ".".join((self.of_package(place.module), *path))
        if inside and path[:-1] == inside:
            return path[-1]
        first = f"_{path[0]}_" if path[0] in self.inner else path[0]
        return ".".join((first, *path[1:]))

    def beside(self, scoped: Scoped, suffix: str) -> str:
        """Return the name of a class made beside that of an interface; one that the IDL has, too, gets an underscore."""
        place = self._places[scoped]
        made = f"{place.path[-1]}{suffix}"
        return f"{made}_" if Place(place.module, (made,)) in self._places.values() else made

    def enumerator(self, value: Enumerator, inside: Scoped | None = None) -> str:
        return f"{self.name(value.enum, inside=inside)}.{value.name}"

    def annotation(self, declared: Type, inside: Scoped | None = None) -> str:
        """Return an annotation that says how values lie on the wire, and what IDL calls their type."""
        match declared:
            case Basic(name) if (layout := _BASIC[name][1]) is not None:
                return self._annotated(self(_BASIC[name][0]), self(layout))
            case Reference() | AbstractReference():
                identity = f"{self('RepositoryId')}({self.identity(declared.scoped, declared.repository_id)})"
                return self._annotated(self.plain(declared), identity)
            case Named() if declared.scoped in self.expanded:
                return f"{self('Annotated')}[{', '.join(self.alias(self.expanded[declared.scoped], inside))}]"
            case Sequence(element, bound) if _octets(element):
                plain = self("bytes")
                marks = [*([f"{self('OctetSequenceType')}({bound})"] if bound else []), *self._octet_type(element, inside)]
                return self._annotated(plain, *marks) if marks else plain
            case Array(element, length) if _octets(element):
                return self._annotated(self("bytes"), f"{self('OctetArray')}({length})", *self._octet_type(element, inside))
            case Sequence(element, number) | Array(element, number):
                many = f"{self('tuple')}[{self.annotation(element, inside)}, ...]"
                if not number:
                    return many
                return self._annotated(many, f"{self('Bound' if isinstance(declared, Sequence) else 'Length')}({number})")
            case String(bound, wide):
                return self._annotated(self("str"), f"{self('wide_string' if wide else 'StringType')}({bound})")
            case Context(names):
                return self._annotated(self.plain(declared), f"{self('context')}({', '.join(map(quoted, names))})")
            case Fixed(digits, scale):
                return self._annotated(self("Decimal"), f"{self('fixed')}({digits}, {scale})")
        return self.plain(declared, inside)

    def alias(self, declared: Alias, inside: Scoped | None = None) -> tuple[str, str]:
        """Return what is in the annotation of a typedef: what it stands for, and the mark that tells that it does."""
        mark = f"{self('Alias')}({self.identity(declared.scoped, declared.repository_id)})"
        return self._bare(self.annotation(declared.type, inside)), mark

    def identity(self, scoped: Scoped, repository_id: str) -> str:
        """Return Python for a repository id, and for the name where it does not tell that."""
        told = repository_id.split(":")[1].rpartition("/")[2] == scoped[-1]
        return quoted(repository_id) + ("" if told else f", {quoted(scoped[-1])}")

    def private(self, annotation: str) -> str:
        """Return the annotation of a private member."""
        return self._annotated(annotation, self("PRIVATE"))

    def _annotated(self, annotation: str, *marks: str) -> str:
        """Return an annotation with marks behind it."""
        return f"{self('Annotated')}[{', '.join([self._bare(annotation), *marks])}]"

    def _bare(self, annotation: str) -> str:
        """Return what is in an annotation that has marks."""
        head = f"{self('Annotated')}["
        return annotation[len(head) : -1] if annotation.startswith(head) else annotation

    def _octet_type(self, element: Type, inside: Scoped | None) -> list[str]:
        """Return the mark for octets that a typedef has another name for."""
        return [] if isinstance(element, Basic) else [f"{self('ElementType')}({self.annotation(element, inside)})"]

    def plain(self, declared: Type, inside: Scoped | None = None) -> str:
        """Return the class of the values, as far as a type checker needs it."""
        match declared:
            case Basic("ValueBase"):
                return f"{self('Value')} | None"
            case Basic(name):
                return self(_BASIC[name][0])
            case String():
                return self("str")
            case Context():
                return f"{self('dict')}[{self('str')}, {self('str')}]"
            case Fixed():
                return self("Decimal")
            case Reference():
                return self("IOR")
            case AbstractReference():
                return self("AbstractReference")
            case Sequence() | Array():
                if _octets(declared.element):
                    return self("bytes")
                return f"{self('tuple')}[{self.plain(declared.element, inside)}, ...]"
            case Named():
                if declared.scoped in self.expanded:
                    return self.plain(self.expanded[declared.scoped].type, inside)
                name = self.name(declared.scoped, inside=inside)
                return f"{name} | None" if declared.nullable else name


def _octets(element: Type) -> bool:
    """Tell whether elements are octets by any name: Python has `bytes` for many of them."""
    return element == Basic("octet") or (isinstance(element, Named) and element.octet)
