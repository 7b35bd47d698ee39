"""Code sets: the table, text in each of them, and what two ORBs agree on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiop.cdr import ByteOrder, code_sets
from iiop.cdr.code_sets import (
    CODE_SETS,
    INTERSTAGE_CODE_SETS,
    ISO_8859_1,
    NO_CODE_SET,
    NOT_ROUND,
    UTF_8,
    UTF_16,
    Choice,
    Negotiated,
    choose,
    code_set_name,
    compatible,
    decode_text,
    encode_text,
    negotiate,
    register_code_set,
)
from iiop.exceptions import (
    CODESET_INCOMPATIBLE,
    CompletionStatus,
    DecodeError,
    EncodeError,
    explain_minor,
)
from iiop.profile import CodeSetComponent, CodeSetComponentInfo
from ior.registry import CODE_SETS as CODE_SETS_OF_IOR
from ior.registry import code_set_name as code_set_name_of_ior

SJIS, EUC_JP, UCS_2, ISO_646, IBM_037, IBM_943 = 0x05000011, 0x00030010, 0x00010100, 0x00010020, 0x10020025, 0x100203AF
FUJITSU_U90, FUJITSU_S90, FUJITSU_JEF = 0x10040001, 0x10040002, 0x10040004
READABLE = [number for number, code_set in CODE_SETS.items() if code_set.codec]
WIDE = [number for number in READABLE if CODE_SETS[number].codec in {"utf-16", "utf-32"}]


# --- the table ---


def test_the_registry() -> None:
    assert len(CODE_SETS) == 192
    assert len({code_set.name for code_set in CODE_SETS.values()}) == len(CODE_SETS)
    for number, code_set in CODE_SETS.items():
        assert code_set.number == number
        assert 1 <= code_set.max_octets <= 6
        assert code_set.title
        assert code_set.exact <= bool(code_set.codec)


def test_ibm_numbers_are_their_ccsid() -> None:
    for number, code_set in CODE_SETS.items():
        if code_set.name.startswith("IBM-") and "+" not in code_set.name:
            shown = code_set.name.removeprefix("IBM-").removesuffix(")").split(" (CCSID ")[-1]
            assert number == 0x10020000 + int(shown), code_set.name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0x00010001, "ISO-8859-1"),
        (0x0001000F, "ISO-8859-15"),
        (0x00010109, "UTF-16"),
        (0x05010001, "UTF-8"),
        (0x10040001, "Fujitsu-U90"),
        (0x10040003, "Fujitsu-R90"),
        (0x100203AF, "IBM-943"),
        (0x10021352, "IBM-850 (CCSID 4946)"),
        (0, None),
        (0xFFFFFFFF, None),
    ],
)
def test_names(number: int, name: str | None) -> None:
    assert code_set_name(number) == name


def test_references_use_the_same_table() -> None:
    assert CODE_SETS_OF_IOR is CODE_SETS
    assert code_set_name_of_ior is code_set_name


def test_names_of_interstage() -> None:
    named = {value: code_set_name(number) for value, number in INTERSTAGE_CODE_SETS.items() if number is not None}
    assert named == {
        "UTF8": "UTF-8",
        "EUC": "Fujitsu-S90",
        "U90": "Fujitsu-U90",
        "SJIS": "Fujitsu-R90",
        "JEF_ASCII": "Fujitsu-JEF-ASCII",
        "JEF_KANA": "Fujitsu-JEF-Katakana",
    }
    assert {value for value, number in INTERSTAGE_CODE_SETS.items() if number is None} == {"UNICODE", "SJISMS", "JEF_LOWER"}


def test_a_user_adds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_sets, "CODE_SETS", dict(CODE_SETS))
    register_code_set(0x58590001, "KOI8-R", codec="koi8_r", character_sets=[0x15])
    assert code_set_name(0x58590001) == "KOI8-R"
    assert decode_text(encode_text("Привет", 0x58590001), 0x58590001) == "Привет"
    assert compatible(0x58590001, 0x00010005)
    register_code_set(0x58590002, "mine")
    with pytest.raises(EncodeError, match="mine"):
        encode_text("a", 0x58590002)
    with pytest.raises(LookupError):
        register_code_set(0x58590003, "no", codec="no such codec")


# --- text ---


def is_round(number: int, text: str) -> bool:
    return not set(text) & set(NOT_ROUND.get(CODE_SETS[number].codec, ""))


@given(st.sampled_from(READABLE), st.text(), st.sampled_from(ByteOrder))
def test_text_comes_back(number: int, text: str, byte_order: ByteOrder) -> None:
    try:
        octets = encode_text(text, number, byte_order)
    except EncodeError:
        return
    back = decode_text(octets, number, byte_order)
    if is_round(number, text):
        assert back == text
    assert encode_text(back, number, byte_order) == octets


@given(st.sampled_from(READABLE), st.data())
def test_what_a_code_set_can_say_comes_back(number: int, data: st.DataObject) -> None:
    """As above, but of text that the code set does have, so that refusals do not hide the rest."""
    octets = data.draw(st.binary(max_size=12))
    try:
        text = decode_text(octets, number)
    except DecodeError:
        return
    try:
        again = encode_text(text, number)
    except EncodeError:
        assert CODE_SETS[number].codec == "euc_kr"
        return
    assert decode_text(again, number) == text


@pytest.mark.parametrize("codec", sorted({CODE_SETS[number].codec for number in READABLE} - {"utf-8", "utf-16", "utf-32"}))
def test_every_character_comes_back_or_is_named(codec: str) -> None:
    numbers = [number for number in READABLE if CODE_SETS[number].codec == codec]
    number, lost, longest = numbers[0], set(), 0
    for point in (*range(0xD800), *range(0xE000, 0x10000)):
        try:
            octets = encode_text(chr(point), number)
        except EncodeError:
            continue
        longest = max(longest, len(octets))
        if decode_text(octets, number) != chr(point):
            lost.add(chr(point))
    assert lost == set(NOT_ROUND.get(codec, ""))
    assert longest <= max(CODE_SETS[number].max_octets for number in numbers)


@given(st.sampled_from(sorted(CODE_SETS)), st.binary(), st.sampled_from(ByteOrder))
def test_any_octets_are_text_or_a_decode_error(number: int, octets: bytes, byte_order: ByteOrder) -> None:
    refused = None
    try:
        decode_text(octets, number, byte_order)
    except DecodeError as error:
        refused = error
    if refused is not None:
        assert refused.offset is None or 0 <= refused.offset <= len(octets)
        assert f"{number:#010x}" in str(refused)


@given(st.sampled_from(sorted(CODE_SETS)), st.text(st.characters(exclude_categories=())))
def test_any_text_is_octets_or_an_encode_error(number: int, text: str) -> None:
    refused = None
    try:
        encode_text(text, number)
    except EncodeError as error:
        refused = error
    assert refused is None or f"{number:#010x}" in str(refused)


@pytest.mark.parametrize("number", WIDE)
def test_wide_code_sets_have_a_byte_order(number: int) -> None:
    big, little = (encode_text("ab表", number, order) for order in (ByteOrder.BIG, ByteOrder.LITTLE))
    width = CODE_SETS[number].max_octets
    assert b"".join(big[i : i + width][::-1] for i in range(0, len(big), width)) == little
    assert big == encode_text("ab表", number)


@pytest.mark.parametrize(
    ("octets", "order", "text"),
    [
        ("8868", ByteOrder.BIG, "表"),
        ("6888", ByteOrder.LITTLE, "表"),
        ("feff8868", ByteOrder.LITTLE, "表"),
        ("fffe6888", ByteOrder.BIG, "表"),
        ("feff", ByteOrder.BIG, ""),
        ("fefffeff", ByteOrder.BIG, "\ufeff"),
        ("d83dde00", ByteOrder.BIG, "\U0001f600"),
    ],
)
def test_byte_order_of_utf_16(octets: str, order: ByteOrder, text: str) -> None:
    assert decode_text(bytes.fromhex(octets), UTF_16, order) == text


@pytest.mark.parametrize("text", ["\ufeff", "\ufffe", "\ufeffa", "\ufffea", "a\ufeff", "\ufeff\ufeff"])
@pytest.mark.parametrize("order", ByteOrder)
def test_text_that_begins_like_a_mark(text: str, order: ByteOrder) -> None:
    assert decode_text(encode_text(text, UTF_16, order), UTF_16, order) == text


@pytest.mark.parametrize(
    ("number", "text", "octets"),
    [
        (SJIS, "表示ソ", "955c8ea6835c"),
        (EUC_JP, "表ｱ丂", "c9bd8eb18fb0a1"),
        (FUJITSU_U90, "富士通", "c9d9bbcec4cc"),
        (0x10040003, "高①", "8d828740"),
        (UTF_8, "表", "e8a1a8"),
        (IBM_037, "CORBA", "c3d6d9c2c1"),
        (ISO_8859_1, "é", "e9"),
        (0x00010104, "a", "00000061"),
    ],
)
def test_known_octets(number: int, text: str, octets: str) -> None:
    assert encode_text(text, number).hex() == octets
    assert decode_text(bytes.fromhex(octets), number) == text


@pytest.mark.parametrize(
    ("text", "number", "said"),
    [
        ("ab€", ISO_8859_1, "character U+20AC at index 2 is not in code set ISO-8859-1 (0x00010001)"),
        ("é", ISO_646, "character U+00E9 at index 0 is not in code set ISO-646 (0x00010020)"),
        ("a\U0001f600", UCS_2, "character U+1F600 at index 1 is not in code set UCS-2-level-1 (0x00010100)"),
        ("\ud800", UTF_8, "character U+D800 at index 0 is not in code set UTF-8 (0x05010001)"),
        ("a뢔", 0x0004000A, "character U+B894 at index 1 is not in code set eucKR (0x0004000a)"),
        ("a", FUJITSU_JEF, "code set Fujitsu-JEF-ASCII (0x10040004) cannot be written here"),
        ("a", 7, "code set 0x00000007 cannot be written here"),
    ],
)
def test_what_cannot_be_encoded(text: str, number: int, said: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_text(text, number)
    assert caught.value.reason == said


@pytest.mark.parametrize(
    ("octets", "number", "offset", "said"),
    [
        ("61ff", UTF_8, 1, "not text in code set UTF-8 (0x05010001)"),
        ("feff61", UTF_16, 2, "not text in code set UTF-16 (0x00010109): truncated data"),
        ("0061dc00", UTF_16, 2, "not text in code set UTF-16"),
        ("d83dde00", UCS_2, 0, "code set UCS-2-level-1 (0x00010100) has no surrogates"),
        ("95", SJIS, 0, "incomplete multibyte sequence"),
        ("80", ISO_646, 0, "not text in code set ISO-646"),
        ("61", FUJITSU_JEF, None, "code set Fujitsu-JEF-ASCII (0x10040004) cannot be read here"),
        ("61", 7, None, "code set 0x00000007 cannot be read here"),
    ],
)
def test_what_cannot_be_decoded(octets: str, number: int, offset: int | None, said: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_text(bytes.fromhex(octets), number)
    assert caught.value.offset == offset
    assert said in caught.value.reason


def test_octets_may_be_a_view() -> None:
    assert decode_text(memoryview(b"\xfe\xff\0a"), UTF_16) == "a"
    assert decode_text(memoryview(b"a"), UTF_8) == "a"


# --- negotiation ---


def side(native: int, *conversions: int) -> CodeSetComponent:
    return CodeSetComponent(native, conversions)


def info(char: CodeSetComponent, wchar: CodeSetComponent) -> CodeSetComponentInfo:
    return CodeSetComponentInfo(char, wchar)


OMNIORBPY = info(side(ISO_8859_1, UTF_8), side(UTF_16, UTF_16))
"""What omniORBpy 4.3.3 puts into its references, and has as a client."""

NO_WCHAR = side(NO_CODE_SET)


@pytest.mark.parametrize(
    ("client", "server", "fallback", "agreed", "why"),
    [
        (side(ISO_8859_1), side(ISO_8859_1), UTF_8, ISO_8859_1, Choice.SAME_NATIVE),
        (side(ISO_8859_1, UTF_8), side(ISO_8859_1, UTF_8), UTF_8, ISO_8859_1, Choice.SAME_NATIVE),
        (side(ISO_8859_1, UTF_8), side(UTF_8), UTF_8, UTF_8, Choice.SERVER_NATIVE),
        (side(UTF_8), side(ISO_8859_1, UTF_8), UTF_8, UTF_8, Choice.CLIENT_NATIVE),
        (side(UTF_8, ISO_8859_1), side(ISO_8859_1, UTF_8), UTF_8, ISO_8859_1, Choice.SERVER_NATIVE),
        (side(SJIS, UTF_8, EUC_JP), side(IBM_943, EUC_JP, UTF_8), UTF_8, EUC_JP, Choice.COMMON_CONVERSION),
        (side(SJIS, EUC_JP, UTF_8), side(IBM_943, UTF_8, EUC_JP), UTF_8, UTF_8, Choice.COMMON_CONVERSION),
        (side(SJIS), side(EUC_JP), UTF_8, UTF_8, Choice.FALLBACK),
        (side(SJIS), side(FUJITSU_U90), UTF_8, UTF_8, Choice.FALLBACK),
        (side(ISO_8859_1), side(IBM_037), UTF_8, UTF_8, Choice.FALLBACK),
        (side(UCS_2), side(UTF_16), UTF_16, UTF_16, Choice.FALLBACK),
        (side(NO_CODE_SET, UTF_8), side(NO_CODE_SET), UTF_8, ISO_8859_1, Choice.SAME_NATIVE),
        (side(0x58590001), side(0x58590001), UTF_8, 0x58590001, Choice.SAME_NATIVE),
    ],
)
def test_choice(client: CodeSetComponent, server: CodeSetComponent, fallback: int, agreed: int, why: Choice) -> None:
    assert choose(client, server, fallback) == (agreed, why)


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (side(ISO_8859_1), side(0x00010005)),
        (side(ISO_8859_1), side(UTF_8)),  # the registry gives UTF-8 the one character set of ISO 10646, which Latin 1 is not
        (side(SJIS, UTF_8), side(0x0004000A, UTF_16)),
        (side(0x58590001), side(0x58590002)),
    ],
)
def test_nothing_in_common(client: CodeSetComponent, server: CodeSetComponent) -> None:
    with pytest.raises(CODESET_INCOMPATIBLE) as caught:
        choose(client, server, UTF_8)
    assert caught.value == CODESET_INCOMPATIBLE(0x4F4D0001, CompletionStatus.COMPLETED_NO)
    assert "NEGOTIATION_FAILED" in str(caught.value)


@pytest.mark.parametrize(
    ("client", "server", "agreed"),
    [
        (OMNIORBPY, OMNIORBPY, Negotiated(ISO_8859_1, UTF_16)),
        (OMNIORBPY, info(side(UTF_8, ISO_8859_1), side(UTF_16)), Negotiated(UTF_8, UTF_16)),
        (info(side(UTF_8), side(UTF_16)), OMNIORBPY, Negotiated(UTF_8, UTF_16)),
        (info(side(SJIS, UTF_8), side(UTF_16)), OMNIORBPY, Negotiated(UTF_8, UTF_16)),
        (OMNIORBPY, info(side(ISO_8859_1), NO_WCHAR), Negotiated(ISO_8859_1, NO_CODE_SET)),
        (info(side(ISO_8859_1), NO_WCHAR), OMNIORBPY, Negotiated(ISO_8859_1, NO_CODE_SET)),
        (OMNIORBPY, info(side(ISO_8859_1), side(UCS_2)), Negotiated(ISO_8859_1, UTF_16)),
        (OMNIORBPY, None, Negotiated(ISO_8859_1, NO_CODE_SET)),
        (info(side(SJIS), side(UTF_16)), None, Negotiated(ISO_8859_1, NO_CODE_SET)),
    ],
)
def test_negotiation(client: CodeSetComponentInfo, server: CodeSetComponentInfo | None, agreed: Negotiated) -> None:
    assert negotiate(client, server) == agreed


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (OMNIORBPY, info(side(0x00010005), side(UTF_16))),
        (OMNIORBPY, info(side(ISO_8859_1), side(EUC_JP))),
    ],
)
def test_negotiation_fails_for_char_or_wchar(client: CodeSetComponentInfo, server: CodeSetComponentInfo) -> None:
    with pytest.raises(CODESET_INCOMPATIBLE):
        negotiate(client, server)


def test_the_minor_codes_are_those_the_omg_means() -> None:
    for exception, number, word in (
        ("CODESET_INCOMPATIBLE", 1, "code set"),
        ("INV_OBJREF", 1, "wchar"),
        ("INV_OBJREF", 2, "wchar"),
        ("BAD_PARAM", 23, "wchar"),
        ("DATA_CONVERSION", 1, "character"),
    ):
        code = explain_minor(exception, 0x4F4D0000 | number)
        assert code is not None
        assert word in code.meaning


components = st.builds(
    CodeSetComponent, st.sampled_from(sorted(CODE_SETS)), st.lists(st.sampled_from(sorted(CODE_SETS))).map(tuple)
)


@given(components, components)
def test_a_choice_is_always_one_both_sides_can_make(client: CodeSetComponent, server: CodeSetComponent) -> None:
    try:
        agreed, why = choose(client, server, UTF_8)
    except CODESET_INCOMPATIBLE:
        assert not compatible(client.native_code_set, server.native_code_set)
        return
    if why is Choice.FALLBACK:
        assert agreed == UTF_8
    else:
        assert agreed in (client.native_code_set, *client.conversion_code_sets)
        assert agreed in (server.native_code_set, *server.conversion_code_sets)
