"""What went wrong, in a sentence: every SDK, transport and in-stream error becomes one of `chat.errors`.

`of` reads an exception, `said` an error object inside an answer with status 200. Both give an error with
a sentence for a person: the cause and the next step. A vendor's own words are quoted only when they are
plain text, shortened and without keys. Used by `wire` and by the protocols. What vendors write is read
in `error_bodies`; SDKs are told apart by shape, so nothing is imported before something failed.
"""

import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from chat import errors, outbound
from chat.errors import Fault
from chat.providers import waits
from chat.providers.calls import QUOTED, Call
from chat.providers.error_bodies import ErrorBody
from chat.providers.refusals import meant

__all__ = ["QUOTED", "Call", "answered", "of", "retry_after", "said"]

_NAMED = 40
"""Characters of a vendor's own name for an error."""
_NAMING = ("x-amzn-errortype", "x-error-code", "x-error-type")
"""Headers that name the error (AWS, gateways)."""


def of(error: BaseException, call: Call, *, opened: bool = False) -> Fault | None:
    """`error` as one of ours; None when it is no failure of the wire but of this program.

    `opened` says that the answer had begun.
    """
    import httpx2

    if isinstance(error, Fault):
        return error
    response = getattr(error, "response", None)
    if isinstance(response, httpx2.Response):
        try:
            body: object = response.content
        except httpx2.ResponseNotRead:
            body = getattr(error, "body", None)
        return answered(response.status_code, response.headers, body, call)
    chain = list(_causes(error))
    if not any(
        isinstance(e, httpx2.HTTPError | httpx2.InvalidURL | httpx2.StreamError | OSError) for e in chain
    ):
        for e in chain:
            if isinstance(e, UnicodeEncodeError) and e.encoding == "ascii":  # a header, and only one is ours
                return errors.Config(
                    f"{call.key_name} holds a character that cannot be sent. Copy it again.",
                    hint=call.key_hint,
                )
            if isinstance(e, UnicodeEncodeError):
                return errors.BadRequest(
                    "The question holds half a character. Write it again, then ask again."
                )
        if type(error).__module__.partition(".")[0] in ("openai", "anthropic"):
            return errors.Unreachable(f"{call.title} could not be asked.{call.quote(str(error))}")
        return None
    return _transport(chain, call, opened)


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _transport(chain: list[BaseException], call: Call, opened: bool) -> Fault:
    import httpx2

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(error, kinds) for error in chain)

    at, hint = call.title, call.address_hint
    local = f" Is {call.title} running?" if call.vendor.local else ""
    if has(httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        return errors.Config(f"The address of {call.title} cannot be used.", hint=hint)
    if has(httpx2.LocalProtocolError):
        return errors.Config(
            f"The request cannot be sent: {call.key_name} may hold a wrong character. Copy it again.",
            hint=call.key_hint,
        )
    if has(httpx2.DecodingError):
        return errors.Malformed(f"The answer of {at} is compressed in a way that cannot be read.", hint=hint)
    way = next((found for error in chain if (found := outbound.way(error))), outbound.Way())
    if not opened and (way.proxy is not None or has(httpx2.ProxyError)) and not has(ssl.SSLError):
        what = _proxys(chain, call)
        if what:
            kind = errors.Config if way.proxy is not None and way.proxy.fault else errors.Unreachable
            message, advice = way.failed(call.title, call.hostname, what)
            return kind(message, hint=advice)
    if has(httpx2.ConnectTimeout, httpx2.PoolTimeout):
        return errors.Unreachable(
            f"{at} did not take the call in time.{local} Check the network, then ask again.", hint=hint
        )
    if has(httpx2.TimeoutException):
        return errors.Stalled(f"{at} went silent. Ask again.")
    if opened:
        return errors.CutOff(
            f"The connection to {call.title} broke before the answer was complete. "
            "Ask again to get all of it."
        )
    if has(socket.gaierror):
        return errors.Unreachable(f"{at} cannot be found: there is no such host, or no network.", hint=hint)
    if has(ssl.SSLError):
        why = "its certificate was not accepted, or it does not speak TLS"
        return errors.Unreachable(f"No safe connection to {at}: {why}.", hint=f"{_trusted(way)} {hint}")
    if has(ConnectionRefusedError):
        return errors.Unreachable(f"Nothing answers at the address of {at}.{local}", hint=hint)
    if has(httpx2.ConnectError):
        return errors.Unreachable(f"Cannot reach {at}.{local} Check the network, then ask again.", hint=hint)
    return errors.Unreachable(f"The connection to {at} broke before an answer came. Ask again.", hint=hint)


_STRONG = (
    "error",
    "errors",
    "fault",
    "exception",
    "base_resp",
    "error_code",
    "error_msg",
    "errmsg",
    "errcode",
)
_ASIDE = frozenset(
    (
        *_STRONG,
        *(
            "message",
            "msg",
            "detail",
            "details",
            "code",
            "status",
            "status_code",
            "statusCode",
            "type",
            "title",
        ),
        *(
            "param",
            "success",
            "ok",
            "id",
            "request_id",
            "requestId",
            "trace_id",
            "timestamp",
            "path",
            "object",
        ),
        *(
            "event_id",
            "sequence_number",
            "instance",
            "data",
            "created",
            "model",
            "choices",
            "usage",
            "hint",
            "name",
        ),
    )
)
"""What stands in an error and around it. An object with another key is something else."""


def _proxys(chain: list[BaseException], call: Call) -> str:
    """What a proxy on the way did; "" where it is not the proxy's fault."""
    import httpx2

    for error in chain:
        if isinstance(error, httpx2.ProxyError):
            return f"refused ({call.clean(str(error))[:_NAMED]})"
    unknown = any(isinstance(error, socket.gaierror) for error in chain)
    if any(isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout) for error in chain):
        return "has a name that is not known here" if unknown else "does not answer"
    return ""


