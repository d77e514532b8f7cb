"""Given pieces of arguments or of text, as servers send them: what is new in each."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.providers.arguments import Arguments
from chat.providers.cumulative import Cumulative


def arguments(*pieces: str) -> str:
    made = Arguments()
    return "".join(map(made.feed, pieces)) + made.end()


WHOLE = '{"expression": "2+3"}'


@pytest.mark.parametrize(
    "pieces",
    [
        ['{"expression"', ': "2+3"}'],
        ['{"expression"', ': "2+3"}', WHOLE],  # and the whole
        ['{"expression"', ': "2+3"}', '{"expression":"2+3"}'],  # written in another way
        ['{"expression"', ': "2+3"}', '{"expr', 'ession": "2+3"}'],  # in pieces, twice
        [WHOLE, WHOLE],
        ['{"expr', '{"expression": "2', WHOLE],  # each piece holds what was before
        ["{}", WHOLE],  # a place for it, then the arguments
        ["{}", '{"expression"', ': "2+3"}'],
        [WHOLE, "\n"],
        [WHOLE, "{}"],
    ],
)
def test_arguments_are_said_once(pieces: list[str]) -> None:
    assert json.loads(arguments(*pieces)) == {"expression": "2+3"}


def test_a_call_without_arguments_keeps_its_empty_object() -> None:
    assert arguments("{}") == "{}"
    assert arguments("{", "}") == "{}"


_JSON = st.recursive(
    st.none() | st.integers() | st.text('ab{}"', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab{"), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text("ab{}"), _JSON, max_size=4), st.lists(st.integers(0, 200), max_size=8))
def test_arguments_cut_anywhere_stay_as_they_are(value: dict[str, object], places: list[int]) -> None:
    text = json.dumps(value)
    cuts = sorted({min(place, len(text)) for place in places})
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert arguments(*pieces) == text
    assert json.loads(arguments(*pieces, text)) == value


def said(*pieces: str, closing: bool = False) -> str:
    text = Cumulative()
    last = len(pieces) - 1
    return "".join(text.feed(p, closing=closing and n == last) for n, p in enumerate(pieces)) + text.end()


def so_far(*words: str) -> list[str]:
    return ["".join(words[: n + 1]) for n in range(len(words))]


WORDS = ("Valve", " 12", " takes", " pump", " B", " and", " nothing", " else.")


def test_each_piece_holds_what_came_before() -> None:
    assert said(*so_far(*WORDS)) == "".join(WORDS)
    assert said(*so_far(*WORDS), "".join(WORDS)) == "".join(WORDS)
    assert said(*so_far("Pump", " B", " fits")) == "Pump B fits"
    assert said("Valve 12 takes", "Valve 12 takes pump B.") == "Valve 12 takes pump B."
    assert said(*so_far(*"Pump B fits valve 12.")) == "Pump B fits valve 12."


def test_the_last_piece_is_all_of_it_once_more() -> None:
    assert said(*WORDS, "".join(WORDS), closing=True) == "".join(WORDS)


@pytest.mark.parametrize(
    "pieces",
    [
        ("ha", "ha", "haha", "!"),
        ("ha", "haha", "hahaha", "hahahaha"),
        ("no", "no no", " no"),
        ("1", "12", "123", "."),
        ("I like valves. ", "I like valves. ", "So do I."),
        ("I like valves. ", "I like valves. "),
        ("\n", "\n", "\n"),
        ("-",) * 100,
        ("a", "ab", "abc"),
    ],
)
def test_true_repetitions_stay(pieces: tuple[str, ...]) -> None:
    assert said(*pieces) == "".join(pieces)
    assert said(*pieces, closing=True) == "".join(pieces)


@given(st.lists(st.text("ab ", max_size=3), max_size=20))
def test_a_text_of_few_letters_is_never_cut(pieces: list[str]) -> None:
    assert said(*pieces) == "".join(pieces)
