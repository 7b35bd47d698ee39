"""The command `giopdump`: input that cannot be read, files that grow, standard input, terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iiop.exceptions import UnknownUserException
from iiop.giop.messages import (
    Body,
    Reply,
    ReplyStatus,
    Request,
    key_address,
)
from iiop.iop import SERVICE_CONTEXTS, ServiceContext
from iiop.limits import DEFAULT_LIMITS
from iiop.service_contexts import EstablishContext, IdentityToken, IdentityTokenType, SASContextBody
from iiop_tools.giopdump.command import main
from iiop_tools.giopdump.conversations import Connection, Seen
from iiop_tools.giopdump.cutting import Cut
from iiop_tools.giopdump.declared import Said
from iiop_tools.giopdump.summary import ENDINGS, LONGEST, ROWS, Summary
from tests.giopdump.conversation import TREE, conversation, rows, timed
from tests.giopdump.test_conversations import Wire
from tests.packets import RAW, ip, pcap, pcapng


def unread(pipe: int) -> int:
    """Return how many octets are in a pipe."""
    count: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    return count


# --- input that cannot be read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b""), "bad.pcap: empty"),
        (lambda path: path.write_bytes(b"no capture at all, but some text"), "bad.pcap: not a capture: it begins with 6e6f2063"),
        (lambda path: path.mkdir(), "bad.pcap: Is a directory"),
        (lambda path: None, "bad.pcap: No such file or directory"),
    ],
)
def test_nothing_can_be_read(
    make: Callable[[Path], object], says: str, tmp_path: Path, capture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "bad.pcap")
    bad = str(tmp_path / "bad.pcap")
    assert main([bad]) == 2
    assert capsys.readouterr() == ("", f"giopdump: {tmp_path}/{says}\n")
    assert main(["--json", bad, capture]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 17
    assert err == f"giopdump: {tmp_path}/{says}\n"


def test_a_file_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("bad.pcap")  # not even root may open it
    assert main(["bad.pcap"]) == 2
    assert capsys.readouterr() == ("", "giopdump: bad.pcap: No such device or address\n")


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_capture_that_is_cut_keeps_what_was_before(
    make: Callable[..., bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(make(timed(conversation()), RAW)[:-500])
    assert main([str(path)]) == 1
    out, err = capsys.readouterr()
    assert 10 < len(out.splitlines()) < 17
    assert err.startswith(f"giopdump: {path}: cut within a packet: ")
    assert err.count("\n") == 1


def test_truncated_packets_and_fragments_of_ip_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "short.pcap"
    packets = [packet[:100] for packet in conversation()]
    packets.insert(5, ip("10.0.0.1", "10.0.0.2", bytes(30), fragment=0x2000))
    path.write_bytes(pcap(timed(packets), RAW))
    assert main([str(path)]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 17
    assert " resolve " in out.splitlines()[2]
    assert "! only 60 of its octets were captured" in out.splitlines()[2]
    assert "packets are cut short in the capture" in err.splitlines()[0]
    assert err.splitlines()[1:] == ["giopdump: 1 IP fragments were passed over"]


def test_no_giop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.pcap"
    path.write_bytes(pcap(timed([Wire().says(b"GET / HTTP/1.1\r\n\r\n")]), RAW))
    assert main([str(path)]) == 1
    assert capsys.readouterr() == ("", "giopdump: no GIOP in 1 packets\n")
    assert main(["--port", "1", str(path)]) == 1
    assert capsys.readouterr() == ("", "giopdump: no GIOP in 1 packets, looked for on port 1\n")
    path.write_bytes(pcap([], RAW))
    assert main([str(path)]) == 1
    assert capsys.readouterr() == ("", "giopdump: no GIOP in 0 packets\n")


def test_names_that_would_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "escape.pcap"
    message = Request(1, "\x1b[2J\nname", key_address(b"\x1b[2J"))
    path.write_bytes(pcap(timed([Wire().says(message)]), RAW))
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 1


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_octets_changed_are_no_bug(capture: str, capsys: pytest.CaptureFixture[str], data: st.DataObject) -> None:
    octets = bytearray(Path(capture).read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    path = Path(capture).with_name("changed.pcap")
    path.write_bytes(octets)
    ways = [[], ["-x"], ["--json"], ["--summary"], ["--html", f"{capture}.html"]]
    assert main([*data.draw(st.sampled_from(ways)), str(path)]) in (0, 1, 2)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert (out + err).replace("\n", "").isprintable()


def test_passwords_in_service_contexts_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = EstablishContext(0, (), IdentityToken(IdentityTokenType.ITTAbsent, True), b"very secret")
    context = ServiceContext(15, SERVICE_CONTEXTS.encode(15, SASContextBody(0, token)))
    path = tmp_path / "sas.pcap"
    path.write_bytes(pcap(timed([Wire().says(Request(1, "ping", TREE, service_context=(context,)))]), RAW))
    (found,) = rows(capsys, str(path))
    assert found["service_contexts"][0]["value"]["value"]["client_context_id"] == 0
    assert b"very secret".hex() not in json.dumps(found)


def test_large_requests_are_not_kept_until_their_replies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wire, path = Wire(), tmp_path / "large.pcap"
    packets = [wire.says(Request(1, "store", TREE, body=Body(bytes(60_000)))), wire.says(Reply(1), by_client=False)]
    path.write_bytes(pcap(timed(packets), RAW))
    request, reply = rows(capsys, str(path))
    assert request["size"] > 60_000
    assert (reply["operation"], reply["target"], reply["latency"]) == ("store", "NameService", 0.0015)


def test_a_summary_has_no_more_than_so_many_rows() -> None:
    summary = Summary()
    for number in range(ROWS + 10):
        message = Request(number, f"operation{number}", TREE)
        connection = Connection(bytes(12), DEFAULT_LIMITS)
        summary.add(Seen(number, connection, True, Cut(0, 0, None, b"", 0), message, None, ""), Said())
    assert len(summary.rows()) == ROWS + 1
    assert summary.rows()[0][1].calls == 10


def test_a_summary_has_no_more_than_so_many_endings_and_no_long_names() -> None:
    summary = Summary()
    connection = Connection(bytes(12), DEFAULT_LIMITS)
    request = Seen(1, connection, True, Cut(0, 0, None, b"", 0), Request(1, "o" * 5000, TREE), None, "")
    for number in range(ENDINGS + 10):
        raised = Said(exception=UnknownUserException(f"IDL:{number}{'e' * 5000}:1.0", b""))
        reply = Reply(1, ReplyStatus.USER_EXCEPTION)
        summary.add(Seen(2, connection, False, Cut(0, 1, None, b"", 0), reply, request, ""), raised)
    ((key, calls),) = summary.rows()
    for each in (calls, summary.total):
        assert len(each.endings) == ENDINGS + 1
        assert each.endings["(others)"] == 10
        assert each.errors == each.endings.total() == ENDINGS + 10
    assert max(map(len, (key.operation, *calls.endings))) < LONGEST + 20


@pytest.mark.parametrize(
    "options",
    [
        ["--follow", "a", "b"],
        ["--parquet", "p", "--json", "a"],
        [],
        ["--min-latency", "-1", "a"],
        ["--min-latency", "nan", "a"],
        ["--connection", "0", "a"],
    ],
)
def test_wrong_use(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options) == 2
    assert "Usage" in capsys.readouterr().err


# --- files that grow, standard input, terminals -----------------------------------------------------------------------

PROGRAM = [sys.executable, "-c", "import sys; from iiop_tools.giopdump.command import main; sys.exit(main())"]


def test_standard_input(capture: str) -> None:
    done = subprocess.run([*PROGRAM, "-"], input=Path(capture).read_bytes(), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 17


def test_standard_input_is_shown_as_it_comes(capture: str) -> None:
    octets = Path(capture).read_bytes()
    with subprocess.Popen([*PROGRAM, "--json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(octets[:800])
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["number"] == 1
        process.stdin.write(octets[800:])
        process.stdin.close()
        assert len(process.stdout.readlines()) == 16
        assert process.wait(30) == 0


def test_follow_until_interrupted(capture: str, tmp_path: Path) -> None:
    octets, path = Path(capture).read_bytes(), tmp_path / "growing.pcap"
    path.write_bytes(octets[:10])
    with subprocess.Popen([*PROGRAM, "--json", "-f", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        with path.open("ab") as file:
            file.write(octets[10:800])
            file.flush()
            assert json.loads(process.stdout.readline())["number"] == 1
            file.write(octets[800:])
        numbers = [json.loads(process.stdout.readline())["number"] for _ in range(16)]
        assert numbers == list(range(2, 18))
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b""
        assert process.stderr.read() == b""
        assert process.wait(30) == 130


def test_ctrl_c_shows_what_is_known(capture: str) -> None:
    with subprocess.Popen([*PROGRAM, "--summary", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(Path(capture).read_bytes())
        process.stdin.flush()
        # It has taken all of it when the pipe is empty; then it waits for more.
        while unread(process.stdin.fileno()):
            pass
        process.send_signal(signal.SIGINT)
        out = process.stdout.read().decode()
        assert process.wait(30) == 130
    assert out.startswith("OPERATION")
    assert "\nall" in out


@pytest.mark.parametrize("change", ["truncated", "replaced"])
def test_follow_to_the_file_that_has_the_name_now(change: str, capture: str, tmp_path: Path) -> None:
    path = tmp_path / "growing.pcap"
    path.write_bytes(Path(capture).read_bytes())
    with subprocess.Popen([*PROGRAM, "--json", "-f", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        numbers = [json.loads(process.stdout.readline())["number"] for _ in range(17)]
        if change == "truncated":
            os.truncate(path, 0)
        else:
            path.rename(tmp_path / "growing.pcap.1")
            path.write_bytes(b"")
        assert process.stderr.readline().endswith(b"that one follows\n")
        other = Wire(client=("10.0.0.3", 5))
        with path.open("ab") as file:
            file.write(pcap(timed([other.says(Request(1, "ping", TREE))]), RAW))
        numbers.append(json.loads(process.stdout.readline())["number"])
        assert numbers == list(range(1, 19))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143


def test_a_full_disk_is_not_the_fault_of_the_capture(capture: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM, capture, capture], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (2, b"giopdump: standard output: No space left on device\n")


def test_standard_input_that_is_closed() -> None:
    done = subprocess.run(["sh", "-c", '"$@" - <&-', "sh", *PROGRAM], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, b"giopdump: -: Bad file descriptor\n")


def test_progress_and_colours_on_a_terminal(capture: str) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run([*PROGRAM, "--summary", capture], stdout=subprocess.PIPE, stderr=theirs, timeout=60)
        assert done.returncode == 0
        assert b"kB" in os.read(ours, 65536)
        assert subprocess.run([*PROGRAM, "--status", "COMM_FAILURE", capture], stdout=theirs, timeout=60).returncode == 0
        assert b"\x1b[31m" in os.read(ours, 65536)
        plain = os.environ | {"NO_COLOR": "1"}
        assert (
            subprocess.run([*PROGRAM, "--status", "COMM_FAILURE", capture], stdout=theirs, env=plain, timeout=60).returncode == 0
        )
        shown = os.read(ours, 65536)
        assert b"COMM_FAILURE" in shown
        assert b"\x1b" not in shown
    finally:
        os.close(ours)
        os.close(theirs)
