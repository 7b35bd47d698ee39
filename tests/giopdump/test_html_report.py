"""The page of `giopdump --html` in Chromium: clicked, searched, walked through by keyboard, on a desktop and on a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iiop.exceptions import COMM_FAILURE, CompletionStatus
from iiop.giop.messages import Body, Reply, ReplyStatus, Request, exception_body, key_address
from iiop_tools.giopdump import report
from iiop_tools.giopdump.command import main
from naming.types import NotFound, NotFoundReason
from tests.chromium import Page, chromium
from tests.giopdump.conversation import ACCOUNT, NAME, called, conversation, raised, returned, timed
from tests.giopdump.test_conversations import Wire
from tests.packets import RAW, pcap

HOSTILE = (
    "</script><script>window.taken = 1</script>",
    "<!--<script>",
    "--></dialog><img src=x onerror='window.taken = 2'>",
    "\u2028\u2029\"'`${window.taken = 3}\\",
    "<style>*{display:none}</style>&lt;&#60;",
)
WITHOUT_DETAILS = 15
"""Entries of a row."""
PHONE, DESKTOP = (360, 740), (1280, 900)


def written(folder: Path, packets: list[bytes], *arguments: str) -> Path:
    (folder / "call.pcap").write_bytes(pcap(timed(packets), RAW, nanoseconds=True))
    assert main(["--html", str(folder / "report.html"), *arguments, str(folder / "call.pcap")]) == 0
    return folder / "report.html"


def many(count: int) -> list[bytes]:
    """Return packets of so many calls, of which the last one fails."""
    wire = Wire()
    packets = wire.open()
    for number in range(1, count):
        packets += [wire.says(called(number, "resolve", NAME)), wire.says(returned(number, "resolve", ACCOUNT), by_client=False)]
    not_found = NotFound(NotFoundReason.missing_node, NAME)
    return [*packets, wire.says(called(count, "resolve", NAME)), wire.says(raised(count, "resolve", not_found), by_client=False)]


def data(page: Path, name: str) -> Any:
    """Return what a page holds for its script."""
    found = re.search(f'<script type="application/json" id="{name}">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(browser: Page, tmp_path: Path) -> Iterator[Page]:
    """The page of the conversation that has everything in it; its script fails nowhere, and it asks for nothing."""
    browser.errors.clear()
    browser.requests.clear()
    browser.resize(*DESKTOP)
    path = written(tmp_path, conversation())
    browser.open(path)
    yield browser
    assert not browser.errors
    assert set(browser.requests) == {path.as_uri()}


def row(number: int) -> str:
    return f"#row-{number - 1}"


def test_a_message_is_opened(page: Page) -> None:
    assert page.text("#totals").split("\n")[:6] == ["Messages", "17", "Calls", "8", "Exceptions", "2"]
    assert "resolve" in page.text(row(1))
    page.click(row(1))
    assert page.text("#message-title") == "#1 Request resolve"
    shown = page.text("#details")
    for each in (
        "Service contexts",
        "CodeSets",
        "Arguments",
        r"account.kind/a\/b",
        "NameService",
        'operation: string = "resolve"',
        "47 49 4f 50",
    ):
        assert each in shown
    page.click("#counterpart")
    assert page.text("#message-title") == "#2 Reply resolve NO_EXCEPTION"
    assert "vhost:8002" in page.text("#details")
    for _ in range(6):
        page.click("#next")
    assert page.text("#message-title") == "#8 Reply bind COMM_FAILURE"
    assert "IPCOM_ERROR" in page.text("#details")
    page.click("#close")
    assert page.run("document.getElementById('message').open") is False


def test_errors_stand_out(page: Page) -> None:
    assert [page.run(f"document.querySelector('{row(number)}').className") for number in (1, 4, 8)] == [
        "row kind-0",
        "row kind-1",
        "row kind-2",
    ]
    assert "NotFound" in page.text(row(4))
    colours = {page.run(f"getComputedStyle(document.querySelector('{row(number)} .arrow')).stroke") for number in (1, 4, 8)}
    assert len(colours) == 3


def test_filter(page: Page) -> None:
    page.click("#query")
    page.type("NOTFOUND rest_of_name")
    assert (page.text("#found"), page.run("document.querySelectorAll('.row').length")) == ("1 of 17 messages", 1)
    page.click("form button")
    page.drawn()
    assert page.text("#found") == "17 messages"
    page.run("document.getElementById('outcome').value = 'kind 1'")
    page.run("document.getElementById('outcome').dispatchEvent(new Event('input', { bubbles: true }))")
    assert page.text("#found") == "2 of 17 messages"
    page.click("form button")
    page.click("#operations button")
    assert page.text("#found") == "4 of 17 messages"
    assert page.run("document.activeElement.id") == "list"
    page.click("#endings li:nth-child(2) button")
    assert page.text("#found") == "1 of 17 messages"
    assert "COMM_FAILURE" in page.text(row(1))
    assert "Of 1 answer " in page.text("#latencies")
    page.click("#query")
    page.type("nowhere")
    assert page.text("#list .none") == "No message is like that."
    assert page.text("#latencies") == "No answers in the list above."


def test_keyboard(page: Page) -> None:
    def focused(what: str) -> Any:
        return page.run(f"document.activeElement.{what}")

    def active() -> Any:
        return page.run("document.querySelector('[aria-selected=true]').innerText")

    page.press("Tab")
    assert focused("className") == "skip"
    page.press("Enter")
    assert focused("id") == "list"
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for key, number in (("ArrowDown", 2), ("ArrowDown", 3), ("ArrowUp", 2), ("End", 17), ("Home", 1), ("PageDown", 15)):
        page.press(key)
        if key != "PageDown":
            assert active().startswith(f"#{number}")
        assert (
            page.run("document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).ariaSelected")
            == "true"
        )
    page.press("Home")
    page.press("ArrowDown")
    page.press("Enter")
    assert page.text("#message-title") == "#2 Reply resolve NO_EXCEPTION"
    assert focused("id") == "message-title"
    reached = []
    for _ in range(5):
        page.press("Tab")
        reached.append(page.run("document.activeElement.id || document.activeElement.tagName"))
    assert reached == ["counterpart", "previous", "next", "close", "PRE"]
    page.press("Escape")
    assert page.run("document.getElementById('message').open") is False
    assert focused("id") == "list"


def test_everything_has_a_name_and_a_place(page: Page) -> None:
    nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
    named: dict[str, list[str]] = {}
    for node in nodes:
        if not node["ignored"]:
            named.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    assert len(named["main"]) == 1
    for role in ("button", "searchbox", "combobox", "spinbutton", "listbox", "search", "region", "image"):
        assert named[role], role
        assert all(named[role]), role
    assert "Messages" in named["listbox"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_overflows_and_everything_can_be_read(page: Page, size: tuple[int, int], dark: bool) -> None:
    page.resize(*size, dark=dark)
    assert page.run("document.documentElement.scrollWidth") <= size[0]
    assert page.run("document.querySelectorAll('.row').length") > 5
    page.click(row(1))
    assert page.run("document.documentElement.scrollWidth") <= size[0]
    assert page.run(
        "[...document.querySelectorAll('#message, #message *')].every(each => each.getBoundingClientRect().right <= innerWidth)"
    )
    page.press("Escape")
    assert (luminance(colour(page, "ground")) < 0.2) is dark
    for text in ("text", "muted", "accent", "kind-0", "kind-1", "kind-2"):
        for ground in ("ground", "raised", "chosen", "tint-1", "tint-2"):
            assert contrast(colour(page, text), colour(page, ground)) >= 4.5, (text, ground)


def colour(page: Page, name: str) -> tuple[float, ...]:
    digits = page.run(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}')").strip().removeprefix("#")
    return tuple(int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))


def luminance(colour: tuple[float, ...]) -> float:
    """Return the relative luminance of WCAG 2."""
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_nothing_of_a_capture_becomes_markup(browser: Page, tmp_path: Path) -> None:
    wire = Wire()
    packets = wire.open()
    for number, text in enumerate(HOSTILE, 1):
        octets = text.encode()
        packets.append(wire.says(Request(number, octets.decode("latin-1"), key_address(octets))))
        packets.append(wire.says(called(number + 10, "resolve_str", text)))
        unknown = (len(octets) + 1).to_bytes(4, "little") + octets + b"\0"
        packets.append(wire.says(Reply(number, ReplyStatus.USER_EXCEPTION, body=Body(unknown)), by_client=False))
        failure = exception_body(COMM_FAILURE(1, CompletionStatus.COMPLETED_NO))
        packets.append(wire.says(Reply(number + 10, ReplyStatus.SYSTEM_EXCEPTION, body=failure), by_client=False))
    path = written(tmp_path, packets)
    assert path.read_text("utf-8").count("<script") == 3
    browser.errors.clear()
    browser.requests.clear()
    browser.resize(*DESKTOP)
    browser.open(path)
    assert browser.text("#found") == "20 messages"
    for number in range(1, 21):
        browser.run(f"select({number - 1}); open(rows[{number - 1}][NUMBER])")
        assert browser.run("document.querySelectorAll('script, img, style').length") == 4
    browser.press("Escape")
    assert HOSTILE[0] in browser.text(row(1))
    assert browser.run("typeof window.taken") == "undefined"
    assert not browser.errors
    assert set(browser.requests) == {path.as_uri()}


def test_large_captures_are_bounded(browser: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LISTED", 1000), ("DETAILED", 10), ("COUNTED", 1)):
        monkeypatch.setattr(report, name, value)
    path = written(tmp_path, many(1000))
    rows, about = data(path, "rows"), data(path, "about")
    assert [each[0] for each in rows] == [*range(1, 1001), 2000]
    assert [each[0] for each in rows if len(each) > WITHOUT_DETAILS] == [*range(1, 11), 2000]
    assert (about["messages"], about["total"]["calls"], about["total"]["errors"]) == (2000, 1000, 1)
    assert (len(about["operations"]), len(about["endings"]), about["more_endings"]) == (1, 1, 1)
    browser.errors.clear()
    browser.resize(*DESKTOP)
    browser.open(path)
    left_out = browser.text("#left-out")
    assert "first 1,000 of 2,000 messages" in left_out
    assert "first 10 messages" in left_out
    browser.run("document.getElementById('list').focus()")
    browser.press("End")
    assert browser.run("document.querySelectorAll('.row').length") < 60
    assert browser.text("[aria-selected=true]").startswith("#2000")
    browser.press("Enter")
    assert "rest_of_name" in browser.text("#details")
    browser.click("#counterpart")
    assert browser.text("#message-title") == "#1999"
    assert "Arguments" in browser.text("#details")
    browser.press("Escape")
    browser.press("ArrowUp")
    browser.press("Enter")
    assert "giopdump -x shows them" in browser.text("#details")
    browser.press("Escape")
    assert not browser.errors


def test_long_values_and_messages_are_cut(tmp_path: Path) -> None:
    wire = Wire()
    big = Request(1, "x" * 5000, key_address(b"k" * 5000), body=Body(bytes(100_000)))
    path = written(tmp_path, [*wire.open(), *wire.pieces(big, 40_000, 40_000)])
    assert path.stat().st_size < 90_000
    assert data(path, "about")["words"][1] == f"{'x' * 200}... (5000)"


def test_a_page_of_nothing(browser: Page, tmp_path: Path) -> None:
    path = written(tmp_path, conversation(), "--operation", "nothing")
    browser.errors.clear()
    browser.resize(*DESKTOP)
    browser.open(path)
    assert browser.text("#list .none") == "No message is like that."
    assert not browser.errors
