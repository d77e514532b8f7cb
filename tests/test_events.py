"""The vocabulary: each event has one wire name and becomes plain JSON; figures add up over a turn."""

import dataclasses
import json
import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import events
from chat.errors import Failure
from chat.events import Citation, Event, ReplyEvent, TurnFailed, TurnFinished, Usage, to_dict

KINDS = tuple(dict.fromkeys((*get_args(Event), *get_args(ReplyEvent))))

SAMPLES: dict[str, Any] = {
    "Mapping[str, Any]": {"k": [1, None]},
    "Failure": Failure("stalled", "Silence.", None, None),
    "Any": {"k": 1},
    "str": "text",
    "int": 3,
    "float": 0.5,
    "Stop": "end",
    "Usage | None": Usage(1, 2),
    "Literal['here', 'provider']": "here",
}


def sample(kind: type[Any]) -> Any:
    """An event of this kind with every field filled."""
    hints = {field.name: field.type for field in dataclasses.fields(kind)}
    return kind(**{name: next(_values(hint)) for name, hint in hints.items()})


def _values(hint: Any):
    text = hint if isinstance(hint, str) else getattr(hint, "__name__", str(hint))
    text = re.sub(r"\b[a-z_.]+\.(?=[A-Z])", "", str(hint) if "[" in str(hint) or "|" in str(hint) else text)
    if hint == events.Stop:
        text = "Stop"
    yield SAMPLES.get(text) or SAMPLES[text.removesuffix(" | None")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_is_json_under_its_own_name(kind: type[Any]):
    event = sample(kind)
    written = to_dict(event)
    assert written["type"] == events.name(event)
    assert list(written) == ["type", *(field.name for field in dataclasses.fields(kind))]
    assert json.loads(json.dumps(written)) == written


def test_wire_names_are_the_snake_case_of_the_class_and_unique():
    names = {kind.__name__: events.name(sample(kind)) for kind in KINDS}
    assert names["TextDelta"] == "text_delta"
    assert names["ToolCallStarted"] == "tool_call_started"
    assert names["KeepAlive"] == "keep_alive"
    assert names["Usage"] == "usage"
    assert len(set(names.values())) == len(KINDS)


def test_values_within_an_event_are_plain():
    failed = TurnFailed(Failure("rate_limited", "Wait.", 3.0, 429))
    assert to_dict(failed) == {
        "type": "turn_failed",
        "failure": {"kind": "rate_limited", "message": "Wait.", "retry_after": 3.0, "status": 429},
    }
    assert to_dict(TurnFinished("end", Usage(output=2)))["usage"]["output"] == 2
    assert to_dict(TurnFinished("end"))["usage"] is None


def test_events_are_frozen_slotted_values():
    assert Citation("a", "b") == Citation("a", "b")
    assert all(dataclasses.fields(kind) is not None and hasattr(kind, "__slots__") for kind in KINDS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Citation("a", "b").title = "c"  # pyright: ignore[reportAttributeAccessIssue]


figures = st.none() | st.integers(0, 10**9)
usages = st.builds(Usage, figures, figures, figures, figures)


@given(usages, usages, usages)
def test_figures_add_up_in_any_order_and_unknown_is_not_zero(a: Usage, b: Usage, c: Usage):
    assert a + Usage() == a == Usage() + a
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)


def test_a_sum_of_figures():
    assert Usage(10, 5, None, 2, 0.5) + Usage(1, None, 3, 4, 0.25) == Usage(11, 5, 3, 6, 0.75)
