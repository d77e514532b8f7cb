"""Given a vendor's word for why a reply ended: what it is to us."""

import pytest

from chat import errors
from chat.providers.faults import Call
from chat.providers.stops import ending
from chat.providers.vendors import Vendor

CALL = Call(Vendor("any", "Any", ("openai_chat",), "https://api.any.test/v1", "ANY_API_KEY"))

ENDS = {
    "end": "stop eos eos_token end_turn END_TURN STOP stop_sequence STOP_SEQUENCE COMPLETE completed",
    "tool_use": "tool_calls tool-calls TOOL_CALL toolUse function_call tool_use",
    "length": "length MAX_TOKENS max_tokens maxTokens max-tokens model_length max_output_tokens ERROR_LIMIT "
    "model_context_window_exceeded context_length_exceeded FINISH_REASON_MAX_TOKENS max_new_tokens",
    "filter": "content_filter SAFETY RECITATION PROHIBITED_CONTENT BLOCKLIST SPII IMAGE_SAFETY LANGUAGE "
    "guardrail_intervened content_filtered ERROR_TOXIC sensitive content-filter",
    "refusal": "refusal",
    "pause": "pause_turn",
    "other": "OTHER unknown brand_new_reason repetition 7",
}
FAULTS = {
    errors.Server: "error ERROR MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL malformed_tool_use "
    "TOO_MANY_TOOL_CALLS malformed_model_output MISSING_THOUGHT_SIGNATURE internal_error MALFORMED_RESPONSE",
    errors.Overloaded: "insufficient_system_resource",
    errors.CutOff: "abort cancelled TIMEOUT USER_CANCEL network_error load unload",
}


@pytest.mark.parametrize(("stop", "word"), [(s, word) for s, words in ENDS.items() for word in words.split()])
def test_ends(stop: str, word: str) -> None:
    found = ending(word, CALL)
    assert found is not None
    assert (found.stop, found.fault) == (stop, None)


@pytest.mark.parametrize(
    ("kind", "word"),
    [(k, word) for k, words in FAULTS.items() for word in words.split()],
)
def test_faults(kind: type[errors.Fault], word: str) -> None:
    found = ending(word, CALL)
    assert found is not None
    assert type(found.fault) is kind


@pytest.mark.parametrize(
    "word", [None, "", "null", "None", "FINISH_REASON_UNSPECIFIED", "in_progress", False, [], {}, 1.5]
)
def test_no_reason(word: object) -> None:
    assert ending(word, CALL) is None


def test_a_reason_in_an_object_or_a_list() -> None:
    for word in ({"type": "length", "length": 16}, ["length"], {"reason": "MAX_TOKENS"}):
        found = ending(word, CALL)
        assert found is not None
        assert found.stop == "length"


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    found = ending("brand_\u202enew\n" + "x" * 1000, CALL)
    assert found is not None
    (notice,) = found.notices(CALL)
    assert "“brand_new xx" in notice.text
    assert len(notice.text) < 200
