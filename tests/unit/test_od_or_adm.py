"""The command OD_or_adm without a node that runs: its arguments, the node's folder, references in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from iiop.components import SSL
from iiop.exceptions import ReferenceFormatError
from iiop.iop import COMPONENTS, ComponentId
from iiop.profile import CodeSetComponentInfo, Version
from iiop_tools.od_or_adm import main
from ior import IOR
from naming.node import Node
from naming.registration import MAX_ID, Registration, object_key
from tests.peers import free_port

INTERFACE = "IDL:TDsample/tdtest:1.0"
DELETE = "to delete, give -d, one of -i service, -n name and -z name, and nothing else"
DOCUMENTED = ["-c", INTERFACE, "-a", "FUJITSU-Interstage-TDLC", "-h", "vhost", "-p", "8002"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node of which nobody serves the port."""
    folder = tmp_path / "node"
    (folder / "etc").mkdir(parents=True)
    monkeypatch.setenv("OD_HOME", str(folder))
    for variable in ("IS_SYSTEM", "OD_SYSTEMS"):
        monkeypatch.delenv(variable, raising=False)
    configure(folder, f"IIOP_hostname = 127.0.0.1\nIIOP_port = {free_port()}\n")
    return folder


def configure(home: Path, text: str) -> None:
    (home / "etc" / "config").write_text(text, encoding="utf-8")


def refused(capsys: pytest.CaptureFixture[str], argv: Sequence[str], code: int) -> str:
    """Run a command that fails, and return the one line that says why."""
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    lines = [line for line in err.splitlines() if line and not line.startswith(("Usage: OD_or_adm", "Try '"))]
    assert len(lines) == 1, err
    return lines[0].removeprefix("Error: ").removeprefix("OD_or_adm: ")


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([], "-c IntfID is missing"),
        (["-n", "x"], "-c IntfID is missing"),
        (["-c", INTERFACE], "give exactly one of -o file, -i service and -n name"),
        (["-c", INTERFACE, "-n", "x", "-o", "f"], "give exactly one of -o file, -i service and -n name"),
        (["-c", INTERFACE, "-n", "x", "-i", "s"], "give exactly one of -o file, -i service and -n name"),
        (["-c", INTERFACE, "-i", "s", "-o", "f"], "give exactly one of -o file, -i service and -n name"),
        (["-c", INTERFACE, "-n", "x", "-L", "SJIS", "-v", "1.2"], "-L and -v exclude each other"),
        (["-g", "G", "-c", INTERFACE, "-n", "x", "-L", "SJIS", "-v", "1.2"], "-L and -v exclude each other"),
        (["-g", "G", "-c", INTERFACE, "-n", "x", "-h", "v"], "-h and -p go together"),
        (["-g", "G"], "-g needs -n name"),
        (["-g", "G", "-n", "x", "-a", "i"], "-a without -c: a default object needs an IntfID"),
        (["-g", "G", "-n", "x", "-h", "v", "-p", "1"], "-h -p without -c: a default object needs an IntfID"),
        (["-g", "G", "-n", "x", "-c", INTERFACE, "-s"], "-g does not go with -s"),
        (["-g", "G", "-n", "x", "-c", INTERFACE, "-x", "f"], "-g does not go with -x"),
        (["-g", "G", "-n", "x", "-c", INTERFACE, "-r", "d"], "-g does not go with -r"),
        (["-g", "G", "-n", "x", "-o", "f"], "-g does not go with -o"),
        (["-g", "G", "-n", "x", "-i", "s"], "-g does not go with -i"),
        (["-z", "x", "-n", "x"], "-z does not go with -n"),
        (["-z", "x", "-c", INTERFACE], "-z does not go with -c"),
        (["-z", "x", "-g", "G"], "-z does not go with -g"),
        (["-u", "corbaloc::h/NameService", "-n", "x", "-c", INTERFACE], "-u goes with -z"),
        (["-l", "-n", "x"], "-l does not go with -n"),
        (["-l", "-d"], "-l does not go with -d"),
        (["--check"], "--check goes with -l"),
        (["--json", "-d", "-n", "x"], "--json goes with -l"),
        (["-c", INTERFACE, "-n", "x", "-h", "vhost"], "-h and -p go together"),
        (["-c", INTERFACE, "-n", "x", "-p", "8002"], "-h and -p go together"),
        (["-c", INTERFACE, "-n", "x", "-h", "vhost", "-p", "0"], "Invalid value for '-p': 0 is not in the range 1<=x<=65535."),
        (
            ["-c", INTERFACE, "-n", "x", "-h", "v", "-p", "65536"],
            "Invalid value for '-p': 65536 is not in the range 1<=x<=65535.",
        ),
        (["-c", INTERFACE, "-n", "x", "-h", "v", "-p", "http"], "Invalid value for '-p': 'http' is not a valid integer range."),
        (["-c", INTERFACE, "-n", "x", "-v", "1.3"], "Invalid value for '-v': '1.3' is not one of '1.0', '1.1', '1.2'."),
        (["-d"], DELETE),
        (["-d", "-o", "f"], DELETE),
        (["-d", "-n", "x", "-i", "s"], DELETE),
        (["-d", "-n", "x", "-z", "x"], DELETE),
        (["-d", "-z", "x", "-u", "corbaloc::h/NameService"], DELETE),
        (["-c", INTERFACE, "-n", "x", "y"], "Got unexpected extra argument (y)"),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], argv: list[str], why: str) -> None:
    assert refused(capsys, argv, 2) == why


