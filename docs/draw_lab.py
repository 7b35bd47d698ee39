"""Write `lab.md`: what a lab file can say, from the dataclasses that declare it.

Run `python docs/draw_lab.py` after a change of them; a test holds the page and the code equal.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from iiop_lab.faults import Aim, fault_names
from iiop_lab.scenario.actions import VERBS
from iiop_lab.scenario.declaration import Aiming, LabFile

HERE = Path(__file__).parent
_ATTRIBUTE = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n        .*)*)", re.MULTILINE)
_SIMPLE = (str, int, float, bool, types.NoneType)
_SCALARS = {str: "string", int: "whole number", float: "number", bool: "true or false", object: "value"}

EXAMPLE = """\
about = "A client goes on calling when one of two servers dies"

[hosts]                                  # names for addresses of 127.0.0.0/8
vhost = "127.0.0.10"
host1 = "127.0.0.11"
host2 = "127.0.0.12"

[virtual_host]                           # listens at the host `vhost`, and distributes to all nodes

[nodes.host1]                            # listens at the host of its own name
[nodes.host2]

[work_units.TD]                          # runs on both nodes, two processes each
count = 2
names = { "TDsample::tdtest" = "vhost" } # bound with the address of the virtual host

[faults.slow]
fault = "latency"
at = "host2"
parameters = { seconds = 0.05 }

[clients.one]
[clients.two]
stub = "omniORBpy"
restart = true

[[step]]
name = "both serve"
calls = 100
expect = [{ failed = 0, served_by = { host1 = 0.1, host2 = 0.1 } }]

[[step]]
name = "one dies, the other is slow"
do = ["fault slow on", "kill host1"]
until = [{ standing = { host1 = "dead" } }]
calls = 20

[[step]]
name = "it is back"
do = ["fault slow off", "restore host1"]
until = [{ standing = { host1 = "serving" } }]
calls = 100
expect = [{ served_by = { host1 = 0.1, host2 = 0.1 } }]

[[expect]]                               # of all calls, at the end
at_most_once = true
silence = 5.0
"""

ABOUT = """A lab file is TOML. It says which servers, clients and faults there are, and, in a scenario, what happens to them step
by step, and what is expected."""

READING = """`iiop_lab.scenario.text.read_lab(path)` reads a file. It starts nothing. If something is wrong, it raises
`LabFileError` with every mistake, one a line: the file, the line, the key, and what was probably meant.

    lab.toml:12: nodes.host1.prot: there is no such key; did you mean 'port'? There are: host, port, home, load, proxy
    lab.toml:40: step[2].do[1]: 'kill host3': there is no node 'host3'; did you mean 'host2'? There are: host1, host2

`step[2].do[1]` is the first action of the second step. What is allowed, but has no effect, as `weights` under another policy,
is no mistake: it is in `notes` of what `read_lab` returns.

A file with `lab = "other.toml"` takes hosts, virtual host, nodes, WorkUnits, clusters and faults from there, and none of its
own; so several scenarios share one lab. `home`, `script` and servant modules are relative to the file that declares them.

Processes of WorkUnits find in their environment `IIOP_LAB_NODE`, the name of the node, `IIOP_LAB_HOME`, its folder, and
`IIOP_LAB_ADDRESS`, the `host:port` that references to what they make carry: that of the node. For `stickiness = "session"`, let
it be that of the virtual host, `env = { IIOP_LAB_ADDRESS = "127.0.0.10:8002" }`, or what `create` returns is called past it.
Programs that are clients find `IIOP_LAB_NAMING`, the URL of the Naming Service.

