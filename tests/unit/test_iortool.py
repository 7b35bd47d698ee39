"""The command iortool: what it prints, what it says of broken references, and its exit status."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from iiop.exceptions.errors import ConnectFailed
from iiop_tools import cli, references
from iiop_tools.iortool import main
from ior import IORBuilder

GOOD = str(IORBuilder("IDL:TDsample/tdtest:1.0").iiop("vhost", 8002, key=b"a\0\\", version=(1, 2)).code_sets().build())
BROKEN = str(IORBuilder("IDL:b:1.0").profile(0, b"\0\1\2\0\0\0\0\x05h").iiop("ok", key=b"").build())
CORPUS = Path(__file__).parents[1] / "vectors" / "iors.jsonl"
COMMAND = [sys.executable, "-c", "import sys; from iiop_tools.iortool import main; sys.exit(main())"]

Stdin = Callable[[bytes], None]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Stdin:
    def give(octets: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))

    return give


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", GOOD]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.splitlines() == [
        'type id       "IDL:TDsample/tdtest:1.0"',
        "profile 1     TAG_INTERNET_IOP (0)",
        "  version     IIOP 1.2",
        "  host        vhost",
        "  port        8002",
        "  key hex     61005c (3 octets)",
        r"  key text    a\x00\\",
        "  component   TAG_CODE_SETS (1): char ISO-8859-1 (0x00010001), converts UTF-8 (0x05010001); wchar UTF-16 (0x00010109)",
    ]


def test_text_of_urls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "corbaloc:rir:", "corbaname::vhost:8002#a/b"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "corbaloc",
        "  address     rir:",
        "  key hex     4e616d6553657276696365 (11 octets)",
        "  key text    NameService",
        "",
        "corbaname",
        "  address     IIOP 1.0, host vhost, port 8002",
        "  key hex     4e616d6553657276696365 (11 octets)",
        "  key text    NameService",
        "  name        a/b",
    ]


def test_unknown_components_keep_their_octets(capsys: pytest.CaptureFixture[str]) -> None:
    ior = IORBuilder().iiop("h", key=b"").component(0x42454103, b"\1\2").component(99, b"").component(3, b"\0\0\0").build()
    assert main(["decode", str(ior)]) == 1
    output = capsys.readouterr()
    assert "  component   0x42454103 (BEA?): 0102 (2 octets)\n  component   0x63: (no octets)\n" in output.out
    assert "TAG_ALTERNATE_IIOP_ADDRESS (3): error: host.length at offset" in output.out
    assert "octets 000000 (3 octets)" in output.out
    assert "iortool: argument 1: profiles[0].components[2].host" in output.err


def test_what_was_broken_once_is_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json, told in (((), "error: host.length at offset"), (("--json",), '"error": {')):
        for _ in range(2):  # octets that are equal, and not the same
            ior = IORBuilder().iiop("h", key=b"").component(3, bytes(bytearray(3))).build()
            assert main(["decode", *as_json, str(ior)]) == 1
            assert told in capsys.readouterr().out


def test_nothing_in_a_reference_reaches_the_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    evil = IORBuilder("IDL:\x1b[2J\x9b:1.0").iiop("h\x1b]0;x\x07\n", key=b"\x1b").alternate("\x1b[1m").build()
    assert main(["decode", str(evil), "\x1b[31m", "corbaname::h#\x1b"]) == 1
    output = capsys.readouterr()
    for character in "\x1b\x07\x9b":
        assert character not in output.out + output.err


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--json", GOOD, "corbaname::vhost:8002#a"]) == 0
    first, second = rows(capsys)
    assert first == {
        "argument": 1,
        "kind": "IOR",
        "type_id": "IDL:TDsample/tdtest:1.0",
        "byte_order": "big",
        "profiles": [
            {
                "tag": 0,
                "name": "TAG_INTERNET_IOP",
                "version": "1.2",
                "host": "vhost",
                "port": 8002,
                "object_key": {"hex": "61005c", "text": "a\\x00\\\\", "recognised": None},
                "components": [
                    {
                        "tag": 1,
                        "name": "TAG_CODE_SETS",
                        "length": 24,
                        "hex": "000000000001000100000001050100010001010900000000",
                        "value": {
                            "for_char_data": {"native_code_set": 0x00010001, "conversion_code_sets": [0x05010001]},
                            "for_wchar_data": {"native_code_set": 0x00010109, "conversion_code_sets": []},
                        },
                        "text": "char ISO-8859-1 (0x00010001), converts UTF-8 (0x05010001); wchar UTF-16 (0x00010109)",
                    }
                ],
            }
        ],
        "errors": [],
    }
    assert second == {
        "argument": 2,
        "kind": "corbaname",
        "addresses": [{"protocol": "iiop", "version": "1.0", "host": "vhost", "port": 8002}],
        "object_key": {
            "hex": b"NameService".hex(),
            "text": "NameService",
            "recognised": {
                "vendor": "",
                "layout": "name",
                "guess": True,
                "parts": {"name": "NameService"},
                "text": 'name: name "NameService"',
            },
        },
        "name": "a",
        "errors": [],
    }


def test_keys_and_foreign_profiles_are_taken_apart(capsys: pytest.CaptureFixture[str]) -> None:
    references = [json.loads(line)["ior"] for line in CORPUS.read_text().splitlines()]
    assert main(["decode", references[42], references[29], "corbaloc::h/NameService"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert r'  key says    omniORB POA key: poa /, unique_id "\xe6<*;\x00\x00u`", object_id "\x00\x00\x00\x00"' in lines
    assert r'  says        version 1.0, 127.0.0.1:1025, key "eORB\x08\x00\x00A\xc60000"' in lines
    assert len([line for line in lines if "key says" in line]) == 1


def test_standard_input_one_a_line(stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    stdin(
        b"\xef\xbb\xbf# references of host1\r\n\r\n"
        + GOOD.encode()
        + b"\r\nIOR:000\n  \ncorbaloc::h/k\nIOR:\xff\n"
        + BROKEN.encode()
    )
    assert main(["decode", "--json", "-"]) == 1
    found = rows(capsys)
    assert [row["line"] for row in found] == [3, 4, 6, 7, 8]
    assert [row["kind"] for row in found] == ["IOR", None, "corbaloc", None, "IOR"]
    assert found[1]["errors"] == [
        {"type": "ReferenceFormatError", "reason": "odd number of hexadecimal digits (3)", "position": 7}
    ]
    assert found[1]["text"] == "IOR:000"
    (error,) = found[4]["errors"]
    assert (error["type"], error["path"], error["offset"]) == ("TruncatedError", "profiles[0].host", 40)
    assert [profile.get("host") for profile in found[4]["profiles"]] == [None, "ok"]


def test_a_bad_one_is_told_with_line_field_and_offset_and_the_rest_decode(
    stdin: Stdin, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(f"IOR:000\n{GOOD}\nIOR:0000000000000000\n{BROKEN}\n".encode())
    assert main(["decode", "-"]) == 1
    output = capsys.readouterr()
    assert output.out.count("type id") == 2
    assert "host        vhost" in output.out
    assert "host        ok" in output.out
    assert output.err.splitlines() == [
        "iortool: line 1: odd number of hexadecimal digits (3) (character 7 of 'IOR:000')",
        "iortool: line 3: type_id at offset 8: string of length 0 (the terminating NUL counts)",
        "iortool: line 4: profiles[0].host at offset 40: string needs 5 octets, 1 are left (octets here: 68)",
    ]


@pytest.mark.parametrize("octets", [b"", b"\n", b"# nothing\n\n"])
def test_no_reference_on_standard_input(octets: bytes, stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    stdin(octets)
    assert main(["decode", "-"]) == 2
    assert capsys.readouterr().err == "iortool: no reference on standard input\n"


def test_arguments_and_standard_input_together(stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    stdin(b"corbaloc::b/k\n")
    assert main(["decode", "--json", "corbaloc::a/k", "-", "corbaloc::c/k"]) == 0
    assert [row["addresses"][0]["host"] for row in rows(capsys)] == ["a", "b", "c"]


def test_a_line_without_end(stdin: Stdin, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "LONGEST_LINE", 64)
    stdin(b"IOR:" + b"0" * 1000 + b"\ncorbaloc::h/k\n")
    assert main(["decode", "--json", "-"]) == 1
    assert [(row["line"], row["kind"]) for row in rows(capsys)] == [(1, None), (2, "corbaloc")]


@pytest.mark.parametrize("arguments", [["decode"], ["decode", "--nonsense", "x"], ["nonsense"], []])
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "Usage: iortool" in output.err


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["decode", "--help"], ["--version"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "iortool" in capsys.readouterr().out


def test_the_whole_corpus(stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    references = [json.loads(line)["ior"] for line in CORPUS.read_text().splitlines()]
    stdin("\n".join(references).encode())
    assert main(["decode", "--json", "-"]) == 1
    found = rows(capsys)
    assert [row["line"] for row in found if row["errors"]] == [31]
    assert len(found) == len(references)
    stdin("\n".join(references).encode())
    assert main(["decode", "-"]) == 1
    output = capsys.readouterr()
    assert output.out.count("type id") == len(references)
    assert output.out.isascii()
    assert len(output.err.splitlines()) == 2


def test_broken_pipe_ends_quietly(tmp_path: Path) -> None:
    many = tmp_path / "references"
    many.write_text((GOOD + "\n") * 5000)
    with many.open("rb") as lines:
        process = subprocess.Popen([*COMMAND, "decode", "-"], stdin=lines, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            assert process.stdout.readline().startswith(b"type id")
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.wait(30) == 141


def test_broken_pipe_found_at_the_end() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [*COMMAND, "decode", "corbaloc::h/k"], stdout=closed, stderr=subprocess.PIPE, check=False, timeout=30
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_colours_on_a_terminal_only() -> None:
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment["TERM"] = "xterm"
    try:
        subprocess.run([*COMMAND, "decode", GOOD], stdout=theirs, env=environment, check=True, timeout=30)
        os.close(theirs)
        theirs = -1
        seen = b""
        while chunk := _read(ours):
            seen += chunk
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
    assert b"\x1b[" in seen
    assert b"vhost" in seen
    plain = subprocess.run([*COMMAND, "decode", GOOD], stdout=subprocess.PIPE, env=environment, check=True, timeout=30)
    assert b"\x1b" not in plain.stdout


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux: nobody holds the other side any more
        return b""


def test_completion(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_IORTOOL_COMPLETE", "bash_source")
    assert main([]) == 0
    assert "_iortool_completion" in capsys.readouterr().out


# --- what every command of ours shares --------------------------------------------------------------------------------


def run_raising(error: BaseException, *arguments: str) -> int:
    @click.command()
    @cli.debug_option
    def tool() -> None:
        raise error

    return cli.run(tool, arguments, name="tool")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConnectFailed("vhost:8002 refused"), 1, "tool: vhost:8002 refused\n"),
        (FileNotFoundError(2, "No such file or directory", "x.ior"), 2, "tool: x.ior: No such file or directory\n"),
        (click.UsageError("no"), 2, "Usage: tool [OPTIONS]\nTry 'tool --help' for help.\n\nError: no\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
        (click.exceptions.Exit(1), 1, ""),
        (RuntimeError("oops"), 70, "tool: internal error: RuntimeError: oops (--debug shows more; please report this)\n"),
    ],
)
def test_errors_become_one_line_and_an_exit_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "dup2", lambda *_: 0)  # standard output is pytest's
    assert run_raising(error) == code
    output = capsys.readouterr()
    assert output.err == line
    assert output.out == ""


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_raising(ConnectFailed("refused"), "--debug") == 1
    output = capsys.readouterr().err
    assert output.startswith("Traceback")
    assert output.endswith("tool: refused\n")
