"""The command `giopdump`: what it prints, and what it says of input that it cannot read."""

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
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iiop.cdr.code_sets import Negotiated
from iiop.cdr.speech import PLAIN, server_speeches
from iiop.exceptions import COMM_FAILURE, CompletionStatus
from iiop.giop.messages import (
    Body,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    ReplyStatus,
    Request,
    exception_body,
    key_address,
)
from iiop.idl import Operation
from iiop.iop import IOR_CODEC, SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.limits import DEFAULT_LIMITS
from iiop.profile import BiDirIIOPServiceContext, CodeSetContext, ListenPoint
from iiop.service_contexts import EstablishContext, IdentityToken, IdentityTokenType, SASContextBody
from iiop_tools.giopdump.command import main
from iiop_tools.giopdump.conversations import Connection, Seen
from iiop_tools.giopdump.cutting import Cut
from iiop_tools.giopdump.declared import Said
from iiop_tools.giopdump.summary import ROWS, Summary
from ior import IOR, IORBuilder
from naming.interfaces import BindingIterator, NamingContextExt
from naming.types import Binding, BindingType, NameComponent, NotFound, NotFoundReason
from tests.giopdump.test_conversations import Wire
from tests.packets import ACK, FIN, RAW, ip, pcap, pcapng

SECOND = 10**9
START = 1_700_000_000 * SECOND
NAME = (NameComponent("account", "kind"), NameComponent("a/b"))
ACCOUNT = IORBuilder("IDL:Bank/Account:1.0").iiop("vhost", 8002, key=b"account").build().to_iop()
TREE = key_address(b"NameService")
SPEECH = server_speeches(Negotiated(0x05010001, 0x00010109))[2]
TEXT = r"account.kind/a\/b"


def operation(name: str, interface: type = NamingContextExt) -> Operation:
    found: Operation = interface.operations()[name]
    return found


def called(number: int, name: str, *arguments: Any, interface: type = NamingContextExt, **members: Any) -> Request:
    body = Body.of(operation(name, interface).arguments, arguments, SPEECH)
    return Request(number, name, TREE, body=body, **members)


def returned(number: int, name: str, *results: Any, interface: type = NamingContextExt) -> Reply:
    return Reply(number, body=Body.of(operation(name, interface).results, results))


def raised(number: int, name: str, exception: Any) -> Reply:
    body = Body.of(operation(name).raised[exception.repository_id], (exception.repository_id, exception))
    return Reply(number, ReplyStatus.USER_EXCEPTION, body=body)


def conversation() -> list[bytes]:
    """Return packets of one connection: everything that CosNaming answers in, and contexts."""
    code_sets = SERVICE_CONTEXTS.encode(ServiceId.CodeSets, CodeSetContext(0x05010001, 0x00010109))
    both_ways = SERVICE_CONTEXTS.encode(ServiceId.BI_DIR_IIOP, BiDirIIOPServiceContext((ListenPoint("client", 5000),)))
    contexts = (
        ServiceContext(ServiceId.CodeSets, code_sets),
        ServiceContext(ServiceId.BI_DIR_IIOP, both_ways),
        ServiceContext(0x99, b"\1"),
    )
    failure = COMM_FAILURE(0x464A0914, CompletionStatus.COMPLETED_MAYBE)
    said = [
        called(1, "resolve", NAME, service_context=contexts),
        returned(1, "resolve", ACCOUNT),
        called(2, "resolve", NAME),
        raised(2, "resolve", NotFound(NotFoundReason.missing_node, NAME[1:])),
        called(3, "list", 10),
        returned(3, "list", (Binding(NAME[:1], BindingType.ncontext),), ACCOUNT),
        called(4, "bind", NAME, ACCOUNT),
        Reply(4, ReplyStatus.SYSTEM_EXCEPTION, body=exception_body(failure)),
        called(5, "resolve_str", "口座"),
        Reply(5, ReplyStatus.LOCATION_FORWARD, body=Body.of(IOR_CODEC, ACCOUNT)),
        LocateRequest(6, TREE),
        LocateReply(6, LocateStatus.OBJECT_HERE),
        called(7, "next_n", 3, interface=BindingIterator),
        returned(7, "next_n", False, (), interface=BindingIterator),
        Request(8, "withdraw", TREE, body=Body(bytes(8))),
        Reply(8, body=Body(bytes(8))),
        called(9, "to_name", "a/b", response_flags=0),
    ]
    wire = Wire()
    packets = wire.open()
    for message in said:
        packets.append(wire.says(message, by_client=isinstance(message, (Request, LocateRequest))))
    return [*packets, wire.flags(FIN | ACK), wire.flags(FIN | ACK, by_client=False)]


