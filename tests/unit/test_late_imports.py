"""What is imported late: that it is, that nothing is lost by it, and that what a user says first still goes before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import iiop
import iiop.components
import ior
from ior import IORBuilder

PLAIN = str(IORBuilder("IDL:A:1.0").iiop("h", 1, key=b"\xffpoa\0id").orb_type(0x41545400).code_sets().build())


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_one_reference_is_decoded_with_little() -> None:
    heavy = (
        "construct",
        "json",
        "rich",
        "socket",
        "iiop.cdr.typecode",
        "iiop.components.csi",
        "iiop.service_contexts",
        "iiop.exceptions.minor.omg",
        "ior.describe_components",
    )
    code = f"import sys; from iiop_tools.iortool import main; main(['decode', {PLAIN!r}]); "
    assert run(code + f"print([name for name in {heavy} if name in sys.modules])").splitlines()[-1] == "[]"


def test_every_name_is_there() -> None:
    for package in (iiop, ior, iiop.components):
        for name in package.__all__:
            assert getattr(package, name) is not None
        with pytest.raises(AttributeError, match="nonsense"):
            _ = package.nonsense


def test_the_packages_themselves_are_light() -> None:
    assert run("import sys, iiop; iiop.Limits; print('iiop.connection' in sys.modules, 'iiop.giop.messages' in sys.modules)") == (
        "False False"
    )
    assert run("import sys, ior; ior.IOR; print('ior.url' in sys.modules, 'iiop.components.csi' in sys.modules)") == "False False"


def test_every_tag_that_is_promised_is_registered() -> None:
    code = """
from iiop.iop import COMPONENTS, PROFILES
import iiop.components
for registry, late in [(registry, list(registry._late)) for registry in (COMPONENTS, PROFILES)]:
    assert late
    for tag in late:
        assert tag in registry and registry.layouts(tag), tag
    assert not registry._late
print("all")
"""
    assert run(code) == "all"


def test_every_tag_that_is_registered_is_promised() -> None:
    """A tag that a module registers, and nobody knows of, would be found only once something else imports that module."""
    code = """
import importlib, pkgutil
from iiop.iop import COMPONENTS, PROFILES
import iiop.components, iiop.profile
promised = [set(registry._late) | set(registry._codecs) for registry in (COMPONENTS, PROFILES)]
for module in pkgutil.iter_modules(iiop.components.__path__):
    importlib.import_module(f"iiop.components.{module.name}")
print([set(registry._codecs) - before for registry, before in zip((COMPONENTS, PROFILES), promised)])
"""
    assert run(code) == "[set(), set()]"


def test_who_registers_first_is_not_overruled_later() -> None:
    code = """
from typing import Annotated
from iiop.cdr import ULong
from iiop.iop import COMPONENTS, register_component
from ior import IORBuilder
register_component(20, Annotated[int, ULong])          # before anybody has asked for TAG_SSL_SEC_TRANS
import iiop.components.ssl
print(COMPONENTS.decode(20, bytes(7) + b"\\7"))
from iiop.exceptions import explain_minor, register_minor_code
register_minor_code("COMM_FAILURE", 0x464A0114, "MINE", "mine")
print(explain_minor("COMM_FAILURE", 0x464A0114).name, explain_minor("COMM_FAILURE", 0x41540007).name)
"""
    assert run(code).splitlines() == ["7", "MINE COMM_FAILURE_WaitingForReply"]


def test_a_reference_in_an_any_needs_nothing_else() -> None:
    code = """
from iiop.iop import IOR
from iiop.cdr.any import Any, typecode_of
print(typecode_of(IOR).kind.name, typecode_of(IOR).repository_id, Any.of(IOR, IOR("", ())).value == IOR("", ()))
"""
    assert run(code) == "tk_objref IDL:omg.org/CORBA/Object:1.0 True"


def test_tokens_stay_hidden_though_nobody_has_imported_how_they_are_shown() -> None:
    code = """
from iiop.service_contexts import EstablishContext, IdentityToken, IdentityTokenType
from ior.describe import describe
print(describe(EstablishContext(1, (), IdentityToken(IdentityTokenType.ITTAbsent, True), b"secret")))
"""
    said = run(code)
    assert "6 octets, not shown" in said
    assert b"secret".hex() not in said


def test_threads_that_ask_at_the_same_time_all_get_what_is_imported() -> None:
    code = """
import threading
from iiop.exceptions import explain_minor
from iiop.iop import COMPONENTS
import iiop.components
start, found = threading.Barrier(8), []
def ask():
    start.wait()
    found.append((len(COMPONENTS.layouts(33)), explain_minor("COMM_FAILURE", 0x464A0114).name))
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(set(found))
"""
    assert run(code) == "{(2, 'IPCOM_ERROR')}"
