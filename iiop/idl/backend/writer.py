"""From `tree` to the text of Python packages, one for each IDL module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from iiop.idl.backend import names
from iiop.idl.backend.imports import Item, Package, arrange
from iiop.idl.backend.pieces import as_isort, docstring, import_from, indented, is_one_line, listed
from iiop.idl.backend.reader import Reader
from iiop.idl.backend.tree import (
    Alias,
    Constant,
    Declaration,
    Enum,
    Enumerator,
    Exception_,
    Interface,
    Member,
    Module,
    Operation,
    Place,
    Scoped,
    Skipped,
    Struct,
    Union,
    Value_,
    ValueBox,
)
from iiop.idl.backend.types import Scope, named_in, quoted
from iiop.idl.compiler import MADE_OF

__all__ = ["write"]


def write(reader: Reader) -> dict[str, str]:
    """Return the text of each package, by its name with dots.

    Raises:
        Refusal: the modules need each other in a way that Python's cannot.
    """
    order = {scoped: number for number, scoped in enumerate(reader.places)}
    writers = {reader.places[scoped].module: _Writer(module, reader, order) for scoped, module in reader.modules.items()}
    steps = arrange({path: Package(path, writer.items) for path, writer in writers.items()})
    return {".".join(path): writer.text(steps[path]) for path, writer in writers.items()}


class _Writer:
    """Write one package.

    Attributes:
        items: what is in it, in the order in which it can be defined.
    """

    def __init__(self, module: Module, reader: Reader, order: Mapping[Scoped, int]) -> None:
        self._module = module
        self._places: Mapping[Scoped, Place] = reader.places
        self._bases_of = reader.bases
        self._interfaces = reader.interfaces
        self._order = order
        self._path = reader.places[module.scoped].module
        expanded: dict[Scoped, Alias] = {}
        contents = self._sorted(module.contents, expanded)
        inner = frozenset(name for each in contents if not isinstance(each, Module) for name in _inside(each))
        taken = inner | {self._places[each.scoped].path[-1] for each in contents if not isinstance(each, Module | Skipped)}
        taken |= {self._places[each.scoped].module[-1] for each in contents if isinstance(each, Module)}
        taken |= {name + suffix for name in taken for suffix in ("Async", "Servant")}
        self._scope = Scope(self._path, self._places, frozenset(taken), inner, expanded)
        self.items = [item for each in contents for item in self._items(each)]

    def _sorted(self, contents: list[Declaration], expanded: dict[Scoped, Alias]) -> list[Declaration]:
        """Return declarations with each typedef behind what it is made of; those in classes, which cannot wait, are expanded."""
        defined: set[Scoped] = set()

        def missing(alias: Alias) -> bool:
            return any(self._places[name].module == self._path and name not in defined for name in named_in(alias.type))

        def define(declaration: Declaration) -> None:
            for each in getattr(declaration, "contents", ()):
                if isinstance(each, Alias) and missing(each):
                    expanded[each.scoped] = each
                define(each)
            defined.add(declaration.scoped)

        arranged: list[Declaration] = []
        waiting: list[Alias] = []
        for declaration in contents:
            if isinstance(declaration, Alias) and missing(declaration):
                waiting.append(declaration)
                continue
            arranged.append(declaration)
            if not isinstance(declaration, Module):
                define(declaration)
            while ready := [alias for alias in waiting if not missing(alias)]:
                arranged += ready
                waiting = [alias for alias in waiting if alias not in ready]
                defined.update(alias.scoped for alias in ready)
        return arranged + list(waiting)

    def text(self, steps: Sequence[Scoped | Item]) -> str:
        """Return the text of the package, which does these steps."""
        first = next((number for number, step in enumerate(steps) if isinstance(step, Item)), len(steps))
        packages = [step for step in steps[:first] if not isinstance(step, Item)]
        imports = [*self._imports()]
        imports += [*([""] if imports and packages else []), *self._packages(packages)]
        defined = [step.name for step in steps if isinstance(step, Item) and step.name]
        children = [self._local(step) for step in steps if not isinstance(step, Item) and step[:-1] == self._path]
        exported = [f'    "{name}",' for name in sorted([*defined, *children], key=as_isort)]
        head = [
            *docstring(
                self._module.doc or f"IDL module {self._module.name}.", f"{MADE_OF}{', '.join(sorted(self._module.files))}."
            ),
            '# mypy: disable-error-code="empty-body"',
            "",
            "from __future__ import annotations",
            *(["", *imports] if imports else []),
            "",
            *(["__all__ = [", *exported, "]"] if exported else ["__all__: list[str] = []"]),
        ]
        made, above = "\n".join(head), ""
        for step in steps[first:]:
            part = step.text if isinstance(step, Item) else self._import(step)
            made += (
                "\n" if is_one_line(part) and is_one_line(above) else "\n\n" if is_one_line(part) and not above else "\n\n\n"
            ) + part
            above = part
        return made + "\n"

    def _imports(self) -> Iterator[str]:
        modules = sorted({module for module, _ in self._scope.imports}, key=lambda it: (it.startswith("iiop"), it))
        for before, module in zip(["", *modules], modules, strict=False):
            if module.startswith("iiop") and before and not before.startswith("iiop"):
                yield ""
            names_of = [(name, local) for (source, name), local in self._scope.imports.items() if source == module]
            yield from import_from(module, names_of)

    def _packages(self, packages: list[Scoped]) -> Iterator[str]:
        """Yield the imports of packages, those that are furthest away first."""
        sources = {package: self._import(package).split()[1] for package in packages}
        for source in sorted(set(sources.values()), key=lambda it: (len(it.lstrip(".")) - len(it), it)):
            yield from import_from(source, [(each[-1], self._local(each)) for each in packages if sources[each] == source])

    def _local(self, package: Scoped) -> str:
        return self._scope.packages.get(package, package[-1])

    def _import(self, package: Scoped) -> str:
        local = self._local(package)
        common = 0
        while common < min(len(package) - 1, len(self._path)) and package[common] == self._path[common]:
            common += 1
        source = "." * (len(self._path) - common + 1) + ".".join(package[common:-1])
        return f"from {source} import {package[-1]}" + ("" if local == package[-1] else f" as {local}")

    # items

    def _items(self, declaration: Declaration) -> Iterator[Item]:
        """Yield what a declaration becomes in the package."""
        if isinstance(declaration, Module):
            path = self._places[declaration.scoped].module
            yield Item("", declaration.name, child=path)
            return
        if isinstance(declaration, Skipped):
            yield self._item("", declaration, _skipped(declaration))
            return
        name = self._places[declaration.scoped].path[-1]
        lines = list(self._declaration(declaration, ()))
        if name in self._scope.inner:
            lines += ["", "", f"_{name}_ = {name}"]
        yield self._item(name, declaration, lines)
        if isinstance(declaration, Interface) and not declaration.local:
            for suffix, lines_of in (("Async", self._async), ("Servant", self._servant)):
                made = self._scope.beside(declaration.scoped, suffix)
                yield self._item(made, declaration, list(lines_of(made, declaration)))

    def _item(self, name: str, declaration: Declaration, lines: list[str]) -> Item:
        item = Item(name, declaration.name, "\n".join(lines), self._scope.eager, self._scope.lazy)
        self._scope.eager, self._scope.lazy = set(), set()
        return item

    def _declaration(self, declaration: Declaration, inside: Scoped) -> Iterator[str]:
        """Yield the lines of a declaration inside of classes."""
        name = self._places[declaration.scoped].path[-1] if not isinstance(declaration, Skipped) else ""
        match declaration:
            case Skipped():
                yield from _skipped(declaration)
            case Alias():
                *parts, mark = self._scope.alias(declaration, inside)
                yield from listed(
                    f"{name}: {self._scope('TypeAlias')} = {self._scope('Annotated')}", "[", [*parts, mark], "]", ""
                )
                yield from _behind(declaration)
            case Constant():
                yield f"{name}: {self._constant(declaration, inside)}"
                yield from _behind(declaration)
            case Enum():
                yield self._identified(declaration)
                yield f"class {name}({self._scope('IntEnum')}):"
                yield from indented(docstring(declaration.doc or f"Enum {declaration.repository_id}."))
                yield ""
                yield from [f"    {member} = {number}" for number, member in enumerate(declaration.members)]
            case Union():
                yield from self._union(name, declaration, inside)
            case ValueBox():
                head = [*self._value_head(declaration, ["boxed=True"]), f"class {name}({self._scope('Value')}):"]
                doc = declaration.doc or f"Value box {declaration.repository_id}."
                yield from self._class(head, doc, [], declaration, inside, [Member("value", declaration.type, "")])
            case Value_():
                yield from self._value(name, declaration, inside)
            case Exception_():
                head = [f"@{self._scope('dataclass')}(eq=False)", f"class {name}({self._scope('UserException')}):"]
                if "," in self._scope.identity(declaration.scoped, declaration.repository_id):
                    head.insert(0, self._identified(declaration))
                identity = f"repository_id: {self._scope('ClassVar')}[{self._scope('str')}] = {quoted(declaration.repository_id)}"
                doc = declaration.doc or f"Exception {declaration.repository_id}."
                yield from self._class(head, doc, [identity], declaration, inside, declaration.members)
            case Struct():
                head = [self._identified(declaration), f"@{self._scope('dataclass')}(frozen=True, slots=True)", f"class {name}:"]
                doc = declaration.doc or f"Struct {declaration.repository_id}."
                yield from self._class(head, doc, [], declaration, inside, declaration.members)
            case Interface():
                yield from self._interface(name, declaration, inside)

    def _identified(self, declaration: Declaration) -> str:
        return f"@{self._scope('RepositoryId')}({self._scope.identity(declaration.scoped, declaration.repository_id)})"

    def _constant(self, declaration: Constant, inside: Scoped) -> str:
        if isinstance(declaration.value, Enumerator):
            value = self._scope.enumerator(declaration.value, inside)
        elif declaration.python == "Decimal":
            value = f"{self._scope('Decimal')}({declaration.value})"
        else:
            value = declaration.value
        if not inside:
            return f"{self._scope('Final')} = {value}"
        if isinstance(declaration.value, Enumerator):
            python = self._scope.name(declaration.value.enum)
        else:
            python = self._scope(declaration.python)
        return f"{self._scope('ClassVar')}[{python}] = {value}"

    def _class(
        self, head: list[str], doc: str, first: list[str], declaration: Declaration, inside: Scoped, members: list[Member]
    ) -> Iterator[str]:
        """Yield a class: its head, its docstring, first lines, what is declared in it, and members."""
        inside = (*inside, self._places[declaration.scoped].path[-1])
        documented = [f"    {member.name}: {' '.join(member.doc.split())}" for member in members if member.doc]
        yield from head
        yield from indented(docstring(doc, *(["\n".join(["Attributes:", *documented])] if documented else [])))
        if first:
            yield from ["", *indented(first)]
        for each in self._contents_of(declaration):
            yield from ["", *indented(self._declaration(each, inside))]
        if members:
            yield ""
        for member in members:
            annotation = self._scope.annotation(member.type)
            yield f"    {member.name}: {self._scope.private(annotation) if member.private else annotation}"

    def _contents_of(self, declaration: Declaration) -> Iterator[Declaration]:
        for each in getattr(declaration, "contents", ()):
            if each.scoped not in self._scope.expanded:
                yield each

    def _union(self, name: str, declaration: Union, inside: Scoped) -> Iterator[str]:
        arms: list[str] = []
        plain: dict[str, None] = {}
        for arm in declaration.arms:
            labels = [self._scope.enumerator(label) if isinstance(label, Enumerator) else label for label in arm.labels]
            default = ["default=True"] if arm.default else []
            given = [quoted(arm.name), self._scope.annotation(arm.type), *labels, *default]
            arms.append(f"{self._scope('Arm')}({', '.join(given)})")
            plain.update(dict.fromkeys(self._scope.plain(arm.type).split(" | ")))
        if not declaration.exhaustive and not any(arm.default for arm in declaration.arms):
            arms.append("exhaustive=False")
            plain.setdefault("None")
        head = [self._identified(declaration), f"@{self._scope('dataclass')}(frozen=True, slots=True)", f"class {name}:"]
        doc = declaration.doc or f"Union {declaration.repository_id}."
        yield from self._class(head, doc, [], declaration, inside, [])
        yield ""
        yield f"    discriminator: {self._scope.annotation(declaration.discriminator)}"
        of_value = [" | ".join(plain), *listed(self._scope("union"), "(", arms, ")", "")]
        if len(of_value) == 2:
            yield from indented(listed(f"value: {self._scope('Annotated')}", "[", of_value, "]", ""))
        else:
            yield f"    value: {self._scope('Annotated')}["
            yield from indented(indented([f"{of_value[0]},", *of_value[1:-1], f"{of_value[-1]},"]))
            yield "    ]"

    def _value(self, name: str, declaration: Value_, inside: Scoped) -> Iterator[str]:
        flags = [f"{flag}=True" for flag in ("truncatable", "custom", "abstract") if getattr(declaration, flag)]
        bases = [self._scope.name(base, inside=inside) for base in self._ranked(declaration.bases)] or [self._scope("Value")]
        head = [*self._value_head(declaration, flags), f"class {name}({', '.join(bases)}):{self._ambiguous(declaration)}"]
        doc = declaration.doc or f"Value type {declaration.repository_id}."
        yield from self._class(head, doc, [], declaration, inside, declaration.members)
        if declaration.custom:
            yield from ["", f"    state: {self._scope('CustomState')}"]
        yield from indented([f"# {why}" for why in declaration.left_out])
        supported = [operation for each in declaration.supports for operation in self._supported(each)]
        for each in {operation.method: operation for operation in [*supported, *declaration.operations]}.values():
            yield from ["", *indented(self._to_write(each, "self", self._returned(each, plain=True)))]
        for each in declaration.factories:
            yield from ["", f"    @{self._scope('classmethod')}", *indented(self._to_write(each, "cls", self._scope("Self")))]

    def _supported(self, scoped: Scoped) -> Iterator[Operation]:
        """Yield the operations of an interface that a value type supports, those of its bases first."""
        for base in self._bases_of.get(scoped, ()):
            yield from self._supported(base)
        yield from self._interfaces[scoped].operations

    def _to_write(self, declared: Operation, first: str, returned: str) -> Iterator[str]:
        """Yield a method that whoever derives from a value type writes."""
        given = [f"{each.name}: {self._scope.plain(each.type)}" for each in declared.parameters if each.given]
        yield from listed(f"def {declared.method}", "(", [first, *given], ")", f" -> {returned}:")
        yield from indented([*docstring(declared.doc), f"raise {self._scope('NO_IMPLEMENT')}"])

    def _value_head(self, declaration: Declaration, flags: list[str]) -> list[str]:
        """Return the decorators of a value type."""
        head = [f"@{self._scope('value_type')}({', '.join([quoted(declaration.repository_id), *flags])})"]
        if "," in self._scope.identity(declaration.scoped, declaration.repository_id):
            head.insert(0, self._identified(declaration))
        return head

    def _ranked(self, bases: list[Scoped]) -> list[Scoped]:
        """Return bases without those of others among them, the last declared first: so Python finds an order for all of them."""
        above = {base for each in bases for base in self._above(each)}
        return sorted([base for base in bases if base not in above], key=lambda base: -self._order[base])

    def _above(self, scoped: Scoped) -> Iterator[Scoped]:
        for base in self._bases_of.get(scoped, ()):
            yield base
            yield from self._above(base)

    def _ambiguous(self, declaration: Interface | Value_) -> str:
        """Return what keeps mypy from complaining that bases have different types of one name, as in IDL they may."""
        own = {each.scoped[-1] for each in declaration.contents}
        meant: dict[str, Scoped] = {}
        for base in self._ranked(declaration.bases):
            found: dict[str, Scoped] = {}
            for scope in (base, *self._above(base)):
                for scoped in self._order:
                    if scoped[:-1] == scope and scoped[-1] not in own:
                        found.setdefault(scoped[-1], scope)
            if any(meant.setdefault(name, scope) != scope for name, scope in found.items()):
                return "  # type: ignore[misc]"
        return ""

    # interfaces

    def _interface(self, name: str, declaration: Interface, inside: Scoped) -> Iterator[str]:
        if declaration.local:
            doc = declaration.doc or f"Local interface {declaration.repository_id}, which is never on the wire."
            yield from self._class([f"class {name}:"], doc, [], declaration, inside, [])
            return
        bases = [self._scope.name(base, inside=inside) for base in self._ranked(declaration.bases)] or [self._scope("Interface")]
        doc = declaration.doc or f"Interface {declaration.repository_id}."
        head = [f"class {name}({', '.join(bases)}):{self._ambiguous(declaration)}"]
        if "," in self._scope.identity(declaration.scoped, declaration.repository_id):
            head.insert(0, self._identified(declaration))
        first = [f"repository_id = {quoted(declaration.repository_id)}", *(["abstract = True"] if declaration.abstract else [])]
        yield from self._class(head, doc, first, declaration, inside, [])
        for each in declaration.operations:
            yield from ["", *indented(self._operation(each, (*inside, name)))]

    def _operation(self, declared: Operation, inside: Scoped) -> Iterator[str]:
        options = [f"name={quoted(declared.name)}"] if declared.name != declared.method else []
        if declared.raises:
            raised = [self._scope.name(each, inside=inside) for each in declared.raises]
            options.append(f"raises=({', '.join(raised)}{',' if len(raised) == 1 else ''})")
        if declared.oneway:
            options.append("oneway=True")
        yield from listed(f"@{self._scope('operation')}", "(", options, ")", "") if options else [f"@{self._scope('operation')}"]
        given = [f"{each.name}: {self._scope.annotation(each.type)}" for each in declared.parameters if each.given]
        yield from listed(f"def {declared.method}", "(", ["self", *given], ")", f" -> {self._returned(declared, plain=False)}:")
        yield from indented(docstring(declared.doc))

    def _returned(self, declared: Operation, *, plain: bool) -> str:
        write = self._scope.plain if plain else self._scope.annotation
        returned = [write(each) for each in declared.returns]
        if len(returned) > 1:
            return f"{self._scope('tuple')}[{', '.join(returned)}]"
        return returned[0] if returned else "None"

    def _async(self, made: str, declaration: Interface) -> Iterator[str]:
        name = self._scope.name(declaration.scoped, inside=())
        bases = [self._scope.name(base, inside=(), suffix="Async") for base in self._ranked(declaration.bases)]
        yield f"class {made}({', '.join(bases) or self._scope('AsyncInterface')}):"
        yield f'    """{self._places[declaration.scoped].path[-1]}, of which calls are awaited."""'
        if declaration.operations:
            yield ""
        for each in declaration.operations:
            yield f"    {each.method} = {self._scope('asynchronous')}({name}.{each.method})"

    def _servant(self, made: str, declaration: Interface) -> Iterator[str]:
        name = self._scope.name(declaration.scoped, inside=())
        bases = [self._scope.name(base, inside=(), suffix="Servant") for base in self._ranked(declaration.bases)]
        plain_name = self._places[declaration.scoped].path[-1]
        yield f"class {made}({', '.join(bases) or ', '.join([self._scope('Servant'), self._scope('ABC')])}):"
        yield f'    """Implement {plain_name}: write each method, `def` or `async def`."""'
        yield from ["", f"    interface = {name}"]
        for each in declaration.operations:
            given = [f"{parameter.name}: {self._scope.plain(parameter.type)}" for parameter in each.parameters if parameter.given]
            answer = f"{self._scope('Answer')}[{self._returned(each, plain=True)}]"
            yield from ["", f"    @{self._scope('abstractmethod')}"]
            yield from indented(listed(f"def {each.method}", "(", ["self", *given], ")", f" -> {answer}: ..."))


def _inside(declaration: Declaration) -> Iterator[str]:
    """Yield the names in the class that a declaration becomes, and in those inside of it."""
    match declaration:
        case Struct():
            yield from (member.name for member in declaration.members)
            yield from ("repository_id", "state") if type(declaration) is not Struct else ()
        case Union():
            yield from ("discriminator", "value")
        case ValueBox():
            yield "value"
        case Interface():
            yield from ("repository_id", "interface", "abstract")
            for each in declaration.operations:
                yield each.method
                yield from (parameter.name for parameter in each.parameters)
    if isinstance(declaration, Value_):
        yield from (each.method for each in [*declaration.operations, *declaration.factories])
    for each in getattr(declaration, "contents", ()):
        yield names.escaped(each.scoped[-1])
        yield from _inside(each)


def _skipped(declaration: Skipped) -> list[str]:
    return [f"# {declaration.scoped[-1]} is never on the wire: {declaration.why}"]


def _behind(declaration: Declaration) -> list[str]:
    return docstring(declaration.doc) if declaration.doc else []
