"""Values as TOML has them, made into dataclasses by their annotations. It knows no dataclass by name, and no file."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from iiop_lab.scenario.mistakes import Findings, Key, closest, meant

__all__ = ["mismatch", "shape"]

T = TypeVar("T")


def shape(table: Mapping[str, object], cls: type[T], findings: Findings) -> T:
    """Make a table a dataclass.

    Where a value is not what is declared, that is reported, and the default stands in its place.

    Args:
        table: as `tomllib` returns it.
        cls: the dataclass; its fields are the keys, their annotations say what they take.
        findings: where mistakes are reported.

    """
    made: T = _Shaping(findings, tuple(_hints(cls))).dataclass(table, cls, ())
    return made


def mismatch(value: object, annotation: object) -> str | None:
    """Return why a value is no scalar as annotated; None if it is.

    Args:
        value: as `tomllib` returns it.
        annotation: of what else than scalars it allows, TOML has nothing.
    """
    kinds = tuple(each for each in _alternatives(annotation) if each in (str, int, float, bool))
    return None if any(_fits(value, each) for each in kinds) else _mismatch(value, kinds)


class _Shaping:
    def __init__(self, findings: Findings, top: tuple[str, ...]) -> None:
        self._findings = findings
        self._top = top

    def dataclass(self, table: Mapping[str, object], cls: type[Any], key: Key) -> Any:
        hints = _hints(cls)
        self._unknown(table, tuple(hints), key)
        values = {}
        for field in dataclasses.fields(cls):
            place = (*key, field.name)
            if field.name in table:
                default = _default(field, hints[field.name])
                values[field.name] = self.value(table[field.name], hints[field.name], place, default)
            elif _needed(field):
                self._findings.add(place, f"it is missing: {_takes(hints[field.name])} belongs here")
                values[field.name] = _blank(hints[field.name])
        return cls(**values)

    def value(self, value: object, annotation: Any, key: Key, default: Any) -> Any:
        """Return what a value means, or the default, with a report."""
        if annotation is object:
            return value
        kinds = _alternatives(annotation)
        kind = next((each for each in kinds if _fits(value, each)), None)
        if kind is None:
            self._findings.add(key, _mismatch(value, kinds))
            self._findings.spoilt.add(key)
            return default
        origin, arguments = get_origin(kind), get_args(kind)
        if dataclasses.is_dataclass(kind):
            return self.dataclass(typing.cast("Mapping[str, object]", value), typing.cast("type[Any]", kind), key)
        if origin is tuple:
            elements = typing.cast("list[object]", value)
            blank = _blank(arguments[0])
            return tuple(self.value(each, arguments[0], (*key, index), blank) for index, each in enumerate(elements))
        if origin is Mapping:
            return self._mapping(typing.cast("Mapping[str, object]", value), arguments[0], arguments[1], key)
        if origin is Literal and value not in arguments:
            assert isinstance(value, str)
            self._findings.add(key, f"it cannot be {_shown(value)}{meant(value, (each for each in arguments if each))}")
            return default
        if kind is float:
            try:
                return float(typing.cast("float", value))
            except OverflowError:
                self._findings.add(key, "the number is too large")
                return default
        return value

    def _mapping(self, table: Mapping[str, object], named: Any, holds: Any, key: Key) -> Mapping[str, Any]:
        known = get_args(named) if get_origin(named) is Literal else tuple(table)
        self._unknown(table, known, key)
        blank = _blank(holds)
        return {name: self.value(each, holds, (*key, name), blank) for name, each in table.items() if name in known}

    def _unknown(self, table: Mapping[str, object], known: tuple[str, ...], key: Key) -> None:
        for name in table:
            if name in known:
                continue
            close = closest(name, known)
            if close is not None:
                self._findings.spoilt.add((*key, close))
            elif name in self._top:
                self._findings.spoilt.add((name,))
                self._findings.add((*key, name), "it belongs above the first [table], to the file as a whole")
            self._findings.add((*key, name), f"there is no such key{meant(name, known)}")


def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(each for each in get_args(annotation) if each is not types.NoneType)
    return (annotation,)


def _fits(value: object, kind: Any) -> bool:
    """Tell whether a value is of the kind, whatever is in it."""
    if get_origin(kind) is Mapping or dataclasses.is_dataclass(kind):
        return isinstance(value, dict)
    if get_origin(kind) is tuple:
        return isinstance(value, list)
    if get_origin(kind) is Literal or kind is str:
        return isinstance(value, str)
    if kind is bool:
        return isinstance(value, bool)
    return isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)


def _mismatch(value: object, kinds: tuple[Any, ...]) -> str:
    return f"it takes {' or '.join(map(_takes, kinds)) or 'nothing that a file can say'}, not {_shown(value)}"


def _takes(kind: Any) -> str:
    if get_origin(kind) is Mapping or dataclasses.is_dataclass(kind):
        return "a table"
    if get_origin(kind) is Literal:
        return " or ".join(repr(each) for each in get_args(kind) if each)
    if get_origin(kind) is tuple:
        return "an array of tables" if dataclasses.is_dataclass(get_args(kind)[0]) else "an array"
    return {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}[kind]


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f"{value[:60] + '...' if len(value) > 60 else value!r}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < 200 else "a number of that size"
    return "an array" if isinstance(value, list) else "a table" if isinstance(value, dict) else "a date or time"


def _needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(field: dataclasses.Field[Any], annotation: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _blank(annotation) if field.default is dataclasses.MISSING else field.default


def _blank(annotation: Any) -> Any:
    """Return what stands for a value that is missing or wrong, for the sake of what else is to be found."""
    if annotation is object:
        return None
    kind = _alternatives(annotation)[0]
    if dataclasses.is_dataclass(kind):
        assert isinstance(kind, type)
        hints = _hints(kind)
        return kind(**{field.name: _blank(hints[field.name]) for field in dataclasses.fields(kind) if _needed(field)})
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    return {} if get_origin(kind) is Mapping else () if get_origin(kind) is tuple else kind()
