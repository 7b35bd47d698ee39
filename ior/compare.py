"""What differs between two references, field by field, for people.

References are compared by what they say, not by octets: byte order and padding do not count. Profiles are laid side by side:
those that are the same, then those of the same tag, in order; so are the components of each. What is decoded here is compared
member by member, everything else whole.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, TypeAlias

from iiop import iop
from iiop.iop import TaggedComponent
from iiop.profile import ProfileBody, Version
from ior.describe import address_text, describe, tag_text
from ior.profiles import Component, IIOPProfile, Profile, UnknownProfile, profile_of

__all__ = ["Aspect", "Change", "changes_between"]


class Aspect(enum.StrEnum):
    """Name what of a reference can differ. `profiles` is which there are, in which order, and what else they hold."""

    type_id = "type_id"
    profiles = "profiles"
    version = "version"
    host = "host"
    port = "port"
    key = "key"
    components = "components"


@dataclass(frozen=True, slots=True)
class Change:
    """Say what a field is in one and in the other, as text for people; `none` where it is not there.

    Attributes:
        aspect: an `Aspect`; users of this class may have more.
        profile: number of the profile it is about, from 0; None for the whole. It is that of the first reference, or if only the
            second has the profile, of that.
        path: of the field, as `profiles[0].components[TAG_CODE_SETS].for_char_data.native_code_set`; of components with the
            same tag the second is `[TAG_ALTERNATE_IIOP_ADDRESS 2]`. Empty where the aspect says it.
    """

    aspect: str
    a: str
    b: str
    profile: int | None = None
    path: str = ""


_NONE = "none"
_MEMBER = re.compile(r"profiles\[(\d+)\](?:\.(\w+))?")
_ASPECTS = {
    "iiop_version": "version",
    "host": "host",
    "port": "port",
    "object_key": "key",
    "components": "components",
}
"""By member of a profile."""

_Row: TypeAlias = tuple[str, str, str]
"""Path, and what is there in one and in the other."""

_View: TypeAlias = Profile | Component


def changes_between(a: iop.IOR, b: iop.IOR, ignore: Set[str] = frozenset()) -> tuple[Change, ...]:
    """Return what differs between two references, nothing if they say the same.

    Args:
        a, b: the references.
        ignore: aspects that do not count.

    Examples:
        >>> from ior import IORBuilder
        >>> old, new = (IORBuilder("IDL:A:1.0").iiop(host, 8002, key=b"k").build() for host in ("old", "new"))
        >>> changes_between(old, new)
        (Change(aspect='host', a='old', b='new', profile=0, path='profiles[0].host'),)
        >>> changes_between(old, new, {"host"})
        ()
    """
    if a.type_id == b.type_id and a.profiles == b.profiles:
        return ()
    found = [Change("type_id", repr(a.type_id), repr(b.type_id), path="type_id")] if a.type_id != b.type_id else []
    for path, in_a, in_b in _side_by_side("profiles", *([profile_of(each) for each in it.profiles] for it in (a, b))):
        match = _MEMBER.match(path)
        number = int(match[1]) if match else None
        found.append(Change(_ASPECTS.get(match[2] if match else "", "profiles"), in_a, in_b, number, path))
    return tuple([change for change in found if change.aspect not in ignore])


def _side_by_side(path: str, a: Sequence[_View], b: Sequence[_View]) -> Iterator[_Row]:
    """Compare profiles, or components: those of both, those that only one has, and their order."""
    pairs = _paired(a, b)
    names_of_a, names_of_b = _names(a), _names(b)
    for one, other in pairs:
        if other is None:
            assert one is not None
            yield f"{path}[{names_of_a[one]}]", _text(a[one]), _NONE
        elif one is None:
            yield f"{path}[{names_of_b[other]}]", _NONE, _text(b[other])
        else:
            yield from _of_views(f"{path}[{names_of_a[one]}]", a[one], b[other])
    both = [(one, other) for one, other in pairs if one is not None and other is not None]
    in_order_of_b = sorted(both, key=lambda pair: pair[1])
    if both != in_order_of_b:
        yield path, ", ".join(_text(a[one]) for one, _ in both), ", ".join(_text(b[other]) for _, other in in_order_of_b)


def _paired(a: Sequence[_View], b: Sequence[_View]) -> list[tuple[int | None, int | None]]:
    """Return which of `a` is which of `b`, by position, in the order of `a`; then which of `b` is none of `a`."""
    found: dict[int, int] = {}
    free = dict.fromkeys(range(len(b)))
    for key in (lambda view: (view.tag, _octets(view)), lambda view: view.tag):
        waiting: dict[Any, deque[int]] = defaultdict(deque)
        for at in free:
            waiting[key(b[at])].append(at)
        for at in range(len(a)):
            if at not in found and (those := waiting.get(key(a[at]))):
                found[at] = those.popleft()
                del free[found[at]]
    return [*((at, found.get(at)) for at in range(len(a))), *((None, at) for at in free)]


def _names(views: Sequence[_View]) -> list[str]:
    """Return what stands in brackets behind `profiles` and `components`: numbers, and tags."""
    names: list[str] = []
    seen: Counter[int] = Counter()
    for number, view in enumerate(views):
        seen[view.tag] += 1
        if isinstance(view, Profile):
            names.append(str(number))
        else:
            names.append(f"{view.name or hex(view.tag)}{f' {seen[view.tag]}' if seen[view.tag] > 1 else ''}")
    return names


def _octets(view: _View) -> bytes:
    return view.profile_data if isinstance(view, Profile) else view.component_data


def _value(view: _View) -> Any:
    """Return what the octets say; the octets where that is not known, or they are broken."""
    if isinstance(view, IIOPProfile):
        return view.body if view.error is None else view.profile_data
    assert isinstance(view, UnknownProfile | Component)
    return view.value


def _text(view: _View) -> str:
    value = _value(view)
    said = address_text(value.host, value.port) if isinstance(value, ProfileBody) else describe(value)
    return f"{tag_text(view.name, view.tag)} {said}"


# --- members ----------------------------------------------------------------------------------------------------------


def _of_views(path: str, a: _View, b: _View) -> Iterator[_Row]:
    """Compare what two of the same tag hold, as a whole if it is not known of both."""
    one, other = _value(a), _value(b)
    if isinstance(one, bytes) or isinstance(other, bytes):
        if one != other:
            yield path, _text(a), _text(b)
    else:
        yield from _of_values(f"{path}.components" if isinstance(one, tuple) else path, one, other)


def _of_values(path: str, a: Any, b: Any) -> Iterator[_Row]:
    if a == b:
        return
    if isinstance(a, TaggedComponent) and isinstance(b, TaggedComponent):
        yield from _side_by_side(path, [Component(a.tag, a.component_data)], [Component(b.tag, b.component_data)])
    elif type(a) is type(b) and dataclasses.is_dataclass(a) and not isinstance(a, Version):
        for member in dataclasses.fields(a):
            yield from _of_values(f"{path}.{member.name}", getattr(a, member.name), getattr(b, member.name))
    elif isinstance(a, tuple) and isinstance(b, tuple) and any(map(dataclasses.is_dataclass, a + b)):
        if all(isinstance(each, TaggedComponent) for each in a + b):
            views = [[Component(each.tag, each.component_data) for each in side] for side in (a, b)]
            yield from _side_by_side(path, *views)
        else:
            for number, (one, other) in enumerate(itertools.zip_longest(a, b)):
                yield from _of_values(f"{path}[{number}]", one, other)
    else:
        yield path, _leaf(path, a), _leaf(path, b)


def _leaf(path: str, value: Any) -> str:
    from ior.describe_components import number_name  # with all types of components: late

    member = path.rpartition(".")[2]
    if member == "object_key" and isinstance(value, bytes):
        text = value.decode("ascii", "replace")
        return text if text.isprintable() and value.isascii() and not text.startswith("0x") else f"0x{value.hex()}"
    if isinstance(value, tuple):
        return ", ".join(_leaf(path, each) for each in value) or _NONE
    if isinstance(value, int) and not isinstance(value, bool | enum.Enum):
        number = str(value) if value < 0x10000 else f"{value:#010x}"
        name = number_name(member, value)
        return f"{name} ({number})" if name else number
    return _NONE if value is None else describe(value)