def timed(packets: list[bytes]) -> list[tuple[int, bytes]]:
    return [(START + number * 1_500_000, packet) for number, packet in enumerate(packets)]


@pytest.fixture
def capture(tmp_path: Path) -> str:
    path = tmp_path / "call.pcap"
    path.write_bytes(pcap(timed(conversation()), RAW, nanoseconds=True))
    return str(path)


def _unread(pipe: int) -> int:
    """Return how many octets are in a pipe."""
    count: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    return count


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_for_each_message(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([capture]) == 0
    lines = capsys.readouterr().out.splitlines()
    ends = "  1       10.0.0.1:40000 {} 10.0.0.2:8002       "
    assert lines[:2] == [
        f"2023-11-14 22:13:20.004500 {ends.format('>')}      1 resolve        Request             161            "
        rf"n={TEXT} [CodeSets UTF-8, UTF-16] [BI_DIR_IIOP client:5000] [context 0x99]",
        f"2023-11-14 22:13:20.006000 {ends.format('<')}      1 resolve        NO_EXCEPTION         96   1.500ms  "
        "IDL:Bank/Account:1.0 at vhost:8002",
    ]
    what = [line[82:96].strip() + "|" + line[97:113].strip() + "|" + line[132:] for line in lines[2:]]
    assert what == [
        rf"resolve|Request|n={TEXT}",
        r"resolve|NotFound|why=missing_node, rest_of_name=a\/b",
        "list|Request|how_many=10",
        "list|NO_EXCEPTION|[{binding_name=account.kind, binding_type=ncontext}], IDL:Bank/Account:1.0 at vhost:8002",
        rf"bind|Request|n={TEXT}, obj=IDL:Bank/Account:1.0 at vhost:8002",
        "bind|COMM_FAILURE|minor 0x464a0914 (Fujitsu IPCOM_ERROR: IPCOM detected an error, all targets stopped or communication "
        "with them failed), COMPLETED_MAYBE",
        'resolve_str|Request|n="口座"',
        "resolve_str|LOCATION_FORWARD|to IDL:Bank/Account:1.0 at vhost:8002",
        "|LocateRequest|NameService",
        "|OBJECT_HERE|",
        "next_n|Request|how_many=3",
        "next_n|NO_EXCEPTION|false, []",
        "withdraw|Request|",
        "withdraw|NO_EXCEPTION|",
        'to_name|oneway|sn="a/b"',
    ]


def test_json(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, capture)
    assert found[0] == {
        "number": 1,
        "time": "2023-11-14T22:13:20.004500000Z",
        "connection": 1,
        "client": "10.0.0.1:40000",
        "server": "10.0.0.2:8002",
        "sender": "client",
        "type": "Request",
        "size": 161,
        "version": "1.2",
        "byte_order": sys.byteorder,
        "id": 1,
        "operation": "resolve",
        "target": "NameService",
        "response_expected": True,
        "service_contexts": [
            {"id": 1, "name": "CodeSets", "value": {"char_data": 0x05010001, "wchar_data": 0x00010109}},
            {"id": 5, "name": "BI_DIR_IIOP", "value": {"listen_points": [{"host": "client", "port": 5000}]}},
            {"id": 0x99, "name": None, "value": "01"},
        ],
        "arguments": {"n": TEXT},
    }
    (result,) = found[1]["results"]
    assert (found[1]["request"], found[1]["latency"], found[1]["status"]) == (1, 0.0015, "NO_EXCEPTION")
    assert (result["type_id"], result["addresses"]) == ("IDL:Bank/Account:1.0", ["vhost:8002"])
    assert IOR.from_string(result["ior"]).to_iop() == ACCOUNT
    assert found[3]["exception"] == "NotFound"
    assert found[3]["members"] == {"why": "missing_node", "rest_of_name": r"a\/b"}
    failure = {name: found[7][name] for name in ("status", "exception", "minor", "completed", "minor_code", "operation")}
    assert failure.pop("minor_code")["name"] == "IPCOM_ERROR"
    assert failure == {
        "status": "SYSTEM_EXCEPTION",
        "exception": "COMM_FAILURE",
        "minor": 0x464A0914,
        "completed": "COMPLETED_MAYBE",
        "operation": "bind",
    }
    assert found[8]["arguments"] == {"n": "口座"}
    assert found[9]["forward"]["addresses"] == ["vhost:8002"]
    assert found[11]["status"] == "OBJECT_HERE"
    assert found[13]["results"] == [False, []]
    assert found[16]["response_expected"] is False


def test_octets_annotated(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-x", "--operation", "next_n", capture]) == 0
    out = capsys.readouterr().out
    for shown in (
        "       0  47 49 4f 50                                      magic: octet[4] = 47494f50",
        'operation: string = "next_n"',
        "how_many: unsigned long = 3",
        "reply_status: unsigned long = 0",
        "result0: boolean = false",
        "(padding)",
    ):
        assert shown in out
    assert main(["-x", "--operation", "withdraw", capture]) == 0
    assert capsys.readouterr().out.count("(not explained)") == 2
    for row in rows(capsys, "-x", capture):
        assert len(bytes.fromhex(row["octets"])) == row["size"]


def test_every_octet_is_in_the_annotation(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = "".join([row["octets"] for row in rows(capsys, "-x", capture)])
    assert main(["-x", capture]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert "".join([line[10:57].replace(" ", "") for line in lines]) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--operation", "resolve"], [1, 2, 3, 4]),
        (["--operation", "resolve*"], [1, 2, 3, 4, 9, 10]),
        (["--operation", "bind", "--operation", "list"], [5, 6, 7, 8]),
        (["--status", "comm_failure"], [8]),
        (["--status", "USER_EXCEPTION"], [4]),
        (["--status", "NotFound", "--status", "LOCATION_*"], [4, 10]),
        (["--min-latency", "1.4", "--operation", "bind"], [8]),
        (["--min-latency", "1.6"], []),
        (["--connection", "1", "--status", "OBJECT_HERE"], [12]),
        (["--connection", "2"], []),
        (["--port", "40000", "--operation", "list"], [5, 6]),
    ],
)
def test_filters(options: list[str], expected: list[int], capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["number"] for row in rows(capsys, *options, capture)] == expected


def test_summary(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--summary", capture]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["OPERATION", "CALLS", "ERRORS", "OPEN", "P50", "P90", "P99", "TARGET,", "ENDINGS"]
    shown = {line.split()[0]: line.split() for line in lines}
    assert shown["resolve"][1:4] == ["2", "1", "0"]
    assert shown["resolve"][-4:] == ["10.0.0.2:8002", "NameService", "NotFound", "1"]
    assert shown["all"][1:4] == ["8", "2", "0"]
    (data,) = rows(capsys, "--summary", capture)
    assert data["total"]["calls"] == 8
    assert data["total"]["oneways"] == 1
    assert data["total"]["unanswered"] == 0
    assert data["total"]["endings"] == {"NO_EXCEPTION": 4, "NotFound": 1, "COMM_FAILURE": 1, "LOCATION_FORWARD": 1}
    assert data["total"]["latency"]["p99"] == pytest.approx(0.0015, rel=0.02)


IDL = """
module Bank {
  exception Overdrawn { long missing; };
  interface Account {
    long withdraw(in long cents, out wstring note) raises (Overdrawn);
    long resolve(in string what);
  };
};
"""


def test_idl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from iiop.idl import load

    idl = tmp_path / "Bank.idl"
    idl.write_text(IDL)
    bank = load(idl).Bank
    withdraw, resolve = (bank.Account.operations()[name] for name in ("withdraw", "resolve"))
    wire = Wire()
    packets = [
        wire.says(Request(1, "withdraw", TREE, body=Body.of(withdraw.arguments, (5,)))),
        wire.says(Reply(1, body=Body.of(withdraw.results, (7, "note\u2026"))), by_client=False),
        wire.says(Request(2, "withdraw", TREE, body=Body.of(withdraw.arguments, (5,)))),
        wire.says(Reply(2, ReplyStatus.USER_EXCEPTION, body=withdraw.exception_body(bank.Overdrawn(9), PLAIN)), by_client=False),
        wire.says(Request(3, "resolve", TREE, body=Body.of(resolve.arguments, ("what",)))),
        wire.says(called(4, "resolve", NAME)),
    ]
    path = tmp_path / "bank.pcap"
    path.write_bytes(pcap(timed(packets), RAW))
    found = rows(capsys, "--idl", str(idl), str(path))
    assert [row.get("arguments") for row in found] == [{"cents": 5}, None, {"cents": 5}, None, {"what": "what"}, {"n": TEXT}]
    assert found[1]["results"] == [7, "note\u2026"]
    assert (found[3]["exception"], found[3]["members"]) == ("Overdrawn", {"missing": 9})
    found = rows(capsys, str(path))
    assert found[3]["repository_id"] == "IDL:Bank/Overdrawn:1.0"
    assert "arguments" not in found[0]
    assert "problem" in found[4]
    assert main(["--idl", str(tmp_path / "none.idl"), str(path)]) == 2
    assert "none.idl: No such file" in capsys.readouterr().err


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
    assert main([*data.draw(st.sampled_from([[], ["-x"], ["--json"], ["--summary"]])), str(path)]) in (0, 1, 2)
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


@pytest.mark.parametrize("options", [["--follow", "a", "b"], ["--parquet", "p", "--json", "a"], [], ["--min-latency", "-1", "a"]])
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
        while _unread(process.stdin.fileno()):
            pass
        process.send_signal(signal.SIGINT)
        out = process.stdout.read().decode()
        assert process.wait(30) == 130
    assert out.startswith("OPERATION")
    assert "\nall" in out


def test_progress_and_colours_on_a_terminal(capture: str) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run([*PROGRAM, "--summary", capture], stdout=subprocess.PIPE, stderr=theirs, timeout=60)
        assert done.returncode == 0
        assert b"kB" in os.read(ours, 65536)
        assert subprocess.run([*PROGRAM, "--status", "COMM_FAILURE", capture], stdout=theirs, timeout=60).returncode == 0
        assert b"\x1b[31m" in os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)


def test_parquet_without_pyarrow(
    capture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["--parquet", str(tmp_path / "out.parquet"), capture]) == 2
    assert "pip install 'iiopkit[parquet]'" in capsys.readouterr().err


def test_parquet(capture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "out.parquet"
    assert main(["--parquet", str(path), capture]) == 0
    assert capsys.readouterr() == ("", "")
    table = parquet.read_table(path).to_pylist()
    expected = rows(capsys, capture)
    assert len(table) == len(expected) == 17
    for found, row in zip(table, expected, strict=True):
        for name, value in row.items():
            if name == "time":
                assert found[name].isoformat().startswith(value[:19])
            elif name != "minor_code":
                assert (json.loads(found[name]) if isinstance(value, (dict, list)) else found[name]) == value
