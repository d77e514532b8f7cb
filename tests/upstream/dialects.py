"""How each protocol writes a reply: steps in, bytes of server-sent events or JSON out.

Written after the vendors' public documents, with the shapes seen in practice. One object per reply;
it remembers which block is open and what was said. The server calls it; nothing here does I/O.
"""

import json
from dataclasses import dataclass, field
from typing import Any

REFUSAL = "I cannot help with that."


def frame(payload: Any, event: str = "") -> bytes:
    data = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    return (f"event: {event}\n" if event else "").encode() + f"data: {data}\n\n".encode()


@dataclass
class Dialect:
    model: str
    said: str = ""
    thought: str = ""
    calls: list[dict[str, str]] = field(default_factory=list)
    tokens: int = 0
    open: str = ""
    """The kind of block, item or call that is being written."""

    def __post_init__(self) -> None:
        """For what a protocol keeps besides."""

    def begin(self) -> bytes:
        return b""

    def text(self, text: str) -> bytes:
        self.said += text
        self.tokens += 1
        return self._text(text)

    def thinking(self, text: str) -> bytes:
        self.thought += text
        self.tokens += 1
        return self._thinking(text)

    def call(self, id: str, name: str, arguments: str) -> list[bytes]:
        """A whole call, in the pieces in which a model would write it."""
        self.calls.append({"id": id, "name": name, "arguments": arguments})
        self.tokens += 1
        pieces = [arguments[at : at + 6] for at in range(0, len(arguments), 6)]
        return self._call(id, name, arguments, pieces)

    def ping(self) -> bytes:
        return b": ping\n\n"

    def stop(self, stop: str) -> str:
        return "tool_use" if self.calls and stop == "end" else stop

    # what each protocol writes in its own way
    def _text(self, text: str) -> bytes:
        raise NotImplementedError

    def _thinking(self, text: str) -> bytes:
        raise NotImplementedError

    def _call(self, id: str, name: str, arguments: str, pieces: list[str]) -> list[bytes]:
        raise NotImplementedError

    def end(self, stop: str) -> bytes:
        raise NotImplementedError

    def error(self, shape: str) -> bytes:
        """The vendor's error in mid-stream. `shape`: error, error-nested or failed."""
        raise NotImplementedError

    def whole(self, stop: str) -> Any:
        """The reply as one JSON value, from what was said so far."""
        raise NotImplementedError

    def fault(self, text: str, kind: str, param: str | None = None, code: str | None = None) -> Any:
        """The JSON body of an HTTP error."""
        return {"error": {"message": text, "type": kind, "param": param, "code": code}}


