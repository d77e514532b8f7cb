"""The body of a request to the demo model: what would go over the wire, if there were one."""

import json
from typing import Any, assert_never

from chat.messages import Assistant, Message, Raw, Request, Text, ToolCall, ToolResults, User


def body(request: Request) -> dict[str, Any]:
    """What a vendor would be sent. Unset means not sent."""
    found: dict[str, Any] = {"model": request.model.id, "messages": [_message(m) for m in request.messages]}
    for name in ("system", "temperature", "max_tokens", "effort"):
        value = getattr(request, name)
        if value is not None and name not in request.omit:
            found[name] = value
    if request.tools:
        found["tools"] = [spec.name for spec in request.tools]
    return found | {"stream": request.stream}


def _message(message: Message) -> dict[str, Any]:
    match message:
        case User(text):
            return {"role": "user", "content": text}
        case Assistant(parts):
            return {"role": "assistant", "content": [_part(part) for part in parts]}
        case ToolResults(results):
            return {
                "role": "tool",
                "content": [{"id": r.id, "name": r.name, "text": r.text, "error": r.error} for r in results],
            }
        case _:
            assert_never(message)


def _part(part: Text | ToolCall | Raw) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolCall(id, name, arguments):
            return {"type": "tool_call", "id": id, "name": name, "arguments": arguments}
        case Raw(data):
            return {"type": "raw", "data": dict(data)}
        case _:
            assert_never(part)


def tokens_in(request: Request) -> int:
    """About four characters a token, as vendors' English goes."""
    return (len(request.system or "") + len(json.dumps(body(request)["messages"], ensure_ascii=False))) // 4
