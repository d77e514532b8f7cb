"""The HTTP of the doctor: one client, faults in words, and when each piece of an answer arrived.

Knows no check and no verdict. The token goes to the address that was given and nowhere else: no redirect is
followed.
"""

import asyncio
import base64
import hashlib
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from chat import outbound
from chat.settings.network import Network
from chat.sse import Decoder, ServerSentEvent

CONNECTING, WAITING = 10.0, 30.0
"""Seconds for a connection, and between two pieces of an answer."""

_LOGS = "Look at the log of the proxy, and at Runnel's."
_AUTHORITY = "Get one that browsers believe: certbot certonly --nginx -d {host}"
_CHAIN = "Serve fullchain.pem, not cert.pem. With an authority of your own, name its file in SSL_CERT_FILE."
# What OpenSSL calls the reasons (x509_vfy.h).
_CERTIFICATE = {
    9: ("is not valid yet", "Look at the clocks, here and there."),
    10: ("has expired", "Renew it: certbot renew"),
    18: ("is signed by itself, so no browser believes it", _AUTHORITY),
    19: ("comes from an authority that nobody knows", _AUTHORITY),
    20: ("comes without those between it and its authority", _CHAIN),
    21: ("comes without those between it and its authority", _CHAIN),
    62: ("is for another name", "Get one for this name: certbot certonly --nginx -d {host}"),
    64: ("is for another address", "Ask by the name that it is for."),
}

Unreachable = httpx2.HTTPError
Client = httpx2.AsyncClient
Response = httpx2.Response


@asynccontextmanager
async def client(
    url: str, token: str = "", network: Network | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """Keeps cookies, as a browser does."""
    headers = {"User-Agent": "runnel-doctor"} | ({"Authorization": f"Bearer {token}"} if token else {})
    timeout = httpx2.Timeout(WAITING, connect=CONNECTING)
    way = await asyncio.to_thread(outbound.transport, network or Network())
    async with httpx2.AsyncClient(
        base_url=url, headers=headers, timeout=timeout, transport=way, trust_env=False
    ) as made:
        yield made


async def is_runnel(url: str) -> bool:
    """Whether Runnel answers there, were it only that it refuses."""
    try:
        async with client(url) as made:
            answer = await made.get("/healthz", timeout=3)
    except httpx2.HTTPError:
        return False
    return runnel_s(answer)


def runnel_s(answer: httpx2.Response) -> bool:
    body = told(answer)
    return body == {"status": "ok"} or body.keys() == {"error", "kind"}


def told(answer: httpx2.Response) -> dict[str, Any]:
    """Its JSON object; empty for anything else."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def in_words(error: BaseException, url: str) -> tuple[str, str]:
    """Why there was no answer from `url`: the cause in a sentence, and the next step."""
    host = urlsplit(url).hostname or url
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            other = (f"is not believed ({cause.verify_message})", _AUTHORITY)
            why, next = _CERTIFICATE.get(cause.verify_code, other)
            return f"The certificate of {host} {why}.", next.format(host=host)
        if isinstance(cause, ssl.SSLError):
            return (
                f"{host} does not speak https there ({cause.reason or cause}).",
                "Are scheme and port right?",
            )
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx2.ConnectTimeout():
            return f"{host} does not answer within {CONNECTING:g} s.", "Is it on, and its port open?"
        case httpx2.TimeoutException():
            return f"{host} has said nothing for {WAITING:g} s.", _LOGS
        case httpx2.ConnectError():
            return (
                f"No connection to {host} ({str(error) or 'refused'}).",
                "Is it running, and the address right?",
            )
        case _:
            return f"The connection to {host} broke off ({str(error) or type(error).__name__}).", _LOGS


def days_left(answer: httpx2.Response, now: float) -> float | None:
    """Of the certificate with which `answer` came; None without one. `now` since the epoch."""
    stream = answer.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    certificate = tls.getpeercert() if tls is not None else None
    if not certificate or not isinstance(until := certificate.get("notAfter"), str):
        return None
    return (ssl.cert_time_to_seconds(until) - now) / 86_400


@dataclass(slots=True)
class Heard:
    """An answer of `/chat/stream`. Times in seconds since it was asked."""

    status: int
    headers: Mapping[str, str]
    head: float
    first: float = 0.0
    """To its first byte; 0 when there was none."""
    pieces: list[tuple[float, str]] = field(default_factory=list)
    """When each piece of text arrived."""
    error: str = ""
    """The sentence of a refusal or a failure."""


async def ask(made: httpx2.AsyncClient, question: str, model: str, conversation: str = "") -> Heard:
    """Raises `Unreachable`."""
    body = {"message": question, "model": model, "tools": False}
    body |= {"conversation": conversation} if conversation else {}
    asked = time.perf_counter()
    # As a browser sends it: a proxy that hides the host's name makes the page itself another site's.
    headers = {"Origin": origin(str(made.base_url))}
    async with made.stream("POST", "/chat/stream", json=body, headers=headers) as answer:
        heard = Heard(answer.status_code, answer.headers, time.perf_counter() - asked)
        if answer.status_code != 200:
            await answer.aread()
            heard.error = str(told(answer).get("error", ""))
            return heard
        decoder = Decoder()
        async for chunk in answer.aiter_bytes():
            at = time.perf_counter() - asked
            heard.first = heard.first or at
            for event in decoder.feed(chunk):
                if isinstance(event, ServerSentEvent):
                    _hear(heard, event.data, at)
    return heard


async def from_elsewhere(made: httpx2.AsyncClient) -> int:
    """The status of a question that another site's page sends. Raises `Unreachable`."""
    headers = {"Origin": "https://another-site.example", "Sec-Fetch-Site": "cross-site"}
    return (await made.post("/chat/stream", json={"message": ""}, headers=headers)).status_code


def origin(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}"


def _hear(heard: Heard, data: str, at: float) -> None:
    try:
        frame = json.loads(data)
    except ValueError:  # [DONE]
        return
    if isinstance(frame, dict):
        if isinstance(text := frame.get("content"), str):
            heard.pieces.append((at, text))
        heard.error = heard.error or str(frame.get("error", ""))


async def upgraded(made: httpx2.AsyncClient, path: str) -> tuple[int, bool]:
    """The status of a request to become a WebSocket at `path`, and whether it is one now (RFC 6455, 4.2.2).

    Raises `Unreachable`.
    """
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    }
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    async with made.stream("GET", path, headers=headers) as answer:
        accepted = answer.headers.get("sec-websocket-accept") == base64.b64encode(digest).decode()
        return answer.status_code, answer.status_code == 101 and accepted
