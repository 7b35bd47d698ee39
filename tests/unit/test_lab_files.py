"""Lab files as files: odd ones, those that name another, what has no effect, and that nothing but our error comes of any."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iiop_lab.faults import fault_names
from iiop_lab.scenario import declaration
from iiop_lab.scenario.actions import VERBS
from iiop_lab.scenario.mistakes import LabFileError
from iiop_lab.scenario.text import read_lab

LAB = """\
[hosts]
vhost = "127.0.0.10"
host1 = "127.0.0.11"
host2 = "127.0.0.12"
[virtual_host]
[nodes.host1]
[nodes.host2]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder, so that files have short names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("", ["lab.toml: nodes: there are none; a lab has at least one, as [nodes.host1]"]),
        ("# nothing\n", ["lab.toml: nodes: there are none; a lab has at least one, as [nodes.host1]"]),
        ("[nodes]\n", ["lab.toml:1: nodes: there are none; a lab has at least one, as [nodes.host1]"]),
        ("nodes = 5\n", ["lab.toml:1: nodes: it takes a table, not 5"]),
        (
            "hosts.a = '127.0.0.1'\n[node.a]\n[faults.b]\nfault = 'drop'\nat = 'a'\n[[step]]\nname = 'b'\ndo = ['kill a']",
            [
                "lab.toml:2: node: there is no such key; did you mean 'nodes'? There are: about, lab, references, hosts,"
                " virtual_host, nodes, work_units, clusters, faults, clients, step, expect"
            ],
        ),
        (
            "hosts.a = '127.0.0.1'\nnodes.a = 1\n[[step]]\nname = 'b'\ndo = ['kill a']",
            ["lab.toml:2: nodes.a: it takes a table, not 1"],
        ),
        (
            "hosts.a = '127.0.0.1'\nnodes.a = {}\n[[step]]\nname = 'b'\ncalls = 1\n[[expect]]\nsilence = 1",
            [
                "lab.toml:5: step[1].calls: there is no client that calls",
                "lab.toml:7: expect[1].silence: there is no client that calls",
            ],
        ),
        (
            "hosts.a = '127.0.0.1'\nnodes.a = {}\n[[step]]\nname = 'b'\ndo = ['release a']",
            ["lab.toml:5: step[1].do[1]: 'release a': there is no virtual host whose target a node could be"],
        ),
        (
            "hosts = { a = '127.0.0.1', vhost = '127.0.0.2' }\nnodes = { a = {}, b = {} }\nvirtual_host = "
            "{}\n[clusters.a]\nnodes = ['a', 'b']",
            ["lab.toml:3: virtual_host.targets: there is none: every node is in a cluster"],
        ),
    ],
)
def test_in_whole_files(text: str, mistakes: list[str]) -> None:
    Path("lab.toml").write_text(text, encoding="utf-8")
    with pytest.raises(LabFileError) as caught:
        read_lab(Path("lab.toml"))
    assert list(map(str, caught.value.mistakes)) == mistakes


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("a = 1\n[b]\n[b]\n", r"lab.toml:3: no TOML: .*, in column \d+"),
        ("a = \n", r"lab.toml:1: no TOML: .*, in column 5"),
        ("about = ''\na = 'b", r"lab.toml:2: no TOML: .*, (at the end of the file|in column \d+)"),
        (f"a = {'[' * 100_000}", r"lab.toml: .* nested too deep.*"),
    ],
    ids=["twice", "missing", "open", "deep"],
)
def test_what_is_no_toml(text: str, pattern: str) -> None:
    """What exactly is wrong with it, `tomllib` says, each version of Python in its words."""
    Path("lab.toml").write_text(text)
    with pytest.raises(LabFileError) as caught:
        read_lab(Path("lab.toml"))
    assert re.fullmatch(pattern, str(caught.value))


def test_a_number_too_long_for_python() -> None:
    Path("lab.toml").write_text(f"a = {'1' * 5000}")
    with pytest.raises(LabFileError, match=r"^lab.toml: no TOML: Exceeds the limit \(4300 digits\)"):
        read_lab(Path("lab.toml"))


@pytest.mark.parametrize(
    ("octets", "mistake"),
    [
        (b"about = 'a'\n# \xe4\n", "lab.toml:2: no UTF-8: octet 0xe4 cannot be there; save it as UTF-8"),
        ("about = 'a'".encode("utf-16"), "lab.toml:1: no UTF-8: octet 0xff cannot be there; save it as UTF-8"),
    ],
)
def test_files_in_other_code_sets(octets: bytes, mistake: str) -> None:
    Path("lab.toml").write_bytes(octets)
    with pytest.raises(LabFileError) as caught:
        read_lab(Path("lab.toml"))
    assert str(caught.value) == mistake


