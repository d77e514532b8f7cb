"""Given a model's text, cut anywhere: what is thinking and what is the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.providers.think_tags import ThinkTags


def split(*pieces: str) -> tuple[str, str]:
    tags = ThinkTags()
    found = [tags.feed(piece) for piece in pieces] + [tags.end()]
    return "".join(thinking for thinking, _ in found), "".join(text for _, text in found)


TEXTS = {
    "none": ("Hello <b>you</b>", ("", "Hello <b>you</b>")),
    "simple": ("<think>\nhm\n</think>\n\nYes", ("hm\n", "Yes")),
    "blank before": ("\n <think>hm</think>Yes", ("hm", "Yes")),
    "not at the start": ("Write <think>hm</think>", ("", "Write <think>hm</think>")),
    "in code": ("`<think>` opens it", ("", "`<think>` opens it")),
    "in a block": ("```\n<think>x</think>\n```", ("", "```\n<think>x</think>\n```")),
    "closing tag in code": ("<think>is it `</think>`?</think>Yes", ("is it `</think>`?", "Yes")),
    "code ends at the tag": ("<think>it is `x`</think>Yes", ("it is `x`", "Yes")),
    "code is open at the tag": ("<think>it is `</think>Yes", ("it is `", "Yes")),
    "never closed": ("<think>hm, hm", ("hm, hm", "")),
    "cut off in a tag": ("<think>hm</thi", ("hm</thi", "")),
    "a second pair is text": ("<think>a</think>b<think>c</think>", ("a", "b<think>c</think>")),
    "nothing in it": ("<think>\n\n</think>\n\nYes", ("", "Yes")),
    "only the start of a tag": ("<thi", ("", "<thi")),
    "another tag": ("<thinking>", ("", "<thinking>")),
    "indented answer": ("<think>a</think>\n    code", ("a", "    code")),
    "blank": ("  \n", ("", "  \n")),
}


@pytest.mark.parametrize("name", TEXTS)
def test_whole_and_letter_by_letter(name: str) -> None:
    text, expected = TEXTS[name]
    assert split(text) == expected
    assert split(*text) == expected


@given(st.data())
def test_any_cut(data: st.DataObject) -> None:
    parts = st.sampled_from(["<think>", "</think>", "`", "\n", " ", "x", "<", "</", "think>"])
    text = "".join(data.draw(st.lists(parts, max_size=12)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert split(*pieces) == split(text)


def test_what_follows_needs_no_more_looking_at() -> None:
    tags = ThinkTags()
    tags.feed("<think>a</think>")
    assert not tags.passed
    tags.feed("b")
    assert tags.passed
