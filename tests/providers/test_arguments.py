"""Arguments that a server repeats: told once, and as they come."""

import pytest

from chat.providers.arguments import Arguments

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


def test_a_few_pieces_that_are_equal_hold_up_nothing() -> None:
    """They may be the beginning of an object in an object in an object."""
    given, rest = told(*['{"a":'] * 100)
    assert "".join(given) + rest == '{"a":' * 100
    assert sum(map(bool, given)) > 10


def test_an_object_in_itself_is_no_repetition() -> None:
    text = '{"a":{"a":1}}'
    assert told(text[:5], text[5:12], text[12:]) == ([text[:5], "", ""], text[5:])