@pytest.mark.parametrize(
    "more",
    ["-c IDL:a:1.0", "-a i", "-h v", "-p 1", "-v 1.2", "-o f", "-s", "-L SJIS", "-x f", "-r d", "-g G"],
)
def test_deletion_takes_a_name_and_nothing_else(capsys: pytest.CaptureFixture[str], more: str) -> None:
    assert refused(capsys, ["-d", "-n", "x", *more.split()], 2) == DELETE


@pytest.mark.parametrize("argv", [["-d"], ["-c", INTERFACE], ["-g", "G"]])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/TDsample::tdtest", "a name begins without a slash (that is how it was before V3)"),
        ("", "an empty name component is written '.'"),
        ("a//b", "an empty name component is written '.'"),
        ("a.b.c", r"a second '.' in one name component is written '\.'"),
        ("a\\b", r"'\' escapes only '/', '.' and '\'"),
    ],
)
def test_names_that_are_none(capsys: pytest.CaptureFixture[str], argv: list[str], name: str, why: str) -> None:
    assert refused(capsys, [*argv, "-n", name], 2).startswith(why)


@pytest.mark.parametrize("argv", [["-z", "/x"], ["-d", "-z", "/x"]])
def test_contexts_begin_without_a_slash_too(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert refused(capsys, argv, 2).startswith("a name begins without a slash (that is how it was before V3)")


@pytest.mark.parametrize("group", ["", "G" * 256, "gr\u00fcn", "a\nb"])
def test_what_no_group_is_called(capsys: pytest.CaptureFixture[str], group: str) -> None:
    assert refused(capsys, ["-g", group, "-n", "x"], 2).startswith("a Group is named by 1 to 255 printable ASCII characters")


@pytest.mark.parametrize("service", ["", "a b", "x" * 256, "gr\u00fcn", "#a"])
def test_what_no_service_is_called(capsys: pytest.CaptureFixture[str], home: Path, service: str) -> None:
    why = "a service is named by 1 to 255 printable ASCII characters without blanks, of which the first is not '#'"
    assert refused(capsys, ["-c", INTERFACE, "-i", service], 2).startswith(why)
    assert not (home / "etc" / "initial_services").exists()


@pytest.mark.parametrize("url", ["http://host/", "corbaname::host#x", "IOR:00", "host:8002"])
def test_urls_of_no_context(capsys: pytest.CaptureFixture[str], url: str) -> None:
    why = refused(capsys, ["-z", "x", "-u", url], 2 if url != "IOR:00" else 1)
    assert why.startswith("-u takes the corbaloc: or IOR: of a naming context") is (url != "IOR:00")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (["-r", "5€"], "an object's reference data is made of printable ASCII characters"),
        (["-v", "1.0", "-s"], "a reference of IIOP 1.0 has no place for components"),
        (["-c", "tdtest"], "an interface repository id has the form IDL:module/interface:1.0"),
        (["-c", "IDL:TDsample/tdtest"], "an interface repository id has the form IDL:module/interface:1.0"),
        (["-c", "IDL:größe:1.0"], "an interface repository id is made of printable ASCII characters"),
        (["-a", "5€"], "an implementation repository id is made of printable ASCII characters"),
        (["-h", ""], "a host is a name or an address"),
        (["-h", "v host"], "a host is a name or an address"),
        (["-h", "höst"], "a host is a name or an address"),
    ],
)
def test_what_no_reference_can_be_made_of(capsys: pytest.CaptureFixture[str], changes: list[str], why: str) -> None:
    assert refused(capsys, [*DOCUMENTED, "-n", "x", *changes], 2).startswith(why)


