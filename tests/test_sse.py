"""Given these bytes, these events, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.errors import Malformed, TooLarge
from chat.sse import Comment, Decoder, ServerSentEvent, Stray, comment, encode

Event = ServerSentEvent


def decode(*chunks: bytes, limit: int = 4096) -> list[ServerSentEvent | Comment]:
    decoder = Decoder(limit)
    found = [e for chunk in chunks for e in decoder.feed(chunk) if not isinstance(e, Stray)]
    if decoder.fault:
        raise decoder.fault
    return found


LEGAL = {
    "line feeds": (b"data: a\n\ndata: b\n\n", [Event("a"), Event("b")]),
    "carriage returns": (b"data: a\r\rdata: b\r\r", [Event("a"), Event("b")]),
    "both": (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event("a"), Event("b")]),
    "mixed": (b"data: a\r\n\ndata: b\n\rdata: c\r\r\n", [Event("a"), Event("b"), Event("c")]),
    "no space": (b"data:a\n\n", [Event("a")]),
    "two spaces": (b"data:  a\n\n", [Event(" a")]),
    "several data lines": (b"data: a\ndata:\ndata: b\n\n", [Event("a\n\nb")]),
    "empty data": (b"data:\n\n", [Event("")]),
    "data without a colon": (b"data\n\n", [Event("")]),
    "event without data": (b"event: ping\n\n", []),
    "event belongs to one event": (b"event: a\ndata: 1\n\ndata: 2\n\n", [Event("1", "a"), Event("2")]),
    "a dropped event leaves no name": (b"event: a\n\ndata: 1\n\n", [Event("1")]),
    "id stays": (b"id: 7\ndata: 1\n\ndata: 2\n\n", [Event("1", id="7"), Event("2", id="7")]),
    "id with a null byte": (b"id: 7\0\ndata: 1\n\n", [Event("1")]),
    "comments": (b": ping\n\n:\ndata: 1\n: between\ndata: 2\n\n",
                 [Comment("ping"), Comment(), Comment("between"), Event("1\n2")]),
    "retry and unknown fields": (b"retry: 10\nfoo: bar\nfoo\ndata: 1\n\n", [Event("1")]),
    "byte order mark": (b"\xef\xbb\xbfdata: 1\n\n", [Event("1")]),
    "byte order mark later is text": (b"data: 1\n\n\xef\xbb\xbfdata: 2\n\n", [Event("1")]),
    "colon in the value": (b"data: {\"a\": 1}\n\n", [Event('{"a": 1}')]),
    "four bytes": ("data: 🚲 ö\n\n".encode(), [Event("🚲 ö")]),
    "no final blank line": (b"data: 1\n\ndata: 2\n", [Event("1")]),
    "Unicode's separators are text": ("data: a\u2028b\x85c\x0b\n\n".encode(), [Event("a\u2028b\x85c\x0b")]),
    "nothing": (b"", []),
}  # fmt: skip


@pytest.mark.parametrize("name", LEGAL)
def test_whole_and_byte_by_byte(name: str) -> None:
    wire, expected = LEGAL[name]
    assert decode(wire) == expected
    assert decode(*(wire[i : i + 1] for i in range(len(wire)))) == expected


@given(st.data())
def test_any_cut_of_anything_legal(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from([n for n in LEGAL if n != "no final blank line"]), max_size=4))
    wire = b"".join(LEGAL[name][0] + b"\n\n" for name in names)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    chunks = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert decode(*chunks) == decode(wire)


_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=8)


@given(st.text(max_size=60), _NAMES, _NAMES, st.integers(1, 7))
def test_what_is_encoded_can_be_decoded(data: str, event: str, id: str, size: int) -> None:
    data = data.encode(errors="replace").decode()
    wire = comment("hello") + encode(data, event=event, id=id)
    lines = data.replace("\r\n", "\n").replace("\r", "\n")
    chunks = [wire[i : i + size] for i in range(0, len(wire), size)]
    assert decode(*chunks) == [Comment("hello"), Event(lines, event, id)]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_events_before_broken_bytes_arrive_first(size: int) -> None:
    wire = b"data: 1\n\ndata: \xff\n\ndata: 2\n\n"
    decoder, found = Decoder(), []
    for start in range(0, len(wire), size):
        found += decoder.feed(wire[start : start + size])
        if decoder.fault:
            break
    assert found == [Event("1")]
    with pytest.raises(Malformed, match="UTF-8"):
        decoder.feed(b"data: 3\n\n")


@pytest.mark.parametrize("size", [7, 100, 100_000])
@pytest.mark.parametrize(
    "wire",
    [b"data: " + b"x" * 5000, b"data: " + b"x" * 5000 + b"\n\n", b"data: xxx\n" * 600, b"\xff" * 5000],
    ids=["endless line", "long line", "many lines", "garbage"],
)
def test_one_event_has_a_largest_size(wire: bytes, size: int) -> None:
    with pytest.raises(TooLarge):
        decode(encode("small"), *(wire[i : i + size] for i in range(0, len(wire), size)))


def test_many_events_and_comments_have_no_largest_size() -> None:
    wire = (encode("x" * 1000) + comment("y" * 1000)) * 20 + b": z\n" * 3000 + encode("end")
    assert decode(wire)[-1] == Event("end")


def test_names_are_single_lines() -> None:
    with pytest.raises(ValueError, match="single lines"):
        encode("x", event="a\nb")
