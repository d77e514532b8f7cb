"""The shapes of every answer, as the OpenAPI document tells them: by status, with an example.

What the dialects write is held against these by tests/api/test_schema.py. What may be sent is described where
it is read: `bodies`, `completion_bodies`. Called by the routes.
"""

from collections.abc import Sequence
from typing import Any

Responses = dict[int | str, dict[str, Any]]
"""As FastAPI takes them, by status."""


def _json(schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    told = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"application/json": told}


def _object(required: Sequence[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_TEXT = {"type": "string"}
_COUNT = {"type": ["integer", "null"]}

REFUSED = _object(("error", "kind"), error=_TEXT, kind=_TEXT)
_WHY = {
    400: "It cannot be asked like this.",
    401: "Nobody knows who is asking.",
    403: "Another site's page sent it.",
    404: "There is no such conversation or answer.",
    408: "The body did not come.",
    413: "More than a megabyte.",
    415: "Not JSON.",
    422: "Something in it is not as it should be.",
    429: "Too many at once, or too many; `Retry-After` says when to come again.",
    503: "The program is ending, or the disk cannot be read.",
}
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}


def _refusal(status: int, why: str, told: dict[str, Any]) -> dict[str, Any]:
    # What is no HTTP does not come as far as the routes.
    plain = {"text/plain": {"schema": _TEXT, "example": "Invalid HTTP request received."}}
    content = told | plain if status == 400 else told
    retry = {"headers": _RETRY} if status in (429, 503) else {}
    return {"description": why, "content": content, **retry}


_TOLD = _json(REFUSED, {"error": "A sentence for a person.", "kind": "bad_request"})
REFUSALS: Responses = {status: _refusal(status, why, _TOLD) for status, why in _WHY.items()}

_STARTED = {
    "Run-Id": {"description": "The answer's, for `/runs/{id}`.", "schema": _TEXT},
    "Conversation-Id": {"description": "Where it is kept: send it to go on there.", "schema": _TEXT},
}
_WHOLE = _object(
    ("text", "state", "stop", "model", "usage"),
    text=_TEXT,
    state={"enum": ["complete", "stopped", "interrupted", "failed"]},
    stop={
        "type": ["string", "null"],
        "description": "Why it ended: `end`, `length`, `refusal`, `filter`, `pause`, `other`.",
    },
    model=_TEXT,
    thinking=_TEXT,
    notices={"type": "array", "items": _TEXT},
    json_data={"description": "The JSON in it, if it is whole and holds any."},
    error=_TEXT,
    kind=_TEXT,
    usage=_object(
        (), input=_COUNT, output=_COUNT, cached=_COUNT, thinking=_COUNT, cost={"type": ["number", "null"]}
    ),
)
_WHOLE_EXAMPLE = {
    **{"text": "Hello.", "state": "complete", "stop": "end", "model": "demo:tour"},
    "usage": {"input": 7, "output": 2, "cached": None, "thinking": None, "cost": None},
}


def _stream(data: dict[str, Any], example: str) -> dict[str, Any]:
    """Events whose data is `data`. `itemSchema` is OpenAPI 3.2's; who does not know it leaves it aside."""
    event = _object(("data",), data=data, id=_TEXT, event=_TEXT)
    return {"text/event-stream": {"itemSchema": event, "example": example}}


def _of(*schemas: dict[str, Any]) -> dict[str, Any]:
    """A text that is JSON, of one of these."""
    held = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": held}


_STOP = {"type": "string", "description": "Why it ended, unless that is `end`: `length`, `filter` …"}
_STATE = {"const": "stopped", "description": "Somebody said stop."}
_MARK = {"const": "[DONE]"}
LINE: dict[str, Any] = {"type": "string", "description": "A piece of the text."}
OBJECTS: dict[str, Any] = {
    "anyOf": [
        _of(
            _object(("content",), content=_TEXT),
            _object(("thinking",), thinking=_TEXT),
            _object(("function_result", "name", "id"), function_result={}, name=_TEXT, id=_TEXT),
            _object(("notice", "kind"), notice=_TEXT, kind=_TEXT),
            _object(("error", "kind"), error=_TEXT, kind=_TEXT),
            _object(("done",), done={"const": True}, stop=_STOP, state=_STATE),
        ),
        _MARK,
    ]
}
CHUNKED = _of(
    _object(("chunk",), chunk=_TEXT),
    _object(("json_data",), json_data={}),
    _object(("notice",), notice=_TEXT),
    _object(("error",), error=_TEXT),
    _object(("end", "full_response"), end={"const": True}, full_response=_TEXT, stop=_STOP, state=_STATE),
)
EVENT = _of(_object(("type",), type=_TEXT))


def streamed(data: dict[str, Any], example: str, *, only: bool = False) -> Responses:
    """Of a route whose answer is a stream. `only`: neither as plain text nor as one JSON value."""
    content = _stream(data, example)
    if not only:
        content |= {"text/plain": {"schema": _TEXT, "example": "Hello."}, **_json(_WHOLE, _WHOLE_EXAMPLE)}
    return {
        200: {"description": "The answer.", "content": content, "headers": _STARTED},
        204: {"description": "All of it was delivered up to `Last-Event-ID`."},
        **REFUSALS,
    }


_OPENAI_ERROR = _object(
    ("error",),
    error=_object(
        ("message", "type", "param", "code"),
        message=_TEXT,
        type=_TEXT,
        param={"type": ["string", "null"]},
        code=_TEXT,
    ),
)
_TOKENS = {"type": "integer", "minimum": 0}
_COMPLETION = _object(
    ("id", "object", "created", "model", "choices", "usage"),
    id=_TEXT,
    object={"const": "chat.completion"},
    created=_TOKENS,
    model=_TEXT,
    choices={
        "type": "array",
        "items": _object(
            ("index", "message", "finish_reason"),
            index={"const": 0},
            message=_object(
                ("role", "content"), role={"const": "assistant"}, content=_TEXT, reasoning_content=_TEXT
            ),
            finish_reason={"enum": ["stop", "length", "content_filter"]},
        ),
    },
    usage=_object(
        ("prompt_tokens", "completion_tokens", "total_tokens"),
        prompt_tokens=_TOKENS,
        completion_tokens=_TOKENS,
        total_tokens=_TOKENS,
    ),
)
_PIECE = _object(
    ("id", "object", "created", "model", "choices"),
    id=_TEXT,
    object={"const": "chat.completion.chunk"},
    created=_TOKENS,
    model=_TEXT,
    choices={"type": "array", "items": _object(("index", "delta", "finish_reason"))},
)
_CHUNK = (
    'data: {"id": "chatcmpl-…", "object": "chat.completion.chunk", "created": 1700000000, '
    '"model": "demo:tour", "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": null}]}'
)
_MODEL = _object(
    ("id", "object", "created", "owned_by"),
    id=_TEXT,
    object={"const": "model"},
    created=_TOKENS,
    owned_by=_TEXT,
)

_WHY_LATER = {500: "A fault here.", 502: "The provider failed.", 504: "The provider said nothing."}
OPENAI_ERRORS: Responses = {
    status: _refusal(status, why, _json(_OPENAI_ERROR)) for status, why in (_WHY | _WHY_LATER).items()
}
COMPLETION: Responses = {
    200: {
        "description": "The answer.",
        "content": {
            **_stream({"anyOf": [_of(_PIECE, _OPENAI_ERROR), _MARK]}, _CHUNK),
            **_json(_COMPLETION),
        },
        "headers": _STARTED,
    },
    204: {"description": "All of it was delivered up to `Last-Event-ID`."},
    **OPENAI_ERRORS,
}
MODELS: Responses = {
    200: {
        "description": "The models.",
        "content": _json(
            _object(("object", "data"), object={"const": "list"}, data={"type": "array", "items": _MODEL})
        ),
    },
    **OPENAI_ERRORS,
}
MODEL: Responses = {200: {"description": "The model.", "content": _json(_MODEL)}, **OPENAI_ERRORS}

STOPPED: Responses = {
    200: {
        "description": "It is over.",
        "content": _json(_object(("run", "state"), run=_TEXT, state=_TEXT), {"run": "…", "state": "stopped"}),
    },
    **REFUSALS,
}
WELL: Responses = {
    200: {"description": "Yes.", "content": _json(_object(("status",), status={"const": "ok"}))},
}
UNREADY: Responses = {
    **WELL,
    503: {
        "description": "Not now; `error` says why.",
        "content": _json(_object(("status", "error"), status={"const": "unready"}, error=_TEXT)),
    },
}

RESUMES: dict[str, Any] = {
    "parameters": [
        {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "description": "The id of the last frame that came, to go on behind it. Asks no model.",
            "schema": {"type": "string", "pattern": "^([A-Za-z0-9_-]{1,64}/[0-9]{1,9})?$"},
        }
    ]
}
"""Of a route whose streams can be gone on with."""

EVERYBODY: dict[str, Any] = {"security": []}
"""Of a route that asks nobody who they are."""
