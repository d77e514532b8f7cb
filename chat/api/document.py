"""The OpenAPI document: what it says of the whole, who may ask, and the WebSocket in words.

What is said of each answer stands in `shapes`, of what may be sent where it is read. Nothing in the document
is a setting but the title, which the page shows too. Called by `mount`.
"""

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi

from chat.owners import COOKIE

ABOUT = """\
The same answers as on the page, as a stream that any program can read, in the format of your choice.

**Streams.** The first bytes leave at once, a comment fills every silence of five seconds, and a failure is
told in the stream. Every frame carries `id: run/number`: the same request with the last one as the header
`Last-Event-ID` goes on where it was, without loss or repetition, and no model is asked again.

**WebSocket.** `GET /chat/ws` with an upgrade is a line for one answer. Send a question first, with the fields
of `POST /chat/stream`, or `{"resume": "run/number"}`. What comes is `{"type": "opened", "run": id,
"conversation": id}`, then every event as JSON with its `id`, as in `GET /runs/{id}/events`. Send
`{"stop": true}` to stop it. The line is closed with 1000 at the end, and with 1008 after `{"error", "kind"}`
when what was sent is refused. OpenAPI has no words for a WebSocket, so it is not among the paths.

**Refusals** come before anything runs, as JSON with a sentence. New fields and kinds of frames may be added:
leave aside what you do not know."""

_TAGS = [
    {"name": "chat", "description": "Questions, and answers as streams, text or JSON."},
    {"name": "OpenAI", "description": "What clients of OpenAI's Chat Completions speak."},
    {"name": "operators", "description": "For whoever watches the program."},
]

_SECURITY = {
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Of a browser that has been on the page; its name begins like this.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token that the operator has set."},
    "basic": {"type": "http", "scheme": "basic", "description": "Name and password, where people log in."},
}
_WHO: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}, {"basic": []}, {}]
"""The last: where the operator has not closed it to strangers, nobody needs any of them."""


def document(title: str, routes: Sequence[Any]) -> dict[str, Any]:
    made = get_openapi(title=title, version="1", description=ABOUT, routes=routes, tags=_TAGS)
    made.setdefault("components", {})["securitySchemes"] = _SECURITY
    made["security"] = _WHO
    return made
