"""Makes values fit for the browser: half a surrogate would fail the whole page (Gradio sends through
orjson). `activity` calls it where it returns; `bubbles`, whose values are text, calls `whole` itself.
"""

from typing import Any

from chat.unicode import whole


def clean_all(value: Any) -> Any:
    """`value` with each string in its lists and dicts whole; keys are ours."""
    match value:
        case str():
            return whole(value)
        case dict():
            return {key: clean_all(each) for key, each in value.items()}
        case list() | tuple():
            return [clean_all(each) for each in value]
        case _:
            return value
