"""Which of our errors a refusal is, and the sentence for it. Called by `faults`.

Asked in this order: who stands between, who pays, what of the request is not taken, and at last what the
status alone says. A sentence is for everybody; what only the operator may read stands in the hint.
"""

import math

from chat import errors
from chat.errors import Fault
from chat.providers.calls import Call
from chat.providers.error_bodies import ErrorBody
from chat.providers.error_words import Words
from chat.providers.lasting import Scope, conditional, scope

RESPONSES, CHAT = "Responses", "Chat Completions"

_NOT_TAKEN: dict[Scope, str] = {
    "model": "{model} does not take “{parameter}”.",
    "value": "{model} does not take this value of “{parameter}”.",
    "request": "{model} did not take “{parameter}” in this request.",
}


def meant(status: int, wait: float | None, body: ErrorBody, call: Call) -> Fault:
    """The error that a refusal means. `status` is 0 where none was told, `wait` in seconds."""
    words, quote = Words(body), call.quote(body.text)
    wait = body.wait if wait is None else wait
    asked = status in (
        0,
        400,
        403,
        404,
        405,
        409,
        422,
        500,
        501,
    )  # some say with one what others say with another
    if 300 <= status < 400:
        return errors.Config(
            f"{call.title} sends us on to another address, and a key is sent to no other. "
            "Its address may be wrong, or this network wants a login first.",
            hint=call.address_hint,
            status=status,
        )
    fault = (
        _of_the_way(status, body, call)
        or _of_the_account(status, wait, words, quote, call, asked)
        or (
            _of_the_request(status, body, words, quote, call)
            if asked or status == 413 or status >= 500 or words.too_much_at_once
            else None
        )
        or _of_the_status(status, wait, body, words, quote, call)
    )
    fault.status = status or None
    return fault


def _of_the_way(status: int, body: ErrorBody, call: Call) -> Fault | None:
    """What stands between: a proxy, a network's login."""
    if status == 407:
        return errors.Unreachable(
            f"The proxy on the way to {call.title} wants a login.",
            hint=f"Check HTTPS_PROXY and NO_PROXY. {call.address_hint}",
        )
    if status == 511:
        return errors.Unreachable(
            f"This network wants a login before {call.title} can be asked. Open a page in a browser first."
        )
    if body.page and status in (403, 406, 451):
        return errors.Auth(
            f"{call.title}, or a firewall before it, does not allow this.{call.quote(body.text)}",
            hint=f"It answered with a web page. {call.address_hint}",
        )
    return None


def _of_the_account(
    status: int, wait: float | None, words: Words, quote: str, call: Call, asked: bool
) -> Fault | None:
    """A key, money, a limit of a time."""
    if status == 402 or (
        status != 401 and words.no_credit and not (words.too_much_at_once or words.too_long)
    ):
        return errors.OutOfCredit(
            f"The account at {call.title} is out of credit, or at its spending limit. "
            f"Add credit there, or choose a model of another provider.{quote}"
        )
    if status == 401 or (asked and status not in (404, 405) and words.key_refused):
        return _auth(call)
    if words.too_much_at_once and status in (0, 400, 413, 429):
        return None
    if status == 429 or (status in (0, 400, 403, 500) and words.too_often and not words.too_long):
        when = "Wait a little, then ask again." if wait is None else f"It asks to wait {_span(wait)}."
        return errors.RateLimited(f"Too many requests to {call.title}. {when}{quote}", retry_after=wait)
    return None


