"""The IDL files of Debian's package omniorb-idl: each compiles and can be used, or what is refused is named.

They are the OMG's and omniORB's, and not copied here. Those that are refused name types of files that the package does not have,
and no include path, definition or order makes them compile: `test_what_the_refused_lack` gives them the types.
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from iiop.cdr import CDRType, Value, codec
from iiop.cdr import types as t
from iiop.idl import IDLError, Interface, load
from iiop.idl.compiler import compile_idl, write_packages
from naming import interfaces, types

ROOT = Path("/usr/share/idl/omniORB")
INCLUDE = [ROOT, ROOT / "COS"]
FILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.idl"))
_NO_SERVICE_OPTION = r"Security\.idl:28: Error in look-up of 'CORBA::ServiceOption'"
_NO_IOP = r":\d+: IOP\.idl: No such file"
REFUSED = {
    "COS/CosTSPortability.idl": r"CosTSPortability\.idl:25: Error in look-up of 'CORBA::Environment'",
    **dict.fromkeys(["COS/DCE_CIOPSecurity.idl", "COS/SECIOP.idl", "COS/SSLIOP.idl"], _NO_IOP),
    **dict.fromkeys(
        [f"COS/{name}.idl" for name in ("NRService", "Security", "SecurityAdmin", "SecurityLevel1", "SecurityLevel2")],
        _NO_SERVICE_OPTION,
    ),
    "COS/SecurityReplaceable.idl": _NO_SERVICE_OPTION,
}
CHECKED_BY_MYPY = ["ir.idl", "poa.idl", "ziop.idl", "messaging.idl", "COS/CosNaming.idl", "COS/CosNotifyChannelAdmin.idl"]


@pytest.fixture(autouse=True)
def installed() -> None:
    """Without the package, CI fails and others skip."""
    if not FILES:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("omniorb-idl is not installed")


def _classes(module: Any, package: str) -> Iterator[type[Any]]:
    for cls in list(vars(module).values()):
        if isinstance(cls, type) and cls.__module__ == package:
            yield cls
            yield from _classes(cls, package)


def use_all(root: ModuleType) -> int:
    """Ask for the declaration of everything in a loaded package, and return how many there are."""
    count = 0
    for name in [name for name in sys.modules if name.startswith(f"{root.__name__}.")]:
        for cls in _classes(sys.modules[name], name):
            count += 1
            if issubclass(cls, Interface):
                for operation in cls.operations().values():
                    assert operation.arguments
                    assert operation.results
                    assert operation.raised.keys() >= operation.raises.keys()
            elif dataclasses.is_dataclass(cls) or issubclass(cls, Value):
                assert isinstance(codec(cls).type, CDRType)
                assert getattr(codec(cls).type, "fields", ()) is not None
    return count


@pytest.mark.parametrize("file", FILES or ["none"])
def test_every_file(file: str) -> None:
    if file in REFUSED:
        with pytest.raises(IDLError, match=REFUSED[file]):
            load(ROOT / file, include=INCLUDE)
        return
    declared = re.search(
        r"^\s*(struct|enum|union|exception|interface|valuetype) \w+\s*[:{]", (ROOT / file).read_text("latin-1"), re.M
    )
    assert use_all(load(ROOT / file, include=INCLUDE)) > 0 or declared is None


MISSING = {
    "IOP.idl": """
#pragma prefix "omg.org"
module IOP {{
  typedef unsigned long ComponentId;
  struct TaggedComponent {{ ComponentId tag; sequence<octet> component_data; }};
}};
""",
    "orb.idl": """
#include "{root}/orb.idl"
#pragma prefix "omg.org"
module CORBA {{ typedef unsigned short ServiceOption; typedef unsigned long ServiceDetailType; native Environment; }};
""",
}


def test_what_the_refused_lack(tmp_path: Path) -> None:
    """Given the types, one compiles, one needs what is never on the wire, and the others are no IDL."""
    for name, text in MISSING.items():
        guard = name.replace(".", "_")
        (tmp_path / name).write_text(f"#ifndef {guard}\n#define {guard}\n{text.format(root=ROOT)}\n#endif\n")
    (tmp_path / "both.idl").write_text(f'#include <orb.idl>\n#include "{ROOT}/COS/CosTSPortability.idl"\n')
    include = [tmp_path, *INCLUDE]
    assert use_all(load(ROOT / "COS" / "DCE_CIOPSecurity.idl", include=include)) > 0
    with pytest.raises(IDLError, match=r"Sender needs CORBA::Environment \(a native type\), which is never on the wire"):
        load(tmp_path / "both.idl", include=include)
    for file in REFUSED.keys() - {"COS/DCE_CIOPSecurity.idl", "COS/CosTSPortability.idl"}:
        with pytest.raises(IDLError, match=r"Security\.idl:135: Instance identifier 'right' clashes with name of"):
            load(ROOT / file, include=include)


@pytest.mark.timeout(600)
def test_mypy_strict(tmp_path: Path) -> None:
    for number, file in enumerate(CHECKED_BY_MYPY):
        write_packages(compile_idl([ROOT / file], INCLUDE), tmp_path / "stubs" / f"f{number}")
    (tmp_path / "stubs" / "__init__.py").touch()
    project = Path(__file__).parents[2]
    (tmp_path / "mypy.ini").write_text(
        f"[mypy]\nstrict = true\nmypy_path = {project}\ncache_dir = {tmp_path / 'cache'}\n"
        "[mypy-iiop.*]\nfollow_imports = silent\n[mypy-construct.*]\nignore_missing_imports = true\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "-p", "stubs"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert said.startswith("Success: no issues found in "), said


def shape(declared: CDRType) -> Any:
    """Return what a declaration says of octets and names, whatever classes it makes."""
    match declared:
        case t.Struct():
            return "struct", [(member.name, shape(member.type)) for member in declared.fields]
        case t.Enum():
            return "enum", [(member.name, member.value) for member in declared.cls]
        case t.Sequence():
            return "sequence", shape(declared.element), declared.bound
    return declared


def signature(interface: type[Interface]) -> dict[str, Any]:
    return {
        name: (
            shape(operation.arguments.type),
            shape(operation.results.type),
            {repository_id: shape(codec(cls).type) for repository_id, cls in operation.raises.items()},
            operation.oneway,
        )
        for name, operation in interface.operations().items()
    }


def test_cos_naming_is_what_we_wrote_by_hand() -> None:
    """`naming.interfaces` and `naming.types` have docstrings, and say what is idempotent; the IDL has neither."""
    made = load(ROOT / "COS" / "CosNaming.idl").CosNaming
    for written in (interfaces.NamingContext, interfaces.NamingContextExt, interfaces.BindingIterator):
        generated = getattr(made, written.__name__)
        assert signature(written) == signature(generated)
        assert written.repository_ids() == generated.repository_ids()
    for plain in (types.NameComponent, types.Binding, types.BindingType):
        assert shape(codec(plain).type) == shape(codec(getattr(made, plain.__name__)).type)
    scopes = [made.NamingContextExt, made.NamingContext]
    for exception in (
        types.NotFound,
        types.CannotProceed,
        types.InvalidName,
        types.AlreadyBound,
        types.NotEmpty,
        types.InvalidAddress,
    ):
        generated = next(getattr(scope, exception.__name__) for scope in scopes if hasattr(scope, exception.__name__))
        assert exception.repository_id == generated.repository_id
        assert shape(codec(exception).type) == shape(codec(generated).type)
