"""The closed set of failures, and texts that leave without a key in them."""

import re
import time
from collections.abc import Iterator
from typing import get_args

import pytest

from chat import errors
from chat.errors import BUG, Failure, Fault, Kind, Refused, redact


def kinds(of: type[Fault] = Fault) -> Iterator[type[Fault]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_kind_has_one_class_and_every_finer_class_the_kind_above_it():
    named = [kind.kind for kind in Fault.__subclasses__()]
    assert sorted([*named, "stopped", "bug"]) == sorted(get_args(Kind))  # two that are no exceptions of ours
    for finer in set(kinds()) - set(Fault.__subclasses__()):
        assert finer.kind == finer.__bases__[0].kind


def test_the_drawing_in_the_docstring_is_the_tree():
    drawn = dict(re.findall(r"──\s+(\w+)\s+(\w+)?", errors.__doc__ or ""))
    assert set(drawn) == {kind.__name__ for kind in kinds()}
    for kind in Fault.__subclasses__():
        assert drawn[kind.__name__] == kind.kind


def test_a_fault_as_a_value():
    fault = errors.RateLimited("Too many questions.", retry_after=7, status=429)
    assert fault.told(operator=True) == Failure("rate_limited", "Too many questions.", 7, 429)
    assert str(fault) == "Too many questions."
    refused = Refused("No temperature.", parameter="temperature", status=400)
    assert refused.told(operator=False).kind == "bad_request"


def test_a_hint_is_told_to_the_operator_alone():
    fault = errors.Auth("No key is set here.", hint="Set ACME_API_KEY.")
    assert fault.told(operator=True).message == fault.whole == "No key is set here. Set ACME_API_KEY."
    assert fault.told(operator=False).message == fault.message == str(fault) == "No key is set here."


def test_a_bug_is_shown_as_a_neutral_sentence():
    assert BUG.kind == "bug"
    assert "Traceback" not in BUG.message


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "Incorrect API key provided: sk-proj-abcDEF123456. Find yours",
            "Incorrect API key provided: [key]. Find yours",
        ),
        ("key sk-ant-api03-AbC_dEf-123456789", "key [key]"),
        ("masked sk-ab***********wxyz here", "masked [key] here"),
        ("Bearer gsk_aBcDeFgHiJkLmNoP!", "Bearer [key]!"),
        ("hf_abcdefghijkl and xai-abcdefghijkl", "[key] and [key]"),
        ("AIzaSyA1234567890_-abc", "[key]"),
        ("key-0123456789ab, key_abc***def", "[key], [key]"),
        ("held: hunter2hunter2", "held: [key]"),
        ("twice hunter2hunter2hunter2hunter2", "twice [key][key]"),
        ("HUNTER2hunter2", "[key]"),
        ("broken hunter2\r\n  hun\u200bter2.", "broken [key]."),
        ("Bearer SK-PROJ-ABCDEF123456", "Bearer [key]"),
    ],
)
def test_keys_are_taken_out(text: str, left: str):
    assert redact(text, ["hunter2hunter2"]) == left


@pytest.mark.parametrize(
    "text",
    [
        "The model gpt-5-mini does not exist.",
        "max_tokens: 4096 is more than sk allows",
        "risk-free-of-charge",
        "monkey-business key: 12",
        "disk-space is full",
        "a key-value-store and a key_management service",
    ],
)
def test_ordinary_words_stay(text: str):
    assert redact(text) == text


LONG = "Zq81xYwv0aKdT7LmNn3pRs9U"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Your key {LONG[:12]} is wrong.", "Your key [key] is wrong."),
        (f"Your key {LONG[:14]}. Get another", "Your key [key]. Get another"),
        (f"ending in …{LONG[-8:]}.", "ending in [key]."),
        (f"«{LONG[4:]}»", "«[key]»"),
        (f"{LONG[:4]}****{LONG[-4:]} is no key", "[key] is no key"),
        (f"{LONG[:3]}...{LONG[-4:]}", "[key]"),
        (f"twice: {LONG[:10].lower()}, {LONG[-9:].upper()}", "twice: [key], [key]"),
    ],
)
def test_pieces_of_a_key_are_taken_out_too(text: str, left: str):
    assert redact(text, [LONG]) == left


def test_pieces_are_looked_for_in_linear_time():
    begun = time.perf_counter()
    redact("a" * 30_000 + LONG[-7:], [LONG])
    redact(LONG[:3] * 10_000, [LONG])
    assert time.perf_counter() - begun < 1


def test_an_empty_or_tiny_key_does_not_shred_the_text():
    assert redact("a sentence", ["", "a", "sen"]) == "a sentence"