@pytest.mark.parametrize(
    ("option", "what"),
    [("-c", "interface repository id"), ("-a", "implementation repository id"), ("-r", "object's reference data")],
)
def test_ids_of_255_characters_and_no_more(capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, what: str) -> None:
    longest = f"IDL:{'x' * (MAX_ID - 8)}:1.0"
    assert len(longest) == 255
    argv = ["-c", INTERFACE, "-o", str(tmp_path / "ior")]
    assert main([*argv, option, longest]) == 0
    why = refused(capsys, [*argv, option, longest + "0"], 2)
    assert why.startswith(f"{what} of 256 characters, 255 are allowed")


# --- the node ---------------------------------------------------------------------------------------------------------


def test_od_home_is_not_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OD_HOME")
    for argv in (["-d", "-n", "x"], ["-c", INTERFACE, "-n", "x"]):
        assert refused(capsys, argv, 2).startswith("OD_HOME is not set")


def test_od_home_is_no_folder(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OD_HOME", str(tmp_path / "absent"))
    assert refused(capsys, ["-d", "-n", "x"], 2) == f"OD_HOME names no folder: {tmp_path / 'absent'}"


def test_an_extended_system(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systems = {"td001": home / "system" / "td001", "td002": tmp_path / "systems" / "td002"}
    for number, folder in enumerate(systems.values(), 1):
        (folder / "etc").mkdir(parents=True)
        configure(folder, f"IIOP_hostname = host{number}\n")
    ior = tmp_path / "ior"
    host = lambda *argv: written(ior, "-c", INTERFACE, *argv).endpoints()[0].host  # noqa: E731
    assert host() == "127.0.0.1"
    assert host("-M", "td001") == "host1"
    monkeypatch.setenv("IS_SYSTEM", "td001")
    assert host() == "host1"
    monkeypatch.setenv("OD_SYSTEMS", str(tmp_path / "systems"))
    assert host("-M", "td002") == "host2"
    assert host("-M", "") == "127.0.0.1"


@pytest.mark.parametrize("name", ["td003", "..", "a/b", "."])
def test_a_system_that_is_none(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert ("there is no system" if name == "td003" else "is no name of a system") in refused(capsys, ["-l", "-M", name], 2)


def test_a_folder_in_which_nothing_can_be_written(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "var").write_text("")
    assert refused(capsys, ["-d", "-n", "x"], 2) == f"{home}/var/naming.address: Not a directory"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("IIOP_hostname = h\nIIOP_port 8002\n", "config, line 2: not of the form name = value: 'IIOP_port 8002'"),
        ("# fine\n\n= 8002\n", "config, line 3: not of the form name = value: '= 8002'"),
        (" # a comment begins at the beginning\n", "config, line 1: not of the form name = value"),
        ("IIOP_port = 0\n", "config: IIOP_port = 0: a port is 1 to 65535"),
        ("IIOP_port = 65536\n", "config: IIOP_port = 65536: a port is 1 to 65535"),
        ("IIOP_port = \u0668\n", "config: IIOP_port = \u0668: a port is 1 to 65535"),
        ("IIOP_port =\n", "config: IIOP_port = : a port is 1 to 65535"),
        (f"IIOP_port = {'9' * 5000}\n", f"config: IIOP_port = {'9' * 40}: a port is 1 to 65535"),
        ("x" * 5000, f"config, line 1: not of the form name = value: {'x' * 40!r}"),
    ],
)
def test_mistakes_in_the_config(capsys: pytest.CaptureFixture[str], home: Path, text: str, why: str) -> None:
    configure(home, text)
    said = refused(capsys, ["-c", INTERFACE, "-n", "x"], 2)
    assert said.startswith(str(home / "etc"))
    assert why in said


def test_a_config_that_is_no_text(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "etc" / "config").write_bytes(b"IIOP_hostname = \xff\n")
    assert refused(capsys, ["-c", INTERFACE, "-n", "x"], 2).startswith(str(home / "etc" / "config"))


def test_a_config_that_is_a_folder(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "etc" / "config").unlink()
    (home / "etc" / "config").mkdir()
    assert "Is a directory" in refused(capsys, ["-c", INTERFACE, "-n", "x"], 2)


def test_what_a_config_says(home: Path) -> None:
    configure(home, "# IIOP_port = 1\nIIOP_hostname=host1\n\nIIOP_port = 8003 \nmax_processes = a = b\n")
    node = Node(home)
    assert (node.host_name, node.port) == ("host1", 8003)
    assert node.config()["max_processes"] == "a = b"
    assert node.naming_folder == home / "etc" / "CosNaming"


def test_a_node_without_config(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "etc" / "config").unlink()
    monkeypatch.setattr("socket.gethostname", lambda: "this-machine")
    node = Node(home)
    assert (node.config(), node.host_name, node.port) == ({}, "this-machine", 8002)


# --- references -------------------------------------------------------------------------------------------------------


def written(path: Path, *argv: str) -> IOR:
    assert main([*argv, "-o", str(path)]) == 0
    text = path.read_text()
    assert text.endswith("\n")
    return IOR.from_string(text.strip())


def component(reference: IOR, tag: int) -> object:
    (octets,) = [item.component_data for item in reference.profiles[0].body.components if item.tag == tag]
    return COMPONENTS.decode(tag, octets)


def test_the_reference_is_that_of_the_manual(tmp_path: Path) -> None:
    """The manual lists `(vhost:8002:1.0:)`: host, port, version, and no code system."""
    reference = written(tmp_path / "ior", *DOCUMENTED)
    assert reference.type_id == INTERFACE
    (endpoint,) = reference.endpoints()
    assert (endpoint.host, endpoint.port, endpoint.version) == ("vhost", 8002, Version(1, 0))
    assert endpoint.object_key == b"FUJITSU-Interstage-TDLC|IDL:TDsample/tdtest:1.0"
    assert len(reference.profiles) == 1


@pytest.mark.parametrize("version", [(1, 0), (1, 1), (1, 2)])
def test_versions(tmp_path: Path, version: tuple[int, int]) -> None:
    reference = written(tmp_path / "ior", *DOCUMENTED, "-v", "{}.{}".format(*version))
    assert reference.endpoints()[0].version == Version(*version)


def test_reference_data_goes_to_the_end_of_the_key(tmp_path: Path) -> None:
    (endpoint,) = written(tmp_path / "ior", *DOCUMENTED, "-r", "data").endpoints()
    assert endpoint.object_key == b"FUJITSU-Interstage-TDLC|IDL:TDsample/tdtest:1.0|data"


@pytest.mark.parametrize(
    ("locale", "number"), [("SJIS", 0x10040003), ("EUC", 0x10040002), ("UTF8", 0x05010001), ("UNICODE", 0x00010001)]
)
def test_a_locale_is_told_in_a_component(tmp_path: Path, locale: str, number: int) -> None:
    reference = written(tmp_path / "ior", *DOCUMENTED, "-L", locale)
    assert reference.endpoints()[0].version == Version(1, 2)
    code_sets = component(reference, ComponentId.TAG_CODE_SETS)
    assert isinstance(code_sets, CodeSetComponentInfo)
    assert code_sets.for_char_data.native_code_set == number
    assert code_sets.for_wchar_data.native_code_set == 0x00010109


def test_locales_without_a_public_number(capsys: pytest.CaptureFixture[str]) -> None:
    for locale in ("SJISMS", "JEF_LOWER", "sjis"):
        assert refused(capsys, [*DOCUMENTED, "-n", "x", "-L", locale], 2).startswith("Invalid value for '-L'")


@pytest.mark.parametrize(("text", "port"), [("", 8002), ("IIOP_ssl_port = 4433\n", 4433)])
def test_ssl_is_told_in_a_component(tmp_path: Path, home: Path, text: str, port: int) -> None:
    configure(home, text)
    reference = written(tmp_path / "ior", *DOCUMENTED, "-s", "-v", "1.1")
    assert reference.endpoints()[0].version == Version(1, 1)
    ssl = component(reference, ComponentId.TAG_SSL_SEC_TRANS)
    assert isinstance(ssl, SSL)
    assert (ssl.port, ssl.target_requires) == (port, 6)


def test_proxies_are_alternate_addresses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "proxies").write_text("# in front\nproxy1      8003\nproxy2\n")
    reference = written(tmp_path / "ior", *DOCUMENTED, "-x", str(tmp_path / "proxies"))
    assert [str(endpoint) for endpoint in reference.endpoints()] == ["vhost:8002", "proxy1:8003", "proxy2:8002"]
    (tmp_path / "proxies").write_text("proxy1 8003 more\n")
    assert "line 1" in refused(capsys, [*DOCUMENTED, "-n", "x", "-x", str(tmp_path / "proxies")], 2)
    assert "No such file" in refused(capsys, [*DOCUMENTED, "-n", "x", "-x", str(tmp_path / "absent")], 2)
    (tmp_path / "proxies").write_text("# nobody yet\n")
    assert "no host and port in it" in refused(capsys, [*DOCUMENTED, "-n", "x", "-x", str(tmp_path / "proxies")], 2)


def test_what_is_left_out_is_the_nodes(tmp_path: Path, home: Path) -> None:
    configure(home, "IIOP_hostname = host1\nIIOP_port = 8003\n")
    (endpoint,) = written(tmp_path / "ior", "-c", INTERFACE).endpoints()
    assert (endpoint.host, endpoint.port) == ("host1", 8003)
    assert endpoint.object_key == b"IDL:TDsample/tdtest:1.0|IDL:TDsample/tdtest:1.0"


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "ior"
    path.write_text("x" * 10_000)
    written(path, *DOCUMENTED)


def test_a_file_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "absent" / "ior"
    assert refused(capsys, [*DOCUMENTED, "-o", str(path)], 2) == f"{path}: No such file or directory"


def test_registrations_check_what_they_are_made_of() -> None:
    with pytest.raises(ReferenceFormatError, match="a port is 1 to 65535"):
        Registration(INTERFACE, "vhost", 65536)
    assert Registration(INTERFACE, "::1", 8002).reference().endpoints()[0].host == "::1"
    assert object_key(INTERFACE) == object_key(INTERFACE, INTERFACE)
