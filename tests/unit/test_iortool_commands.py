"""The commands of iortool that never touch the network, from outside: output, exit status, bad input."""

from __future__ import annotations

import json
import os
import pty
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from iiop_tools.iortool import COMMANDS, main
from ior import IOR, IORBuilder

CORPUS = [json.loads(line)["ior"] for line in (Path(__file__).parents[1] / "vectors" / "iors.jsonl").read_text().splitlines()]
GOOD = str(IORBuilder("IDL:A:1.0").iiop("vhost", 8002, key=b"k").code_sets().build())
COMMAND = [sys.executable, "-c", "import sys; from iiop_tools.iortool import main; sys.exit(main())"]

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    return capsys.readouterr().out


def rows(capsys: Capture, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(capsys, *arguments, "--json", code=code).splitlines()]


# --- input ------------------------------------------------------------------------------------------------------------


def test_files_of_references(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "refs"
    file.write_text(f"# two\n{GOOD}\n\ncorbaloc::h/k\n")
    assert [(row["file"], row["line"], row["kind"]) for row in rows(capsys, "decode", str(file))] == [
        (str(file), 2, "IOR"),
        (str(file), 4, "corbaloc"),
    ]


def test_a_broken_line_of_a_file_is_told_with_its_place(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "refs"
    file.write_text(f"{GOOD}\nIOR:00\n")
    assert main(["decode", str(file)]) == 1
    output = capsys.readouterr()
    assert "vhost" in output.out
    assert output.err.startswith(f"iortool: {file} line 2: ")


@pytest.mark.parametrize("command", [["decode"], ["check"], ["rewrite", "--port", "1"], ["convert", "ior"]])
def test_what_is_no_file_of_references(command: list[str], tmp_path: Path, capsys: Capture) -> None:
    binary, empty = tmp_path / "binary", tmp_path / "empty"
    binary.write_bytes(bytes(range(256)) * 40)
    empty.write_bytes(b"")
    for name in (tmp_path, binary, empty, tmp_path / "missing"):
        assert main([*command, str(name)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("iortool: argument 1: ")
        assert str(name) in line
        assert main([*command, GOOD, str(name)]) == 1
        assert capsys.readouterr().out


@pytest.mark.parametrize(("given", "shown"), [("account.oir", "account.oir"), ("", ""), ("9" * 300, "9" * 64 + "...")])
def test_what_is_neither_reference_nor_file(given: str, shown: str, capsys: Capture) -> None:
    assert main(["decode", given]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    expected = f"{shown!r}: there is no such file, and references begin with IOR:, corbaloc: or corbaname:"
    assert line == f"iortool: argument 1: {expected}"


def nested(lists: int) -> bytes:
    """Return a list of mechanisms in a list of mechanisms, and so on, which nothing of ours writes."""
    octets = b""
    for _ in range(lists):
        octets = struct.pack(">IIHHII", 0, 1, 64, 0, 33, len(octets)) + octets + bytes(-len(octets) % 4) + bytes(28)
    return octets


@pytest.mark.parametrize(
    "command",
    [["decode"], ["decode", "--explain"], ["decode", "--catior"], ["check"], ["rewrite", "--port", "1"], ["diff", GOOD]],
    ids=" ".join,
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_stands_in_itself_without_end(command: list[str], as_json: bool, capsys: Capture) -> None:
    deep = str(IORBuilder("IDL:A:1.0").iiop("vhost", 8002, key=b"k").component(33, nested(2000)).build())
    code = main([*command, *(["--json"] if as_json and "--catior" not in command else []), deep])
    output = capsys.readouterr()
    assert code == (0 if command[0] == "rewrite" else 1)
    assert output.out
    assert "internal" not in output.err
    assert "None" not in output.out + output.err


@pytest.mark.parametrize("command", [["decode"], ["check"], ["minor"]])
def test_standard_input_that_is_closed_or_empty(command: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main([*command, "-"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "Error: standard input is closed"
    with open(os.devnull, encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main([*command, "-"]) == 2
    assert "on standard input" in capsys.readouterr().err


def test_output_that_is_closed() -> None:
    done = subprocess.run(["/bin/sh", "-c", '"$@" >&-', "sh", *COMMAND, "decode", GOOD], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_file_whose_first_line_is_damaged(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "refs"
    file.write_text(f"{GOOD[1:]}\n{GOOD}\n")
    assert main(["convert", "ior", str(file)]) == 1
    output = capsys.readouterr()
    assert output.out == GOOD + "\n"
    assert output.err.startswith(f"iortool: {file} line 1: ")


def test_octets_that_are_no_text_are_told_once_escaped(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "refs"
    file.write_bytes(b"corbaloc::h\xff/k\n")
    assert main(["decode", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "line 1: '\\udcff' cannot stand in a host name" in line
    assert "\\\\" not in line


@pytest.mark.parametrize("command", [["check"], ["rewrite", "--port", "1"], ["convert", "corbaloc"], ["ping"]])
def test_what_is_wrong_has_its_row_with_json(command: list[str], capsys: Capture) -> None:
    nil = str(IORBuilder().build())
    assert main([*command, "--json", "IOR:00", "corbaloc:rir:/x", nil]) == 1
    output = capsys.readouterr()
    found = [json.loads(line) for line in output.out.splitlines()]
    assert output.err == ""
    assert {row["argument"] for row in found} == {1, 2, 3}
    assert found[0]["text"] == "IOR:00"
    ((error,),) = [row["errors"] for row in found if row["argument"] == 1]
    assert (error["type"], error["offset"]) == ("TruncatedError", 4)


def test_diff_names_the_argument_that_cannot_be_read(capsys: Capture) -> None:
    for number, pair in enumerate((("IOR:00", GOOD), (GOOD, "IOR:00")), 1):
        assert main(["diff", *pair]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"iortool: argument {number}: ")


FLIPPED = ("decode", "decode --explain", "decode --catior", "decode --json", "check", "rewrite --host x", "convert corbaloc")


@pytest.mark.parametrize("command", [each.split() for each in FLIPPED], ids=" ".join)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.sampled_from(CORPUS), some.data())
def test_any_flipped_octet_is_told_in_lines(command: list[str], capsys: Capture, text: str, data: some.DataObject) -> None:
    octets = bytearray(bytes.fromhex(text[4:]))
    at = data.draw(some.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(some.integers(1, 255))
    assert main([*command, f"IOR:{octets.hex()}"]) in (0, 1, 2)
    output = capsys.readouterr()
    assert "Traceback" not in output.err
    assert all(line.startswith("iortool: argument 1: ") for line in output.err.splitlines())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.text(min_size=1))
def test_any_text_is_told_in_one_line(capsys: Capture, text: str) -> None:
    text = "x" + text  # no option, and `-` is standard input
    assert main(["decode", text]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.split("\n")) == 2
    assert output.err.isascii()


def test_each_command_has_help_and_completes(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COMMANDS:
        assert "Usage: iortool" in run(capsys, name, "--help")
    monkeypatch.setenv("_IORTOOL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "iortool re")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert main([]) == 0
    assert capsys.readouterr().out.split() == ["plain,rewrite"]


@pytest.mark.parametrize("words", ["decode", "diff x", "convert ior", "ping --all"])
def test_names_of_files_complete_as_references(words: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_IORTOOL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"iortool {words} acc")
    monkeypatch.setenv("COMP_CWORD", str(1 + len(words.split())))
    assert main([]) == 0
    assert capsys.readouterr().out.split() == ["file,acc"]


# --- decode -----------------------------------------------------------------------------------------------------------


def test_explain(capsys: Capture) -> None:
    lines = run(capsys, "decode", "--explain", GOOD).splitlines()
    assert lines[0].split() == ["offset", "length", "octets", "field", "=", "value"]
    assert lines[1].split() == ["0", "1", "00", "byte_order", "=", "big"]
    (port,) = (line for line in lines if ".port " in line)
    assert port.split() == ["2e", "2", "1f", "42", "profiles[0].profile_data.port", "=", "8002"]
    for text in CORPUS:
        main(["decode", "--explain", text])
        dumped = "".join(re.sub(" ", "", line[17:64]) for line in capsys.readouterr().out.splitlines()[1:])
        assert dumped == text[4:].lower()


def test_what_cannot_be_read_as_json(capsys: Capture) -> None:
    (row,) = rows(capsys, "decode", "/", code=2)
    assert row["errors"] == [{"type": "IIOPError", "reason": "/: Is a directory"}]


def test_explain_as_json(capsys: Capture) -> None:
    (row,) = rows(capsys, "decode", "--explain", GOOD)
    assert "".join(each["hex"] for each in row["octets"]) == GOOD[4:]
    assert {"offset": 46, "length": 2, "hex": "1f42", "field": "profiles[0].profile_data.port"}.items() <= next(
        each for each in row["octets"] if each["text"] == "8002"
    ).items()


def test_catior_stands_alone(capsys: Capture) -> None:
    run(capsys, "decode", "--catior", "--json", GOOD, code=2)
    outside = str(IORBuilder("IDL:é:1.0").build())
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COMMAND, "decode", "--catior", outside], capture_output=True, check=True, text=True, env=env)
    assert done.stdout.splitlines()[0] == r'Type ID: "IDL:\xe9:1.0"'
    assert run(capsys, "decode", "--catior", GOOD).startswith('Type ID: "IDL:A:1.0"\nProfiles:\n1. IIOP 1.2 vhost 8002 "k"\n')


# --- check and diff ---------------------------------------------------------------------------------------------------


def test_check(capsys: Capture) -> None:
    assert run(capsys, "check", GOOD) == "argument 1: nothing is wrong\n"
    loopback = str(IORBuilder("IDL:A:1.0").iiop("127.0.0.1", 0, key=b"k").code_sets().build())
    found = rows(capsys, "check", loopback, code=1)
    assert [(row["severity"], row["code"], row["path"]) for row in found] == [
        ("warning", "loopback-host", "profiles[0]"),
        ("error", "port-0", "profiles[0]"),
    ]
    assert "port-0" in run(capsys, "check", loopback, code=1)
    private = str(IORBuilder("IDL:A:1.0").iiop("10.0.0.1", 1, key=b"k").code_sets().build())
    assert "private-host" in run(capsys, "check", private)
    assert rows(capsys, "check", GOOD) == [{"argument": 1, "code": None}]


def test_check_of_urls(capsys: Capture) -> None:
    assert [row["code"] for row in rows(capsys, "check", "corbaloc:iiop:1.2@localhost:1/k", code=1)] == ["loopback-host"]
    assert [row["code"] for row in rows(capsys, "check", "corbaname::vhost#a")] == ["version-1.0"]
    assert main(["check", "corbaloc:rir:/x"]) == 1
    assert "only an ORB can resolve" in capsys.readouterr().err


def test_check_resolves_only_if_asked(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.10 vhost\n")
    monkeypatch.setenv("IIOP_HOSTS", str(tmp_path / "missing"))
    assert rows(capsys, "check", GOOD) == [{"argument": 1, "code": None}]
    (row,) = rows(capsys, "check", "--resolve", "--hosts", str(hosts), GOOD, code=1)
    assert (row["code"], row["message"]) == ("loopback-host", "vhost is 127.0.0.10, which is this machine for every client")


@pytest.mark.parametrize("command", [["check", "--resolve"], ["ping"]])
def test_a_file_of_hosts_that_is_none(command: list[str], tmp_path: Path, capsys: Capture) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF\x80\x90")
    for name in (binary, tmp_path, tmp_path / "missing"):
        assert main([*command, "--hosts", str(name), GOOD]) == 2
        assert str(name) in capsys.readouterr().err.splitlines()[-1]


def test_comments_of_a_file_of_hosts_may_be_in_any_code_set(tmp_path: Path, capsys: Capture) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_bytes("127.0.0.10 vhost  # 仮想ホスト\n".encode("euc-jp"))
    (row,) = rows(capsys, "check", "--resolve", "--hosts", str(hosts), GOOD, code=1)
    assert row["code"] == "loopback-host"


def test_check_never_asks_a_resolver_unless_told() -> None:
    asking = str(IORBuilder("IDL:A:1.0").iiop("no.such.host.invalid", 1, key=b"k").code_sets().build())
    program = "import socket, sys; socket.getaddrinfo = None; from iiop_tools.iortool import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program, "check", asking], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "argument 1: nothing is wrong\n")


def test_diff(capsys: Capture) -> None:
    other = str(IORBuilder("IDL:A:1.0").iiop("node2", 8002, key=b"k").code_sets().alternate("x", 1).build())
    assert rows(capsys, "diff", GOOD, other, code=1) == [
        {"aspect": "host", "a": "vhost", "b": "node2", "profile": 0, "path": "profiles[0].host"},
        {
            "aspect": "components",
            "a": "none",
            "b": "TAG_ALTERNATE_IIOP_ADDRESS (3) x:1",
            "profile": 0,
            "path": "profiles[0].components[TAG_ALTERNATE_IIOP_ADDRESS]",
        },
    ]
    assert run(capsys, "diff", GOOD, other, code=1).splitlines()[0].split() == ["path", "a", "b"]
    assert (
        run(capsys, "diff", "--ignore", "host", "--ignore", "components", GOOD, other) == "they say the same, in other octets\n"
    )
    assert run(capsys, "diff", GOOD, GOOD) == "they say the same\n"
    run(capsys, "diff", GOOD, "IOR:00", code=2)
    run(capsys, "diff", GOOD, "corbaloc:rir:", code=2)
    assert [row["aspect"] for row in rows(capsys, "diff", "corbaname::h#a", "corbaname::h#b", code=1)] == ["name"]


# --- build, rewrite, convert ------------------------------------------------------------------------------------------


def test_build(capsys: Capture) -> None:
    text = run(capsys, "build", "vhost", "--type-id", "IDL:A:1.0", "--key", "k").strip()
    assert text == GOOD
    options = ["--key-hex", "00ff", "--alternate", "[::1]:9", "--tls-port", "8003", "--orb-type", "0x464a0000", "--little-endian"]
    (row,) = rows(capsys, "build", "h:1", *options, "--char", "UTF-8,0x10040003", "--wchar", "UTF-16,UTF-8")
    (profile,) = row["profiles"]
    assert (row["byte_order"], profile["host"], profile["port"], profile["object_key"]["hex"]) == ("little", "h", 1, "00ff")
    assert [component["name"] for component in profile["components"]] == [
        "TAG_ORB_TYPE",
        "TAG_CODE_SETS",
        "TAG_ALTERNATE_IIOP_ADDRESS",
        "TAG_SSL_SEC_TRANS",
    ]
    assert profile["components"][1]["value"]["for_char_data"]["conversion_code_sets"] == [0x10040003]
    assert [str(each) for each in IOR.from_string(row["text"]).endpoints()] == ["h:1", "[::1]:9", "h:8003 (TLS)"]
    (required,) = rows(capsys, "build", "h", "--tls-port", "8003", "--tls-required", "--no-code-sets")
    assert [str(each) for each in IOR.from_string(required["text"]).endpoints()] == ["h:8003 (TLS)"]
    assert IOR.from_string(run(capsys, "build", "h", "--iiop-version", "1.0").strip()).profiles[0].components == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ["a b"],
        ["h:99999"],
        ["h,:i"],
        ["h/k"],
        [""],
        ["h", "--key", "%"],
        ["h", "--key-hex", "0"],
        ["h", "--key", "a", "--key-hex", "00"],
        ["h", "--char", "nonsense"],
        ["h", "--char", "-1"],
        ["h", "--orb-type", "x"],
        ["h", "--tls-required"],
        ["h", "--tls-port", "0"],
        ["h", "--alternate", "?"],
    ],
)
def test_build_refuses(arguments: list[str], capsys: Capture) -> None:
    assert main(["build", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "Error: " in output.err


def test_build_without_place_for_components(capsys: Capture) -> None:
    assert main(["build", "h", "--iiop-version", "1.0", "--alternate", "i"]) == 1
    assert "no place for components" in capsys.readouterr().err


def test_rewrite(tmp_path: Path, capsys: Capture) -> None:
    rules = tmp_path / "nat"
    rules.write_text("# outside\nvhost:8002 nat:18002\n")
    old = str(IORBuilder("IDL:A:1.0").iiop("vhost", 8002, key=b"k").alternate("b", 8002).tls(8003).iiop("c", 1, key=b"k").build())

    def places(*options: str) -> list[str]:
        (row,) = rows(capsys, "rewrite", *options, old)
        return [str(each) for each in IOR.from_string(row["text"]).endpoints()]

    assert places("--host", "x") == ["x:8002", "x:8003 (TLS)", "x:1"]
    assert places("--port", "7", "--tls-port", "8") == ["vhost:7", "b:7", "vhost:8 (TLS)", "c:7"]
    assert places("--map-file", str(rules), "--map", "c=d") == ["nat:18002", "b:8002", "nat:8003 (TLS)", "d:1"]
    assert places("--order", "2") == ["c:1", "vhost:8002", "b:8002", "vhost:8003 (TLS)"]
    assert places("--host", "[::1]", "--order", "2,1")[0] == "[::1]:1"
    (row,) = rows(capsys, "rewrite", "--key", "a%00", "--type-id", "IDL:B:1.0", old)
    assert (row["type_id"], row["profiles"][1]["object_key"]["hex"]) == ("IDL:B:1.0", "6100")
    assert run(capsys, "rewrite", "--host", "vhost", GOOD) == GOOD + "\n"
    assert run(capsys, "rewrite", "--host", "x", "--port", "1", "corbaname::h#a") == "corbaname:iiop:1.0@x:1/NameService#a\n"
    assert run(capsys, "rewrite", "--host", "x", "corbaloc:ssliop:h:1/k") == "corbaloc:ssliop:1.2@x:1/k\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--host", "a b"],
        ["--host", ""],
        ["--port", "65536"],
        ["--order", "a"],
        ["--order", "1,,2"],
        ["--map", "a"],
        ["--map", "a:1=b"],
        ["--map-file", "/nonexistent"],
        ["--key", "%"],
    ],
)
def test_rewrite_refuses(arguments: list[str], capsys: Capture) -> None:
    assert main(["rewrite", *arguments, GOOD]) == 2
    assert "Error: " in capsys.readouterr().err


def test_rewrite_of_what_has_no_such_profile(capsys: Capture) -> None:
    assert main(["rewrite", "--order", "2", GOOD]) == 1
    assert "1 to 1" in capsys.readouterr().err


def test_convert(capsys: Capture) -> None:
    location = run(capsys, "convert", "corbaloc", GOOD).strip()
    assert location == "corbaloc:iiop:1.2@vhost:8002/k"
    assert run(capsys, "convert", "corbaname", "--name", "a b/c.d", GOOD) == "corbaname:iiop:1.2@vhost:8002/k#a%20b/c.d\n"
    made = run(capsys, "convert", "ior", "--type-id", "IDL:A:1.0", location, "corbaname::h").splitlines()
    assert [IOR.from_string(text).type_id for text in made] == ["IDL:A:1.0"] * 2
    assert run(capsys, "convert", "ior", GOOD) == GOOD + "\n"
    assert run(capsys, "convert", "corbaloc", "corbaname::h") == "corbaloc:iiop:1.0@h:2809/NameService\n"
    assert main(["convert", "ior", "corbaname::h#a", GOOD]) == 1
    output = capsys.readouterr()
    assert output.out == GOOD + "\n"
    assert "nstool resolve" in output.err
    for arguments in (["corbaloc", "--type-id", "x"], ["ior", "--name", "x"], ["xml"]):
        run(capsys, "convert", *arguments, GOOD, code=2)


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["0x464a0114", "0X464A0114", "1179255060"])
def test_minor(code: str, capsys: Capture) -> None:
    (row,) = rows(capsys, "minor", code)
    assert (row["exceptions"], row["vendor"], row["name"]) == (["COMM_FAILURE"], "Fujitsu", "IPCOM_ERROR")
    assert "Naming Service" in row["advice"]
    text = run(capsys, "minor", code)
    for part in ("0x464a0114 (1179255060)", "COMM_FAILURE", "Fujitsu", "meaning ", "what to do "):
        assert part in text


def test_minor_of_several_exceptions(capsys: Capture) -> None:
    found = rows(capsys, "minor", "0x4f4d0001")
    assert len(found) > 10
    assert all(row["advice"] for row in found)
    assert {"OBJECT_NOT_EXIST", "TRANSIENT"} <= {name for row in found for name in row["exceptions"]}
    (one,) = rows(capsys, "minor", "--exception", "transient", "0x4f4d0001")
    assert one["exceptions"] == ["TRANSIENT"]
    assert rows(capsys, "minor", "10007")[0]["exceptions"] == []


def test_minor_that_is_not_known(capsys: Capture) -> None:
    assert [(row["vendor"], row["name"]) for row in rows(capsys, "minor", "0x464a0fff")] == [("Fujitsu", None)]
    assert [(row["vendor"], row["name"]) for row in rows(capsys, "minor", "0x12345678", code=1)] == [(None, None)]
    for wrong in ("x", "0x100000000", "1.5"):
        assert main(["minor", wrong]) == 2
    run(capsys, "minor", "1", "--exception", "NONSENSE", code=2)


def test_codesets(capsys: Capture) -> None:
    every = rows(capsys, "codesets")
    assert len(every) > 100
    (one,) = rows(capsys, "codesets", "0x05010001")
    assert (one["name"], one["codec"], one["interstage"]) == ("UTF-8", "utf-8", "UTF8")
    assert run(capsys, "codesets", "fujitsu-r90").splitlines()[1].startswith("0x10040003  Fujitsu-R90")
    run(capsys, "codesets", "nonsense", code=1)


def test_tags(capsys: Capture) -> None:
    found = {(row["kind"], row["number"]): row for row in rows(capsys, "tags")}
    assert found["component", 33]["name"] == "TAG_CSI_SEC_MECH_LIST"
    assert found["profile", 0]["decoded"] == "yes"
    assert found["component", 0x41545403]["vendor"] == "omniORB"
    assert {row["kind"] for row in rows(capsys, "tags", "1")} == {"profile", "component", "service context"}
    run(capsys, "tags", "nonsense", code=1)


def test_tables_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm", "COLUMNS": "120"}
    try:
        subprocess.run([*COMMAND, "tags", "ssl"], stdout=theirs, env=environment, check=True, timeout=30)
        os.close(theirs)
        theirs = -1
        seen = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux: nobody holds the other side any more
                break
            if not chunk:
                break
            seen += chunk
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
    assert b"\x1b[" in seen
    assert "┃".encode() in seen
    assert b"TAG_SSL_SEC_TRANS" in seen


def test_minor_0_says_nothing(capsys: Capture) -> None:
    assert "says no more than the exception" in run(capsys, "minor", "0")
    (row,) = rows(capsys, "minor", "0", "--exception", "OBJECT_NOT_EXIST")
    assert "resolve" in row["advice"]
