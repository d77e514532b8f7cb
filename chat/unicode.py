"""Text that can be encoded. JSON allows half a surrogate, and so a model may send one; UTF-8 does not.

Called where text leaves the program: by the store, the exports, the dialects and the page.
"""


def whole(text: str) -> str:
    """`text` itself, but for what cannot be encoded: halves that meet join, a lone one becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
