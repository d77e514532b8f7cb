"""From a function to what a model is told, and from a model's JSON to keyword arguments."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from chat.settings import Settings
from chat.tools import Context, ToolError, tool
from chat.tools.declaration import TIMEOUT


@tool
def paint(
    colour: Annotated[Literal["red", "blue"], Field(description="What to paint with.")],
    context: Context,
    coats: Annotated[int, Field(ge=1)] = 1,
) -> str:
    """Paint the frame.

    Takes a day a coat.
    """
    return f"{coats} × {colour} for {context.settings.title}"


def test_the_model_is_told_name_docstring_and_the_signature_without_the_context():
    assert paint.spec.name == "paint"
    assert paint.spec.description == "Paint the frame.\n\nTakes a day a coat."
    assert paint.spec.parameters == {
        "type": "object",
        "properties": {
            "colour": {"type": "string", "enum": ["red", "blue"], "description": "What to paint with."},
            "coats": {"type": "integer", "minimum": 1, "default": 1},
        },
        "required": ["colour"],
        "additionalProperties": False,
    }


def test_a_tool_is_still_its_function():
    context = Context(Settings(title="Bikes"), progress=lambda text: None, cite=lambda title, url: None)
    assert paint("red", context) == "1 × red for Bikes"


def test_options_of_the_decorator():
    @tool(timeout=3)
    def quick() -> None:
        """Quick."""

    assert (quick.timeout, paint.timeout) == (3, TIMEOUT)


def test_a_tool_without_a_docstring_is_a_mistake_that_shows_at_once():
    def mute() -> None: ...

    with pytest.raises(TypeError, match="mute needs a docstring"):
        tool(mute)


def test_defaults_and_conversions():
    assert paint.validated('{"colour": "blue"}') == {"colour": "blue", "coats": 1}
    assert paint.validated('{"colour": "blue", "coats": "2"}') == {"colour": "blue", "coats": 2}


@pytest.mark.parametrize("nothing", ["", "  ", "{}", "null"])
def test_no_arguments_in_all_the_forms_that_models_send(nothing: str):
    @tool
    def bare() -> None:
        """Takes nothing."""

    assert bare.validated(nothing) == {}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "colour: Missing required"),
        ('{"colour": "re', "Invalid JSON: EOF"),
        ('{"colour": "red"}{', "trailing characters"),
        ('["red"]', "Unexpected positional argument"),
        ("3", "must be an array or an object"),
        ('{"colour": "red", "size": 3}', "size: Unexpected keyword argument"),
        ('{"colour": "green"}', "colour: Input should be 'red' or 'blue'"),
        ('{"colour": "red", "coats": 0}', "coats: Input should be greater than or equal to 1"),
        ('{"colour": "red", "context": {}}', "context: Unexpected keyword argument"),
        ('{"colour": "\ud800"}', "Input should be a valid string, unable"),
        ("[" * 100_000, "recursion limit"),
    ],
)
def test_wrong_arguments_get_a_sentence_that_says_what_to_do_better(arguments: str, sentence: str):
    with pytest.raises(ToolError) as caught:
        paint.validated(arguments)
    assert sentence in str(caught.value)
    assert "paint" in str(caught.value)
    assert "pydantic" not in str(caught.value)
    assert len(str(caught.value)) < 600