def _of_the_request(status: int, body: ErrorBody, words: Words, quote: str, call: Call) -> Fault | None:
    """What of the request is not taken, where that can be told. A server's own fault may be one too:
    llama.cpp says with 500 that it takes no tools."""
    model, tools = call.model or "this model", "tools" in call.sent
    if tools and words.bad_call:
        return errors.BadCall(
            f"{model} wrote a tool's call that {call.title} could not read. "
            f"Ask again, or switch the tools off.{quote}"
        )
    if words.too_long or words.too_much_at_once or status == 413:
        limit, sent = body.lengths
        return errors.TooLong(
            f"The conversation is too long for {model}. "
            f"Begin a new conversation, or choose a model that takes more.{quote}",
            limit=limit,
            sent=sent,
        )
    if status < 500 and words.region:
        return errors.Auth(
            f"{call.title} does not serve the country or region that it is asked from. "
            f"Choose a model of another provider.{quote}"
        )
    if call.system and words.no_system and not words.moderated:
        return errors.Refused(
            f"{model} takes no system prompt. Empty it, or choose another model.{quote}",
            parameter="system",
            lasting=scope("system", body, call) == "model",
        )
    if words.other_protocol and len(call.vendor.protocols) > 1:
        return _other(call, body, quote)
    if tools and words.no_tools:
        return errors.BadRequest(
            f"{call.title} gives no tools to {model}. Switch the tools off, or choose another model.{quote}"
        )
    if words.not_in_turn:
        return errors.Refused(
            f"{model} wants questions and answers in turn. Begin a new conversation.{quote}",
            parameter="roles",
        )
    if status >= 500 and status != 501:
        return None
    if status in (0, 400, 403, 451) and words.moderated:
        return errors.BadRequest(
            f"{call.title} did not take this question: its filter stopped it. Word it otherwise.{quote}"
        )
    if status in (0, 404) and (words.no_model or (call.model and call.model in body.text)):
        return _no_model(quote, call)
    if status in (400, 404, 422) and (
        parameter := body.refused(call.sent, words.not_taken, words.out_of_range)
    ):
        found = scope(parameter, body, call)
        return errors.Refused(
            _NOT_TAKEN[found].format(model=model, parameter=parameter) + quote,
            parameter=parameter,
            lasting=found == "model",
        )
    if status in (400, 403, 422) and words.no_model and not words.busy:
        return _no_model(quote, call)
    if status in (404, 405, 501) or (status in (0, 400) and words.no_address and body.text):
        if len(call.vendor.protocols) > 1:
            return _other(call, body, quote)
        return errors.NotFound(
            f"{call.title} knows no such address.{quote}", hint=f"Is it right? {call.address_hint}"
        )
    return None


def _of_the_status(
    status: int, wait: float | None, body: ErrorBody, words: Words, quote: str, call: Call
) -> Fault:
    if status == 403:
        return errors.Auth(
            f"{call.title} does not allow this, or not with {call.key_name}. "
            f"Choose another model, or look at what the key may do.{quote}",
            hint=call.key_hint,
        )
    if status in (0, 404) and words.no_model:
        return _no_model(quote, call)
    if status in (502, 504, *range(520, 528), 530) or (status >= 500 and words.upstream):
        return errors.Server(
            f"A gateway before {call.title} cannot reach it now. Ask again in a moment.{quote}",
            hint=call.address_hint,
            retry_after=wait,
        )
    if status in (498, 503, 529) or (words.busy and status in (0, 400, 404, 408, 409, 425, 500)):
        # 498: Groq's flex tier, 529: Anthropic
        return errors.Overloaded(
            f"{call.title} is too busy now. Ask again in a moment, or choose another model.{quote}",
            retry_after=wait,
        )
    if 400 <= status < 500 and status not in (408, 409, 425, 499):
        return errors.BadRequest(f"{call.title} does not accept this question.{quote}")
    return errors.Server(
        f"{call.title} has a fault of its own. Ask again in a moment.{quote}", retry_after=wait
    )


def _other(call: Call, body: ErrorBody, quote: str) -> Fault:
    asked, other = (CHAT, RESPONSES) if "messages" in call.sent else (RESPONSES, CHAT)
    return errors.OtherProtocol(
        f"{call.title} does not answer {call.model or 'this model'} in {asked}. "
        f"Its address may be wrong, or it speaks {other} alone.{quote}",
        hint=f"Is the address right? {call.address_hint}",
        lasting=not conditional("protocol", body, call),
    )


def _no_model(quote: str, call: Call) -> Fault:
    return errors.NotFound(
        f"{call.title} has no model named {call.model or 'this'}, or this key may not use it. "
        f"Choose another one.{quote}"
    )


def _auth(call: Call) -> Fault:
    if call.vendor.brought:
        return errors.Auth(f"{call.title} does not accept your key. Check it, or make a new one there.")
    another, hint = "Choose a model of another provider.", call.address_hint
    if not call.vendor.key:
        return errors.Auth(f"{call.title} asks for a key, and none is set for it. {another}", hint=hint)
    if not call.key:
        return errors.Auth(
            f"{call.title} needs a key, and none is set here. {another}", hint=f"Set {call.vendor.key}."
        )
    return errors.Auth(
        f"{call.title} does not accept the key that is set here. {another}",
        hint=f"Check {call.vendor.key}, or make a new key there.",
    )


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    if seconds < 130_000:
        return f"{round(seconds / 3600)} hours"
    return f"{round(seconds / 86_400)} days"
