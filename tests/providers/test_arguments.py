"""Arguments that a server repeats: told once, and as they come."""

import json
import re
import time
from itertools import pairwise

import pytest
from hypothesis import given as with_any
from hypothesis import strategies as st

from chat.providers.arguments import Arguments
from chat.providers.json_beginning import may_begin

WHOLE = '{"city": "Berlin", "days": [1, 2]}'


def told(*pieces: str) -> tuple[list[str], str]:
    """What each piece gives, and the end."""
    arguments = Arguments()
    return [arguments.feed(piece) for piece in pieces], arguments.end()


def test_pieces_that_grow_are_told_as_they_come() -> None:
    grown = [WHOLE[:end] for end in range(1, len(WHOLE) + 1)]
    given, rest = told(*grown)
    assert "".join(given) + rest == WHOLE
    assert all(given[4:]), "held back longer than it has to be"


def test_an_empty_object_before_them_is_a_place_for_them() -> None:
    assert told("{}", WHOLE[:5], WHOLE[5:]) == (["", WHOLE[:5], WHOLE[5:]], "")
    assert told("{}", "{}") == (["", ""], "{}")
    assert told("{}", "\n") == (["", ""], "{}\n")


@pytest.mark.parametrize("again", [[WHOLE], [WHOLE[:7], WHOLE[7:]], [WHOLE] * 20, list(WHOLE) * 3])
def test_what_stands_behind_a_whole_object_says_it_once_more(again: list[str]) -> None:
    given, rest = told(WHOLE[:9], WHOLE[9:], *again)
    assert "".join(given) + rest == WHOLE


@pytest.mark.parametrize("end", [1, 2, 5, 9, 13, 14, 16, 22, 25, 26, 27, 30])
@pytest.mark.parametrize("times", [1, 2, 7, 8, 9, 40, 1000])
def test_the_same_again_while_nothing_is_new_is_no_part(end: int, times: int) -> None:
    """A server that sends all so far in each piece, and sends it again during a pause."""
    given, rest = told(*[WHOLE[:end]] * times, WHOLE[: end + 1], *[WHOLE] * times)
    assert "".join(given) + rest == WHOLE


@pytest.mark.parametrize(
    "text", ['{"at": "12:', '{"a": "x[', '{"a": 1,', '{"a": [1], ', '{"a": "\\\\', '{"a": "{']
)
def test_a_repetition_is_known_at_once_where_no_object_can_stand(text: str) -> None:
    assert told(text, text, text + '"') == ([text, "", '"'], "")


def test_parts_that_are_equal_are_told_when_it_is_clear_that_they_are_parts() -> None:
    """An object in an object in an object."""
    given, rest = told(*['{"a":'] * 100, "1", *["}"] * 100)
    assert "".join(given) + rest == '{"a":' * 100 + "1" + "}" * 100
    assert given[:102] == ['{"a":', *[""] * 99, '{"a":' * 99 + "1", "}"]
    given, rest = told(*['{"a":'] * 100)  # cut off
    assert "".join(given) + rest == '{"a":' * 100


def test_an_object_in_itself_is_no_repetition() -> None:
    text = '{"a":{"a":1}}'
    assert told(text[:5], text[5:12], text[12:]) == ([text[:5], "", text[5:]], "")
    assert told(text[:5], text[5:12], text[5:12]) == ([text[:5], "", "1}"], "")
    assert told(text[:5], text[5:12]) == ([text[:5], ""], "1}")
    assert told(text[:5], text[5:]) == ([text[:5], ""], text[5:])


@pytest.mark.parametrize(
    "piece", ['{"a":', '[{"a":[', '{"', "{", " ", "ha", '{"a": "' + "x" * 3000, '{"a":[']
)
def test_whatever_is_repeated_costs_bounded_time_and_memory(piece: str) -> None:
    arguments, began = Arguments(), time.process_time()
    for _ in range(20_000):
        arguments.feed(piece)
        assert len(arguments._held) <= 10_000
    arguments.feed('{"b": "' + "y" * 1_000_000)
    for _ in range(20_000):
        arguments.feed("z")
    arguments.end()
    assert time.process_time() - began < 2


# -- whatever the arguments are, and wherever they are cut -------------------------------------------

NAMES = st.sampled_from(["a", "b", "", "{", '{"a', ":", ", ", '"', "\\", "ü"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a", "aaaa", "{", '{"a":', "[1,", "\\"]),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(NAMES, inside, max_size=3)
        | st.builds(lambda value, times: [value] * times, inside, st.integers(2, 9))
    ),
    max_leaves=8,
)


@st.composite
def nested(draw: st.DrawFn) -> str:
    """An object with itself inside it, again and again: its parts may be equal."""
    opened = draw(st.sampled_from(['{"a":', '{"":', '{"a":[', '{"a":[1,', '{"a":{"b":', '{"{": [', '{"{":']))
    closed = "".join(
        {"{": "}", "[": "]"}[sign] for sign in reversed(re.sub(r'"[^"]*"', "", opened)) if sign in "{["
    )
    times = draw(st.integers(1, 20))
    return opened * times + draw(st.sampled_from(["1", '"x"', "{}", '{"b": [1, 1, 1]}'])) + closed * times


OBJECTS = nested() | st.builds(
    lambda value, indent: json.dumps(value, indent=indent, ensure_ascii=False),
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=4),
    st.sampled_from([None, 1]),
)


def ends(text: str) -> st.SearchStrategy[list[int]]:
    """Places to cut at: anywhere, or in steps that make many parts equal."""
    anywhere = st.lists(st.integers(1, len(text)), max_size=12).map(sorted)
    return anywhere | st.integers(1, 12).map(lambda step: list(range(step, len(text), step)))


@with_any(st.data(), OBJECTS)
def test_parts_cut_anywhere(data: st.DataObject, text: str) -> None:
    cuts = [0, *data.draw(ends(text)), len(text)]
    given, rest = told(*(text[start:end] for start, end in pairwise(cuts)))
    assert "".join(given) + rest == text


@with_any(st.data(), OBJECTS, st.booleans())
def test_all_so_far_in_each_piece_as_often_as_it_likes(data: st.DataObject, text: str, empty: bool) -> None:
    cuts = [*data.draw(ends(text)), len(text)]
    times = data.draw(st.lists(st.integers(1, 12), min_size=len(cuts), max_size=len(cuts)))
    pieces = [text[:end] for end, often in zip(cuts, times, strict=True) for _ in range(often)]
    given, rest = told(*["{}"] * (empty and pieces[0] != "{"), *pieces)
    assert "".join(given) + rest == text


@with_any(st.data(), OBJECTS)
def test_parts_and_then_the_whole_once_more(data: st.DataObject, text: str) -> None:
    cuts = [0, *data.draw(ends(text)), len(text)]
    parts = [text[start:end] for start, end in pairwise(cuts)]
    given, rest = told(*parts, *[text] * data.draw(st.integers(1, 9)))
    assert "".join(given) + rest == text


@with_any(OBJECTS, st.sampled_from(list('{}[]:,1x"')))
def test_every_beginning_of_json_is_one_and_a_wrong_sign_behind_it_is_found(text: str, sign: str) -> None:
    assert all(may_begin(text[:end]) for end in range(len(text) + 1))
    assert not may_begin(text + sign)