class Chat(Dialect):
    """Chat Completions."""

    def _chunk(self, delta: Any, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return frame(self._head() | {"object": "chat.completion.chunk", "choices": [choice]})

    def _head(self) -> dict[str, Any]:
        return {"id": "chatcmpl-upstream", "created": 1, "model": self.model}

    def begin(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def _text(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def _thinking(self, text: str) -> bytes:
        return self._chunk({"reasoning_content": text})

    def _call(self, id: str, name: str, arguments: str, pieces: list[str]) -> list[bytes]:
        index = len(self.calls) - 1
        first = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        later = ({"index": index, "function": {"arguments": piece}} for piece in pieces)
        return [self._chunk({"tool_calls": [call]}) for call in (first, *later)]

    def _finish(self, stop: str) -> str:
        words = {"end": "stop", "tool_use": "tool_calls", "filter": "content_filter", "refusal": "stop"}
        return words.get(self.stop(stop), stop)

    def _usage(self) -> dict[str, Any]:
        return {"prompt_tokens": 7, "completion_tokens": self.tokens, "total_tokens": 7 + self.tokens}

    def end(self, stop: str) -> bytes:
        refusal = self._chunk({"refusal": REFUSAL}) if stop == "refusal" else b""
        usage = self._head() | {"object": "chat.completion.chunk", "choices": [], "usage": self._usage()}
        return refusal + self._chunk({}, self._finish(stop)) + frame(usage) + frame("[DONE]")

    def error(self, shape: str) -> bytes:
        error = {
            "message": "The engine is currently overloaded.",
            "type": "server_error",
            "code": "overloaded",
        }
        return frame({"error": error})

    def whole(self, stop: str) -> Any:
        calls = [
            {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
            for c in self.calls
        ]
        message: dict[str, Any] = {"role": "assistant", "content": self.said or None}
        message |= {"reasoning_content": self.thought} if self.thought else {}
        message |= {"tool_calls": calls} if calls else {}
        message |= {"refusal": REFUSAL} if stop == "refusal" else {}
        choice = {"index": 0, "message": message, "finish_reason": self._finish(stop)}
        return self._head() | {"object": "chat.completion", "choices": [choice], "usage": self._usage()}


class Responses(Dialect):
    """Responses. Items open and close; each event carries a running number."""

    def __post_init__(self) -> None:
        self.number = -1
        self.items: list[dict[str, Any]] = []

    def _event(self, type: str, **fields: Any) -> bytes:
        self.number += 1
        return frame({"type": type, "sequence_number": self.number, **fields}, type)

    def _response(self, status: str, **fields: Any) -> dict[str, Any]:
        base = {"id": "resp_upstream", "object": "response", "created_at": 1, "model": self.model}
        rest = {"status": status, "error": None, "incomplete_details": None, "usage": None}
        return base | rest | {"output": [], "parallel_tool_calls": True, "tools": []} | fields

    def begin(self) -> bytes:
        return self._event("response.created", response=self._response("in_progress")) + self._event(
            "response.in_progress", response=self._response("in_progress")
        )

    def _enter(self, kind: str) -> bytes:
        """Opens an item of this kind unless it is open."""
        if self.open == kind:
            return b""
        before = self._leave()
        self.open, self.from_text, self.from_thought = kind, len(self.said), len(self.thought)
        at, id = len(self.items), f"{kind}_{len(self.items)}"
        if kind == "reasoning":
            item: dict[str, Any] = {"id": id, "type": "reasoning", "summary": []}
            part = {"summary_index": 0, "part": {"type": "summary_text", "text": ""}}
            opened = "response.reasoning_summary_part.added"
        else:
            item = {"id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
            part = {"content_index": 0, "part": {"type": "output_text", "annotations": [], "text": ""}}
            opened = "response.content_part.added"
        self.items.append(item)
        added = self._event("response.output_item.added", output_index=at, item=item)
        return before + added + self._event(opened, output_index=at, item_id=id, **part)

    def _leave(self) -> bytes:
        if not self.open:
            return b""
        at, item = len(self.items) - 1, self.items[-1]
        if self.open == "reasoning":
            text = self.thought[self.from_thought :]
            item |= {"summary": [{"type": "summary_text", "text": text}], "encrypted_content": "c2VhbGVk"}
            done = {"type": "response.reasoning_summary_text.done", "summary_index": 0}
        else:
            text = self.said[self.from_text :]
            item |= {
                "status": "completed",
                "content": [{"type": "output_text", "annotations": [], "text": text}],
            }
            done = {"type": "response.output_text.done", "content_index": 0}
        self.open = ""
        closed = self._event(**done, output_index=at, item_id=item["id"], text=text)
        return closed + self._event("response.output_item.done", output_index=at, item=item)

    def text(self, text: str) -> bytes:
        return self._enter("message") + super().text(text)

    def thinking(self, text: str) -> bytes:
        return self._enter("reasoning") + super().thinking(text)

    def _text(self, text: str) -> bytes:
        at = len(self.items) - 1
        where = {"output_index": at, "item_id": f"message_{at}", "content_index": 0}
        return self._event("response.output_text.delta", **where, delta=text)

    def _thinking(self, text: str) -> bytes:
        at = len(self.items) - 1
        where = {"output_index": at, "item_id": f"reasoning_{at}", "summary_index": 0}
        return self._event("response.reasoning_summary_text.delta", **where, delta=text)

    def _call(self, id: str, name: str, arguments: str, pieces: list[str]) -> list[bytes]:
        before = self._leave()
        where: dict[str, Any] = {"output_index": len(self.items)}
        item = {"id": f"fc_{id}", "type": "function_call", "call_id": id, "name": name}
        added = item | {"arguments": "", "status": "in_progress"}
        self.items.append(item | {"arguments": arguments, "status": "completed"})
        first = before + self._event("response.output_item.added", **where, item=added)
        where_item = where | {"item_id": item["id"]}
        deltas = [
            self._event("response.function_call_arguments.delta", **where_item, delta=piece)
            for piece in pieces
        ]
        last = self._event("response.function_call_arguments.done", **where_item, arguments=arguments)
        return [first, *deltas, last + self._event("response.output_item.done", **where, item=self.items[-1])]

    def _usage(self) -> dict[str, Any]:
        details = {
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        return {"input_tokens": 7, "output_tokens": self.tokens, "total_tokens": 7 + self.tokens, **details}

    def end(self, stop: str) -> bytes:
        written = b""
        if stop == "refusal":
            delta = {"output_index": len(self.items), "item_id": "message_r", "content_index": 0}
            written = self._event("response.refusal.delta", **delta, delta=REFUSAL)
        written += self._leave()
        final = self.whole(stop)
        return written + self._event(f"response.{final['status']}", response=final)

    def error(self, shape: str) -> bytes:
        error = {"code": "server_error", "message": "The server had an error while processing your request."}
        failed = self._event("response.failed", response=self._response("failed", error=error))
        match shape:
            case "failed":
                return failed
            case "error-nested":
                return self._event("error", error=error | {"type": "server_error", "param": None}) + failed
        return self._event("error", **error, param=None)

    def whole(self, stop: str) -> Any:
        self._leave()
        reason = {"length": "max_output_tokens", "filter": "content_filter"}.get(stop)
        if reason:
            cut = {"reason": reason}
            return self._response(
                "incomplete", incomplete_details=cut, output=self.items, usage=self._usage()
            )
        items = self.items
        if stop == "refusal":
            refusal = {"type": "refusal", "refusal": REFUSAL}
            items = [{"id": "message_r", "type": "message", "role": "assistant", "content": [refusal]}]
        return self._response("completed", output=items, usage=self._usage())


class Messages(Dialect):
    """Anthropic's Messages. Blocks open and close by index."""

    def __post_init__(self) -> None:
        self.blocks: list[dict[str, Any]] = []

    def _event(self, type: str, **fields: Any) -> bytes:
        return frame({"type": type, **fields}, type)

    def _message(self, **fields: Any) -> dict[str, Any]:
        base = {"id": "msg_upstream", "type": "message", "role": "assistant", "model": self.model}
        rest = {"content": [], "stop_reason": None, "stop_sequence": None}
        return base | rest | {"usage": {"input_tokens": 7, "output_tokens": 1}} | fields

    def begin(self) -> bytes:
        return self._event("message_start", message=self._message()) + self.ping()

    def ping(self) -> bytes:
        return self._event("ping")

    def _enter(self, kind: str, block: dict[str, Any]) -> bytes:
        if self.open == kind:
            return b""
        before = self._leave()
        self.open = kind
        self.blocks.append(dict(block))
        return before + self._event("content_block_start", index=len(self.blocks) - 1, content_block=block)

    def _leave(self) -> bytes:
        if not self.open:
            return b""
        signed = b""
        if self.open == "thinking":
            self.blocks[-1]["signature"] = "c2lnbmVk"
            signed = self._delta("signature_delta", signature="c2lnbmVk")
        self.open = ""
        return signed + self._event("content_block_stop", index=len(self.blocks) - 1)

    def _delta(self, type: str, **fields: str) -> bytes:
        delta = {"type": type, **fields}
        return self._event("content_block_delta", index=len(self.blocks) - 1, delta=delta)

    def _text(self, text: str) -> bytes:
        opened = self._enter("text", {"type": "text", "text": ""})
        self.blocks[-1]["text"] += text
        return opened + self._delta("text_delta", text=text)

    def _thinking(self, text: str) -> bytes:
        opened = self._enter("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        self.blocks[-1]["thinking"] += text
        return opened + self._delta("thinking_delta", thinking=text)

    def _call(self, id: str, name: str, arguments: str, pieces: list[str]) -> list[bytes]:
        opened = self._enter(id, {"type": "tool_use", "id": id, "name": name, "input": {}})
        self.blocks[-1]["input"] = json.loads(arguments)
        deltas = [self._delta("input_json_delta", partial_json=piece) for piece in ("", *pieces)]
        return [opened, *deltas]

    def _reason(self, stop: str) -> str:
        words = {"end": "end_turn", "length": "max_tokens", "filter": "refusal"}
        return words.get(self.stop(stop), self.stop(stop))

    def end(self, stop: str) -> bytes:
        delta = {"stop_reason": self._reason(stop), "stop_sequence": None}
        ended = self._event("message_delta", delta=delta, usage={"output_tokens": self.tokens})
        return self._leave() + ended + self._event("message_stop")

    def error(self, shape: str) -> bytes:
        return self._event("error", error={"type": "overloaded_error", "message": "Overloaded"})

    def whole(self, stop: str) -> Any:
        self._leave()
        usage = {"input_tokens": 7, "output_tokens": self.tokens}
        return self._message(content=self.blocks, stop_reason=self._reason(stop), usage=usage)

    def fault(self, text: str, kind: str, param: str | None = None, code: str | None = None) -> Any:
        return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_upstream"}


DIALECTS: dict[str, type[Dialect]] = {
    "/v1/chat/completions": Chat,
    "/v1/responses": Responses,
    "/v1/messages": Messages,
}