def test_a_file_without_end() -> None:
    with pytest.raises(LabFileError) as caught:
        read_lab(Path("/dev/zero"))
    assert str(caught.value) == "/dev/zero: it is too large: a lab file has 1048576 octets at the most"


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("none.toml", "none.toml: it cannot be read: No such file or directory"),
        (".", ".: it cannot be read: Is a directory"),
        ("a\0b", r"'a\x00b': no file can have that name: embedded null byte"),
        ("a" * 300, f"{'a' * 300}: it cannot be read: File name too long"),
    ],
)
def test_files_that_are_none(name: str, mistake: str) -> None:
    with pytest.raises(LabFileError) as caught:
        read_lab(Path(name))
    assert str(caught.value) == mistake


# --- another file


def told() -> list[str]:
    with pytest.raises(LabFileError) as caught:
        read_lab(Path("play.toml"))
    return list(map(str, caught.value.mistakes))


def test_another_file_declares_the_lab(folder: Path) -> None:
    (folder / "labs").mkdir()
    (folder / "labs" / "unit.py").touch()
    (folder / "labs" / "lab.toml").write_text(
        LAB + "[work_units.a]\nscript = 'unit.py'\n[clients.a]\n[[step]]\nname = 'not taken'\ndo = ['nothing']\n"
    )
    (folder / "play.toml").write_text(
        "lab = 'labs/lab.toml'\n[clients.b]\n[[step]]\nname = 'one'\ndo = ['kill host1/a']\n[[expect]]\nfailed = 0\n"
    )
    found = read_lab(Path("play.toml"))
    assert [*found.lab.nodes] == ["host1", "host2"]
    assert [*found.lab.clients] == ["b"]
    assert [step.name for step in found.lab.step] == ["one"]
    assert found.lab.virtual_host == declaration.VirtualHostDeclaration()
    assert (found.file, found.folder) == (Path("play.toml"), Path("labs"))


@pytest.mark.parametrize(
    ("play", "lab", "mistakes"),
    [
        ('lab = "\\n"', "", [r"'\n': it cannot be read: No such file or directory"]),
        ("lab = 'no.toml'", "", ["no.toml: it cannot be read: No such file or directory"]),
        (
            "lab = 'lab.toml'\n[hosts]\n[nodes.host1]\n[clients.a]",
            LAB,
            [
                "play.toml:2: hosts: lab.toml declares the lab, so this belongs there",
                "play.toml:3: nodes: lab.toml declares the lab, so this belongs there",
            ],
        ),
        (
            "lab = 'lab.toml'",
            "lab = 'play.toml'\n" + LAB,
            ["lab.toml:1: lab: play.toml takes the lab from here, so it must be declared here, not in a third file"],
        ),
        (
            "lab = 'play.toml'\nstep = 1",
            "",
            [
                "play.toml:1: lab: it names this file itself; leave it out",
                "play.toml:2: step: it takes an array of tables, not 1",
            ],
        ),
        (
            "lab = 'lab.toml'\nfaulst = 1",
            "[nodes",
            ["play.toml:2: faulst: there is no such key; did you mean 'faults'? There are: ", "lab.toml:1: no TOML: "],
        ),
        (
            "lab = 'lab.toml'\n[[step]]\nname = 'a'\ndo = ['kill host1', 'kill host3']",
            LAB + "prot = 1\n[nodes.host3]\nhost = 'host4'\n",
            ["lab.toml:8: nodes.host2.prot: ", "lab.toml:10: nodes.host3.host: there is no host 'host4'; "],
        ),
        (
            "lab = 'lab.toml'\n[[step]]\nname = 'a'\ndo = ['kill host3']",
            LAB.replace("[nodes.", "[node."),
            ["lab.toml:6: node: there is no such key; did you mean 'nodes'? There are: "],
        ),
        (
            "lab = 'lab.toml'\n[[step]]\nname = 'a'\ndo = ['kill host3']",
            LAB,
            ["play.toml:4: step[1].do[1]: 'kill host3': there is no node 'host3'; did you mean 'host2'? There are: host1, host2"],
        ),
    ],
)
def test_mistakes_of_two_files(play: str, lab: str, mistakes: list[str]) -> None:
    Path("lab.toml").write_text(lab)
    Path("play.toml").write_text(play)
    found = told()
    assert len(found) == len(mistakes)
    for mistake, beginning in zip(found, mistakes, strict=True):
        assert mistake.startswith(beginning)


