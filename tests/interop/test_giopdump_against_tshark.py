"""giopdump on what omniORBpy and omniNames say: every message, as tshark sees it, and what tshark calls malformed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iiop_lab.pcap import Traffic
from iiop_tools.giopdump.command import main
from tests.peers import OmniClient, OmniException, name, omni_names
from tests.recorder import recorded
from tests.tshark import complaints, tshark

TYPES = ["Request", "Reply", "CancelRequest", "LocateRequest", "LocateReply", "CloseConnection", "MessageError", "Fragment"]
STATUSES = ["NO_EXCEPTION", "USER_EXCEPTION", "SYSTEM_EXCEPTION", "LOCATION_FORWARD"]


def record(path: Path, folder: Path, version: str = "1.2") -> None:
    """Have names bound, resolved, listed and asked for in vain, over a connection that is written down."""
    traffic = Traffic()
    with (
        omni_names(folder) as service,
        recorded((service.host, service.port), traffic) as (host, port),
        OmniClient("-ORBmaxGIOPVersion", version) as client,
    ):
        root = client.naming(f"corbaloc::{version}@{host}:{port}/NameService", checked=False)
        target = client.string_to_object("corbaloc::127.0.0.1:2809/account")
        for number in range(5):
            root.call("bind", name((f"account{number}", "kind")), target)
            assert root.call("resolve", name((f"account{number}", "kind"))).ior() == target.ior()
        assert isinstance(root.outcome("resolve", name("none", "at/all")), OmniException)
        assert isinstance(root.outcome("bind", name(("account0", "kind")), target), OmniException)
        root.call("list", 2)
        client.shutdown()
    traffic.write(path)


def dumped(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert main(["--json", str(path)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_every_message_as_tshark_sees_it(version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(path := tmp_path / "names.pcap", tmp_path / "names", version)
    ours = dumped(path, capsys)
    fields = ("giop.type", "giop.request_id", "giop.request_op", "giop.replystatus", "giop.len", "frame.time_epoch")
    theirs = tshark(path, "giop", *fields)
    assert len(ours) == len(theirs) >= 25
    for row, (kind, request_id, operation, status, size, at) in zip(ours, theirs, strict=True):
        assert row["type"] == TYPES[int(kind)]
        assert row["version"] == version
        assert row["size"] == int(size) + 12
        assert row["time"].partition(".")[2] == at.partition(".")[2] + "Z"
        if row["type"] in ("Request", "Reply", "LocateRequest", "LocateReply"):
            assert row["id"] == int(request_id)
        if row["type"] == "Request":
            assert row["operation"] == operation
            assert row["target"] == "NameService"
        if row["type"] == "Reply":
            assert row["status"] == STATUSES[int(status)]
        assert "problem" not in row


def test_what_tshark_cannot_read_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(path := tmp_path / "names.pcap", tmp_path / "names")
    found = dumped(path, capsys)
    exceptions = [row for row in found if row.get("status") == "USER_EXCEPTION"]
    assert [(row["operation"], row["exception"], row["members"]) for row in exceptions] == [
        ("resolve", "NotFound", {"why": "missing_node", "rest_of_name": r"none/at\/all"}),
        ("bind", "AlreadyBound", {}),
    ]
    assert {row["connection"] for row in found} == {1}
    answered = [row for row in found if row["type"] == "Reply"]
    assert all(0 < row["latency"] < 60 for row in answered)
    (listed,) = [row["results"] for row in answered if row["operation"] == "list"]
    assert [binding["binding_type"] for binding in listed[0]] == ["nobject"] * 2
    assert listed[1]["type_id"] == "IDL:omg.org/CosNaming/BindingIterator:1.0"
    bound = [row["arguments"] for row in found if row.get("operation") == "bind" and row["type"] == "Request"]
    assert [each["n"] for each in bound[:5]] == [f"account{number}.kind" for number in range(5)]
    assert bound[0]["obj"]["addresses"] == ["127.0.0.1:2809"]
    assert not [row for row in complaints(path) if "malformed" not in row[1].lower() and "GIOP" not in row[1]]