Below, NAME and the like are names that you choose. Names of hosts, nodes, WorkUnits, clusters and faults have no space and no
`/`. Ports are 0 to 65535, 0 for any that is free; seconds are never negative."""


def page() -> str:
    """Return the page."""
    parts = [
        "# Lab files",
        ABOUT,
        f"```toml\n{EXAMPLE}```",
        READING,
        "The tables below are made by `python docs/draw_lab.py` from the code; a test holds the two equal.",
        *tables(),
        "## Actions",
        "What steps `do`, one after the other. A TARGET is a node, `host1`, or a WorkUnit on one, `host1/TD`; a MEASURE is"
        " one of the keys of `load` of a node.",
        actions(),
        "## Faults",
        "What `fault` can be, and its `parameters`, with what they are if they are left out.",
        faults(),
    ]
    return "\n\n".join(parts) + "\n"


def tables() -> list[str]:
    """Return a section for each table that a file can have."""
    return [part for cls, places in _found(LabFile, "", {}).items() for part in _section(cls, places)]


def _found(cls: Any, place: str, found: dict[Any, list[str]]) -> dict[Any, list[str]]:
    """Return a dataclass and those inside it, each with the headers under which it stands."""
    if place in found.setdefault(cls, []):
        return found
    found[cls].append(place)
    for name, annotation in get_type_hints(cls).items():
        for kind in _alternatives(annotation):
            inside, way = kind, f"{place.strip('[]')}.{name}".lstrip(".")
            if get_origin(kind) is Mapping:
                inside, way = get_args(kind)[1], f"{way}.{'MEASURE' if name == 'limits' else 'NAME'}"
            elif get_origin(kind) is tuple:
                inside, way = get_args(kind)[0], f"[{way}]"
            if dataclasses.is_dataclass(inside):
                _found(inside, way, found)
    return found


def _section(cls: Any, places: list[str]) -> list[str]:
    heading = ", ".join(f"`[{place}]`" for place in places if place) or "The file"
    told = (_attributes(Aim) if cls is Aiming else {}) | _attributes(cls)
    hints = get_type_hints(cls)
    rows = [
        f"| `{field.name}` | {_takes(hints[field.name])} | {_default(field)} | {told[field.name]} |"
        for field in dataclasses.fields(cls)
    ]
    summary = inspect.cleandoc(cls.__doc__).splitlines()[0]
    return [f"## {heading}", summary, "\n".join(["| key | takes | default | what it says |", "|---|---|---|---|", *rows])]


def _attributes(cls: Any) -> dict[str, str]:
    found = _ATTRIBUTE.findall(inspect.cleandoc(cls.__doc__))
    return {name: re.sub(r"\s+", " ", text).strip() for names, text in found for name in names.split(", ")}


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(each for each in get_args(annotation) if each is not types.NoneType)
    return (annotation,)


def _takes(annotation: Any) -> str:
    return " or ".join(map(_kind, _alternatives(annotation)))


def _kind(kind: Any) -> str:
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return " ".join(f"`{json.dumps(each)}`" for each in arguments if each)
    if get_origin(kind) is tuple:
        return f"array of {_several(arguments[0])}"
    if get_origin(kind) is Mapping:
        named, holds = arguments
        keys = f" by {_kind(named)}" if get_origin(named) is Literal else ""
        return f"table of {_several(holds)}{keys}"
    return "table" if dataclasses.is_dataclass(kind) else _SCALARS[kind]


def _several(kind: Any) -> str:
    return _kind(kind) + ("s" if kind in _SCALARS or dataclasses.is_dataclass(kind) else "")


def _default(field: dataclasses.Field[Any]) -> str:
    default = field.default
    if default is dataclasses.MISSING:
        return "" if field.default_factory is not dataclasses.MISSING else "must be given"
    if default in (None, "", ()) or dataclasses.is_dataclass(default):
        return ""
    if field.name == "minor":
        return f"`{default:#010x}`"
    return f"`{json.dumps(default)}`"


def actions() -> str:
    """Return the table of actions."""
    rows = [
        f"| `{' '.join((name, *(argument.upper() for argument in verb.arguments)))}` | {verb.what} |".replace(
            "ON|OFF", "on`, `off"
        )
        for name, verb in VERBS.items()
    ]
    return "\n".join(["| action | what it does |", "|---|---|", *rows])


def faults() -> str:
    """Return the table of faults."""
    rows = [
        f"| `{name}` | {_parameters(factory)} | {inspect.cleandoc(factory.__doc__ or '').splitlines()[0]} |"
        for name, factory in sorted(fault_names().items())
    ]
    return "\n".join(["| fault | parameters | what it does |", "|---|---|---|", *rows])


def _parameters(factory: Any) -> str:
    shown = []
    for parameter in inspect.signature(factory).parameters.values():
        if parameter.default is parameter.empty:
            shown.append(f"`{parameter.name}`")
        elif isinstance(parameter.default, _SIMPLE):
            shown.append(
                f"`{parameter.name}` (" + ("optional" if parameter.default is None else json.dumps(parameter.default)) + ")"
            )
    return ", ".join(shown)


if __name__ == "__main__":
    (HERE / "lab.md").write_text(page(), encoding="utf-8")
