"""Given a model's text, cut anywhere: what is thinking and what is the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.providers.think_tags import LINE, LONGEST, ThinkTags


def split(*pieces: str, at_once: bool = False) -> tuple[str, str]:
    """`at_once`: all of them have arrived when the first is read."""
    tags = ThinkTags()
    thought, said = "", ""
    for piece in pieces:
        thinking, text = tags.feed(piece)
        thought, said = thought + thinking, said + text
        said += "" if at_once else "".join(tags.release())
    thinking, text = tags.end()
    return thought + thinking, said + text


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
    "another tag": ("<thinking>hm</thinking>Yes", ("hm", "Yes")),
    "a tag that is none": ("<thinker>hm</thinker>Yes", ("", "<thinker>hm</thinker>Yes")),
    "of Kimi": ("◁think▷hm◁/think▷Yes", ("hm", "Yes")),
    "of Magistral": ("[THINK]hm[/THINK]Yes [1]", ("hm", "Yes [1]")),
    "of gpt-oss": (
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Yes",
        ("hm", "Yes"),
    ),
    "one pair after another": ("<think>a</think>\n\n<think>b</think>Yes", ("a\n\nb", "Yes")),
    "once more, on its own line": (
        "<think>a</think>So.\n<think>b</think>\nYes",
        ("a\n\nb", "So.\nYes"),
    ),
    "once more, in a block": (
        "<think>a</think>```\n<think>b</think>\n```",
        ("a", "```\n<think>b</think>\n```"),
    ),
    "closing tag in a sentence": ("Use </think> here.", ("", "Use </think> here.")),
    "closing tag in a block": ("So:\n```\n</think>\n```\nYes", ("", "So:\n```\n</think>\n```\nYes")),
    "both tags in a text": ("On <think> and\n</think>\nalike", ("", "On <think> and\n</think>\nalike")),
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
    assert split(*pieces, at_once=True) == split(text)


OPENLESS = {
    "on a line of its own": ("It is small.\n</think>\n\nPump B.", "It is small.\n"),
    "at the end of a line": ("It is small.</think>\nPump B.", "It is small."),
    "another tag": ("It is small.\n</thinking>Pump B.", "It is small.\n"),
    "with a tag in code": ("`<think>` is a tag.\n</think>\nPump B.", "`<think>` is a tag.\n"),
}


@pytest.mark.parametrize("name", OPENLESS)
def test_thinking_without_its_opening_tag(name: str) -> None:
    text, thinking = OPENLESS[name]
    assert split(text) == (thinking, "Pump B.")
    assert split(*text, at_once=True) == (thinking, "Pump B.")


def test_thinking_that_was_shown_as_text_stays_and_is_told_apart() -> None:
    tags = ThinkTags()
    told = [tags.feed("It is "), ("", "".join(tags.release()))]
    told += [tags.feed("small.\n</thi"), tags.feed("nk>\n\nPump B."), tags.end()]
    assert "".join(text for _, text in told) == f"It is small.\n{LINE}Pump B."
    assert not any(thinking for thinking, _ in told)
    assert tags.misplaced


@pytest.mark.parametrize(
    "pieces",
    [[" "], ["\n"], ["<think>", *"\n" * 9], ["<think>a</think>", *" " * 9], ["x", *"<" * 9], ["`", "<"]],
    ids=["blanks", "lines", "in thinking", "behind it", "signs", "ticks"],
)
def test_small_pieces_are_looked_at_once(pieces: list[str]) -> None:
    """The time grows with the text: nothing that was looked at is looked at again, but for a tag's length."""
    tags = ThinkTags()
    for piece in pieces + pieces[-1:] * 2_000:
        tags.feed(piece)
        tags.release()
        assert len(tags._tail) <= LONGEST
    assert sum(map(len, tags._blanks)) <= 2_001 + 9
