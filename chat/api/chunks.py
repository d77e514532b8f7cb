"""The dialect of OpenAI's Chat Completions: a run as `chat.completion.chunk`s, or as one `chat.completion`.

Pure, as the rows of `dialects`; made for one run, since every chunk names it. Tools that ran here are not
told: their results are in the answer, and a client would take a call for one that it has to run itself.

Source: https://platform.openai.com/docs/api-reference/chat; `reasoning_content` as DeepSeek has it.
"""

from typing import Any

from chat.api.dialects import DONE, Dialect, Frame, Frames, dumps, failure, quoted
from chat.errors import Failure, Kind
from chat.events import Event, Terminal, TextDelta, ThinkingDelta, TurnFinished, TurnStarted, Usage
from chat.runs import Run
from chat.transcript import Transcript

STATUS: dict[Kind, int] = {
    "config": 400,
    "auth": 401,
    "not_found": 404,
    "bad_request": 400,
    "rate_limited": 429,
    "overloaded": 503,
    "server": 502,
    "unreachable": 502,
    "cut_off": 502,
    "stalled": 504,
    "malformed": 502,
    "too_large": 400,
    "answer_too_long": 400,  # told by the finish reason instead, as an end at a limit (`problem`)
    "empty": 502,
    "too_many_rounds": 500,
    "shutdown": 503,
    "bug": 500,
}
"""What each failure is as a status. From 500 on, and at 429, the official clients ask again."""

NO_MODEL = "model_not_found"
"""OpenAI's code for a model that is not there, by which its clients decide."""


_FINISH = {"length": "length", "filter": "content_filter", "refusal": "content_filter", "other": "length"}
"""A reason that nobody knows is told as `length`: clients take all of `stop` for a complete answer."""


_OF_PROGRAMS = (
    "This program may ask the models of GET /v1/models; with CHAT_TOKEN as its key it is the owner."
)


def error(message: str, kind: Kind, status: int, code: str = "") -> dict[str, Any]:
    """The shape of an error, in a body and in a stream. `code`: OpenAI's word, where it has one for this."""
    types = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    type = types.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": type, "param": None, "code": code or kind}}


def problem(event: Terminal) -> Failure | None:
    """What went wrong. An answer that grew too long is told as OpenAI tells an end at a limit: by the finish
    reason, and with the text that came."""
    found = failure(event)
    return None if found is not None and found.kind == "answer_too_long" else found


def failed(failure: Failure) -> dict[str, Any]:
    # Of all that a turn looks for, a model is the one thing that a vendor does not find.
    code = NO_MODEL if failure.kind == "not_found" else ""
    message = f"{failure.message} {_OF_PROGRAMS}" if failure.kind == "config" else failure.message
    return error(message, failure.kind, STATUS.get(failure.kind, 500), code)


def chunks(run: Run, include_usage: bool) -> Dialect:
    """`include_usage`: the figures in a chunk of their own before the end, and null in the others."""
    head = {**_head(run), "object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any] | None, finish: str | None = None, usage: Any = None) -> Frame:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        figures = {"usage": usage} if include_usage else {}
        return Frame(dumps({**head, "choices": choices, **figures}))

    before = dumps(head)[:-1] + ', "choices": [{"index": 0, "delta": {'
    behind = '}, "finish_reason": null}]' + (', "usage": null}' if include_usage else "}")

    def piece(field: str, text: str) -> Frame:
        """As `chunk` writes it, at a fifth of its cost: an answer is hardly anything else."""
        return Frame(f'{before}"{field}": {quoted(text)}{behind}')

    def frames(event: Event) -> Frames:
        match event:
            case TurnStarted():
                yield chunk({"role": "assistant", "content": ""})
            case TextDelta(text) if text:
                yield piece("content", text)
            case ThinkingDelta(text) if text:
                yield piece("reasoning_content", text)

    def end(event: Terminal, transcript: Transcript) -> Frames:
        if (wrong := problem(event)) is not None:
            yield Frame(dumps(failed(wrong)))
        else:
            yield chunk({}, _finish(event))
            if include_usage:
                yield chunk(None, usage=_usage(transcript.usage))
        yield Frame(DONE)

    # Two blank lines with a comment between them, after any id, are an event without data to OpenAI's
    # own client (3.52), which it cannot read. So a heartbeat is a line, and no id stands alone.
    return Dialect(frames, end, heartbeat=b": heartbeat\n", named=False)


def completion(run: Run) -> dict[str, Any]:
    """The answer of `run`, which ended without a failure, in one piece."""
    transcript = run.transcript
    message = {"role": "assistant", "content": transcript.text, "refusal": None}
    if transcript.thinking:
        message["reasoning_content"] = transcript.thinking
    event = run.entries[-1].event
    assert isinstance(event, Terminal)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(event)}
    head = {**_head(run), "object": "chat.completion"}
    return {**head, "choices": [choice], "usage": _usage(transcript.usage)}


def _head(run: Run) -> dict[str, Any]:
    model = run.transcript.model or run.turn.options.model or ""
    return {"id": f"chatcmpl-{run.id}", "created": int(run.started), "model": model}


def _finish(event: Terminal) -> str:
    if not isinstance(event, TurnFinished):
        return "length"  # a user stopped it, or it is too long: clients take "stop" for a complete answer
    return _FINISH.get(event.stop, "stop")


def _usage(usage: Usage) -> dict[str, Any]:
    """What the vendor did not say is 0 here: the clients' types have no other place for it."""
    prompt, answer = usage.input or 0, usage.output or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": usage.cached or 0},
        "completion_tokens_details": {"reasoning_tokens": usage.thinking or 0},
    }
