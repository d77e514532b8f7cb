"""The answer to a request that is refused: one sentence. Pure ASGI.

Called by `chat.api.gate`, for all that comes, and by `chat.ui.addresses`, for what would come to Gradio.
"""

import json
from collections.abc import Iterable
from typing import Any

from chat.errors import Kind

_KINDS: dict[int, Kind] = {404: "not_found", 413: "too_large"}


def kind_of(status: int) -> Kind:
    return _KINDS.get(status, "bad_request")


async def refuse(
    send: Any,
    scope: Any,
    status: int,
    sentence: str,
    *,
    body: Any = None,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """As JSON for a program (`body`, where its clients know another shape), and as it is for a page that a
    person looks at."""
    said = json.dumps(body or {"error": sentence, "kind": kind_of(status)}).encode()
    media = b"application/json"
    if any(name == b"accept" and b"text/html" in value for name, value in scope["headers"]):
        said, media = sentence.encode(), b"text/plain; charset=utf-8"
    head = [(b"content-type", media), (b"content-length", str(len(said)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else said})