# --- what has no effect


@pytest.mark.parametrize(
    ("more", "notes"),
    [
        ("", []),
        (
            "[work_units.a]\niswitch = true",
            ["9: work_units.a.iswitch: has no effect behind a virtual host (B1WS-1092-03ENZ0 3.3.2.1)"],
        ),
        ("[work_units.a]\nprocess_bind = true", ["9: work_units.a.process_bind: every call will be refused with minor 10007"]),
        (
            "[clients.a]\ncommand = ['a']\nfresh = 1\nrestart = true",
            [
                "10: clients.a.fresh: has no effect on a command, which does what it does",
                "11: clients.a.restart: has no effect on a command, which does what it does",
            ],
        ),
        (
            "[virtual_host.services.calls]\nweights.host1 = 1\nseed = 5",
            [
                "9: virtual_host.services.calls.weights: has no effect with policy = 'round_robin', but with 'weights'",
                "10: virtual_host.services.calls.seed: has no effect with policy = 'round_robin', but with 'random'",
            ],
        ),
        ("[virtual_host.services.calls]\npolicy = 'random'\nseed = 5", []),
    ],
)
def test_what_has_no_effect(more: str, notes: list[str]) -> None:
    Path("lab.toml").write_text(LAB + more)
    assert [str(note).removeprefix("lab.toml:") for note in read_lab(Path("lab.toml")).notes] == notes


def test_without_a_virtual_host_it_has() -> None:
    text = LAB.replace("[virtual_host]", "") + "[work_units.a]\niswitch = true\nprocess_bind = true"
    Path("lab.toml").write_text(text)
    assert read_lab(Path("lab.toml")).notes == ()


# --- anything


TABLES = [cls for cls in map(vars(declaration).get, declaration.__all__) if dataclasses.is_dataclass(cls)]
NAMES = st.sampled_from(
    [
        *{field.name for cls in TABLES for field in dataclasses.fields(cls)},
        *("host1", "host2", "vhost", "own", "app", "host1/TD", "TD", "slow", "one", "naming", "calls", "seconds", "size", ""),
    ]
)
WORDS = st.one_of(
    NAMES,
    st.sampled_from([*fault_names(), "127.0.0.11", "weights", "COMM_FAILURE", "a:B", "../lab.toml", "a\0b", "\n"]),
    st.builds(lambda verb, words: " ".join((verb, *words)), st.sampled_from([*VERBS]), st.lists(NAMES, max_size=3)),
    st.text(max_size=5),
)
SCALARS = st.one_of(WORDS, st.integers(-2, 9), st.integers(), st.booleans(), st.floats(), st.just(1 << 5000))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)), max_leaves=12
)


def shaped(hint: str) -> st.SearchStrategy[Any]:
    """Return tables with the keys of a declaration, their values anything."""
    names = [field.name for field in dataclasses.fields(getattr(declaration, hint))]
    return st.dictionaries(st.sampled_from(names), VALUES, max_size=4)


def several(hint: str) -> st.SearchStrategy[Any]:
    return st.dictionaries(NAMES, shaped(hint), max_size=3)


LABS = st.fixed_dictionaries(
    {"nodes": several("NodeDeclaration"), "hosts": st.dictionaries(NAMES, WORDS, max_size=4)},
    optional={
        "virtual_host": shaped("VirtualHostDeclaration"),
        "work_units": several("WorkUnitDeclaration"),
        "clusters": several("ClusterDeclaration"),
        "faults": several("FaultDeclaration"),
        "clients": several("ClientDeclaration"),
        "step": st.lists(shaped("Step"), max_size=3),
        "expect": st.lists(shaped("Expectation"), max_size=3),
        "lab": WORDS,
    },
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value) if value >= 0 else str(value)
    return str(value).lower()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(LABS)
def test_any_lab_is_read_or_refused(content: dict[str, Any]) -> None:
    Path("any.toml").write_text("\n".join(f"{name} = {toml(value)}" for name, value in content.items()), encoding="utf-8")
    try:
        read_lab(Path("any.toml"))
    except LabFileError as error:
        mistakes = error.mistakes
    else:
        return
    assert mistakes
    assert not any("\n" in str(mistake) or mistake.reason.startswith("no TOML") for mistake in mistakes)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=50), st.text(max_size=50).map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_octets_are_refused(octets: bytes) -> None:
    Path("any.toml").write_bytes(octets)
    with pytest.raises(LabFileError):
        read_lab(Path("any.toml"))