def _trusted(way: outbound.Way) -> str:
    """What may be wrong with the certificates that were trusted. For the operator."""
    if way.trouble:
        return f"{'. '.join(way.trouble)}. Correct or unset it, and start again."
    if way.certificates:
        return f"What is trusted here comes from {' and '.join(way.certificates)}."
    return "Where a firewall looks into connections, SSL_CERT_FILE has to name its certificate."


def said(data: Any, call: Call) -> Fault | None:
    """The error that an object inside an answer with status 200 reports; None when it reports none.

    Known forms: `{"error": {…}}`, `{"error": "text"}`, `{"type": "error", …}`, `{"object": "error", …}`,
    `{"base_resp": {"status_code": 1008, …}}`, `{"errors": […]}`, `{"detail": …}`, `{"code": 1, "msg": …}`.
    """
    if not isinstance(data, dict) or not _is_error(data):
        return None
    body = ErrorBody.read(data)
    status = body.status or _by_name(body)
    fault = meant(status, None, body, call)
    if not status and type(fault) is errors.Server:
        text = "" if body.text in body.names.split() else body.text
        names = (n for n in body.names.split() if n not in ("error", "None") and not n.isdecimal())
        name = call.clean(next(names, ""))[:_NAMED]
        words = f" ({name})" if name.isidentifier() and not text else ""
        return errors.Server(f"{call.title} broke off with an error{words}. Ask again.{call.quote(text)}")
    fault.status = None  # HTTP said 200
    return fault


def _is_error(data: dict[str, Any]) -> bool:
    if "error" in (data.get("type"), data.get("object")) or _tells(data.get("error")):
        return True
    told = data.get("base_resp")  # MiniMax
    if isinstance(told, dict) and told.get("status_code") not in (None, 0, "0"):
        return True
    if data.get("choices") or not set(data) <= _ASIDE or str(data.get("type")) == "ping":
        return False
    if any(_tells(data.get(name)) for name in _STRONG if name != "base_resp"):
        return True
    said = any(
        isinstance(data.get(n), str | list | dict) and data[n]
        for n in ("message", "msg", "detail", "details")
    )
    return said and not any(name in data for name in ("data", "created", "usage"))


def _tells(value: object) -> bool:
    """Whether there is anything in it: some send `"error": {"message": null}` with each chunk."""
    if isinstance(value, dict):
        return any(map(_tells, value.values()))
    return bool(value) and value not in ("null", "None", "none", "0", "ok", "success")


_BY_NAME = (
    ("rate_?limit|too_many_requests|resource_exhausted|throttl", 429),
    ("insufficient_(quota|balance|credit)|billing|payment", 402),
    ("overloaded|unavailable|capacity", 529),
    ("authentication|invalid_api_key|unauthorized|unauthenticated", 401),
    ("permission|forbidden|access_?denied", 403),
    ("not_?found", 404),
    ("request_too_large|context_length", 413),
    ("invalid_?(request|argument|param)|bad_?request|invalid_prompt|validation", 400),
    ("api_error|server_error|internal", 500),
)
"""What the names of errors mean, where no status is told."""


def _by_name(body: ErrorBody) -> int:
    return next((n for words, n in _BY_NAME if re.search(words, body.names, re.IGNORECASE)), 0)


def answered(status: int, headers: Mapping[str, str], body: object, call: Call) -> Fault:
    """The error that an HTTP answer means. `body` is JSON or text."""
    wait = waits.headers(headers)
    read = ErrorBody.read(body)
    if not wait and read.wait is not None:
        wait = read.wait
    if wait is None and status == 429:
        wait = waits.resets(headers)
    named = next((v for k, v in headers.items() if k.lower() in _NAMING), "")
    if named:
        read = replace(read, names=f"{read.names} {named[:_NAMED]}".strip())
    return meant(status, wait, read, call)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, as the headers of an answer say."""
    return waits.headers(headers, now)
