"""The command `giopdump`: what it prints."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from iiop import iop
from iiop.cdr import codec, encapsulate
from iiop.cdr.speech import PLAIN
from iiop.components import AS_ContextSec, CompoundSecMech, CompoundSecMechList, SAS_ContextSec
from iiop.giop.messages import (
    Body,
    Reply,
    ReplyStatus,
    Request,
)
from iiop.iop import ComponentId, TaggedComponent, TaggedProfile
from iiop_tools.giopdump.command import main
from ior import IOR, IORBuilder
from tests.giopdump.conversation import ACCOUNT, NAME, TEXT, TREE, called, rows, timed
from tests.giopdump.test_conversations import Wire
from tests.packets import RAW, pcap


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


def test_octets_of_contexts_and_references_are_annotated(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-x", "--operation", "resolve", capture]) == 0
    out = capsys.readouterr().out
    for shown in (
        "service_context[0].context_data.byte_order: boolean = ",
        "service_context[0].context_data.char_data: unsigned long = 83951617",
        'service_context[1].context_data.listen_points[0].host: string = "client"',
        "service_context[2].context_data: sequence<octet> = 01",
        "result0.profiles[0].profile_data.port: unsigned short = 8002",
    ):
        assert shown in out


def test_octets_of_encapsulations_within_others_and_broken_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = IORBuilder("IDL:X:1.0").iiop("h", 1, key=b"k").code_sets(0x05010001).build().to_iop()
    (profile,) = reference.profiles
    cut = iop.IOR("IDL:X:1.0", (TaggedProfile(profile.tag, profile.profile_data[:-3]),))
    empty = iop.IOR("IDL:X:1.0", (TaggedProfile(profile.tag, b""), TaggedProfile(profile.tag, b"\7\7")))
    inside = TaggedComponent(ComponentId.TAG_NULL_TAG, b"")
    for _ in range(1000):  # a list of ways in, the transport of each of which is another such list
        way = CompoundSecMech(0, inside, AS_ContextSec(0, 0, b"", b""), SAS_ContextSec(0, 0, (), (), 0))
        octets = encapsulate(codec(CompoundSecMechList), CompoundSecMechList(False, (way,)))
        inside = TaggedComponent(ComponentId.TAG_CSI_SEC_MECH_LIST, octets)
    deep = IORBuilder("IDL:X:1.0").iiop("h", 1, key=b"k").component(inside.tag, inside.component_data).build().to_iop()
    wire = Wire()
    references = (reference, cut, empty, deep)
    path = tmp_path / "bind.pcap"
    path.write_bytes(pcap(timed([wire.says(called(number, "bind", NAME, each)) for number, each in enumerate(references)]), RAW))
    assert main(["-x", str(path)]) == 0
    out = capsys.readouterr().out
    for shown in (
        "obj.profiles[0].profile_data.components[0].component_data.for_char_data.native_code_set: unsigned long = 83951617",
        "obj.profiles[0].profile_data: unread = ",
        "obj.profiles[1].profile_data: sequence<octet> = 0707",
        "mechanism_list[0].transport_mech.component_data.mechanism_list[0].transport_mech.component_data.mechanism_list",
    ):
        assert shown in out
    assert_every_octet_is_annotated(str(path), capsys)


@pytest.mark.parametrize(
    ("members", "value"),
    [
        ("string profile_data;", ("gold",)),
        ("long profile_data;", (7,)),
        ("Octets profile_data;", (b"\0\1\2",)),
        ("string tag; Octets component_data;", ("gold", b"\0\1\2")),
        ("Octets tag; Octets component_data;", (b"gold", b"\0\1\2")),
    ],
)
def test_octets_of_members_that_are_named_as_ours(
    members: str, value: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from iiop.idl import load

    idl, path = tmp_path / "Bank.idl", tmp_path / "bank.pcap"
    idl.write_text(
        f"typedef sequence<octet> Octets; struct Customer {{ {members} }}; interface Bank {{ void keep(in Customer c); }};"
    )
    module = load(idl)
    body = Body.of(module.Bank.operations()["keep"].arguments, (module.Customer(*value),))
    path.write_bytes(pcap(timed([Wire().says(Request(1, "keep", TREE, body=body))]), RAW))
    assert main(["-x", "--idl", str(idl), str(path)]) == 0
    out = capsys.readouterr().out
    assert "c.component_data: sequence<octet> = " in out or "c.profile_data: " in out
    assert ".byte_order: boolean" not in out


def test_every_octet_is_in_the_annotation(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_every_octet_is_annotated(capture, capsys)


def assert_every_octet_is_annotated(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = "".join([row["octets"] for row in rows(capsys, "-x", path)])
    assert main(["-x", path]) == 0
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


@pytest.mark.parametrize(
    ("options", "calls", "errors"),
    [(["--status", "*_EXCEPTION"], 6, 2), (["--status", "NotFound"], 1, 1), (["--min-latency", "1.4"], 7, 2)],
)
def test_a_summary_of_answers_alone(
    options: list[str], calls: int, errors: int, capture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (data,) = rows(capsys, "--summary", *options, capture)
    for each in (data["total"], *data["operations"]):
        assert each["calls"] == sum(each["endings"].values()) > 0
        assert each["unanswered"] == 0
    assert (data["total"]["calls"], data["total"]["errors"]) == (calls, errors)


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
    idl.write_text("interface Broken {")
    assert main(["--idl", str(idl), str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"giopdump: {idl}:")
