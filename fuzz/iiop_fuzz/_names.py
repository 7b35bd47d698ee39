"""Names of the Naming Service, as components and as text."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from iiop_fuzz._cdr import strings
from naming.names import format_name
from naming.types import Name, NameComponent

__all__ = ["name_components", "names", "stringified_names"]


def _parts() -> SearchStrategy[str]:
    return st.text(st.sampled_from("ab/.\\ %#"), max_size=6) | strings(max_size=12)


def name_components() -> SearchStrategy[NameComponent]:
    """Draw one component; id and kind may be empty, both too, and are full of what has to be escaped."""
    return st.builds(NameComponent, _parts(), _parts())


def names(*, min_size: int = 1, max_size: int = 4) -> SearchStrategy[Name]:
    """Draw a name; `min_size=0` admits the name without components, which the Naming Service refuses."""
    return st.lists(name_components(), min_size=min_size, max_size=max_size).map(tuple)


def stringified_names() -> SearchStrategy[str]:
    """Draw text that `naming.names.parse_name` reads; `format_name` gives the same text back."""
    return names().map(format_name)
