"""Text that can be encoded. JSON allows half a surrogate, and so a model may send one; UTF-8 does not.

Called where text leaves the program (by the store, the exports, the dialects and the page, which a half
would fail as a whole: Gradio sends through orjson), and where a vendor's JSON comes in.
"""

from typing import Any


def whole(text: str) -> str:
    """`text` itself, but for what cannot be encoded: halves that meet join, a lone one becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def whole_all(value: Any) -> Any:
    """`value` with each string in its lists and dicts whole."""
    match value:
        case str():
            return whole(value)
        case dict():
            return {whole_all(key): whole_all(each) for key, each in value.items()}
        case list() | tuple():
            return [whole_all(each) for each in value]
        case _:
            return value
