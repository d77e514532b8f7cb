"""Given this text, this JSON."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.extract import NOTHING, find_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Here it is: {"a": [1, 2, {"b": null}]}. Done.', {"a": [1, 2, {"b": None}]}),
        ("[1, 2] and [3]", [1, 2]),
        ("{} first", {}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('[0] first\n```json\n{"a": 1}\n```', {"a": 1}),
        ("```JSON title\n42\n```", 42),
        ("~~~json\nnull\n~~~", None),
        ('````json\n{"a": "```"}\n````', {"a": "```"}),
        ('```json\n{"a": 1}', {"a": 1}),  # cut off before the fence was closed
        ('```json\n{"a": 1,\n```\nbut [1, 2]', [1, 2]),
        ('```jsonc\n{"a": 1} // no\n```', {"a": 1}),
        ('```python\nx = {"a": 1}\n```', {"a": 1}),
        ('{oops {"a": 1}', {"a": 1}),
        ('{"a": {"b": 1}, oops}', {"b": 1}),
        ('[see "figure [1, 2]"]', [1, 2]),
        ('{"a": "}"}', {"a": "}"}),
        ('{"a": "\\"}"}', {"a": '"}'}),
        ('["\\u00e9", "日本語"]', ["é", "日本語"]),
        ('"[" [1, 2]', [1, 2]),
        ("[1, 2", NOTHING),
        ("[1, 2}", NOTHING),
        ("[link](http://example.org)", NOTHING),
        ("[NaN]", NOTHING),
        ("{'a': 1}", NOTHING),
        ("[01]", NOTHING),
        ("[1,]", NOTHING),
        ('{"a"}', NOTHING),
        ('{"a": 1,}', NOTHING),
        ("", NOTHING),
        ("no brackets at all", NOTHING),
        ("[" * 5000 + "]" * 5000, NOTHING),
    ],
)
def test_what_is_found(text: str, value: object) -> None:
    if value is NOTHING and text.startswith("[["):
        # Too deep as a whole: what is inside may be shown, the whole may not.
        assert find_json(text) is NOTHING or json.dumps(find_json(text)).count("[") <= 100
    else:
        assert find_json(text) == value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values.filter(lambda v: isinstance(v, dict | list)), st.integers(0, 4), st.text("abc .,:\n'"))
def test_any_object_or_array_in_prose_is_found(value: object, indent: int, prose: str) -> None:
    text = json.dumps(value, indent=indent or None, ensure_ascii=indent % 2 == 0)
    assert find_json(f"{prose}{text}{prose}") == value
    assert find_json(f"[broken {prose} {text}") == value
    assert find_json(f"{prose}\n```json\n{text}\n```\n") == value


@given(st.text('[]{},:"\\` \n1ae'))
def test_nothing_raises_and_a_finding_is_json(text: str) -> None:
    value = find_json(text)
    assert value is NOTHING or json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "{",
        '{"',
        '["',
        '{"a":',
        '["\\"',
        "[1,",
        '["x ',
        "```json\n",
        '[{"a":[',
        "]",
        '[["',
        "[1e",
        "[-",
        '[ "\\\\',
    ],
)
def test_hostile_input_takes_time_in_proportion_to_its_length(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    began = time.perf_counter()
    find_json(text)
    # Anything quadratic takes minutes at this size.
    assert time.perf_counter() - began < 3
