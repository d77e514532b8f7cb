"""Makes strings fit for the browser: half a surrogate, which JSON allows and UTF-8 does not, would
fail the whole page (Gradio sends through orjson). `bubbles` and `activity` call it where they return.
"""

from typing import Any


def clean(text: str) -> str:
    """`text` itself, but for what cannot be encoded: halves that meet join, a lone one becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_all(value: Any) -> Any:
    """`value` with each string in its lists and dicts clean; keys are ours."""
    match value:
        case str():
            return clean(value)
        case dict():
            return {key: clean_all(each) for key, each in value.items()}
        case list() | tuple():
            return [clean_all(each) for each in value]
        case _:
            return value
