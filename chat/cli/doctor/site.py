"""A Runnel behind an address: is it there, does all of it arrive, and does it arrive when it is written.

It is met as a program meets it: with the token of the settings, or without one with a cookie of the page.
What it asks, it asks of the demo, in one chat, which it deletes at the end.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from itertools import pairwise
from urllib.parse import urlsplit

from chat.cli.doctor import probe, timing
from chat.cli.doctor.outcome import Outcome, failed, ok, warning
from chat.cli.doctor.probe import Heard
from chat.settings import Secret
from chat.settings.network import Network

TICKS, APART = 20, 0.1
"""How many, and seconds from one to the next: the demo's `20 timed ticks`."""
BURST = APART / 2
"""Seconds without a tick that end a burst. What arrives closer together was held back, and let go at once."""
ENOUGH, FEW = 15, 5
"""Bursts of `TICKS` with which all is well, and below which something holds them back."""
FIRST = 0.05
"""Seconds from the head of an answer to its first byte."""
OPENING = 0.5
"""Seconds that an answer may take to begin, more than the way there and back."""
RENEWAL = 14
"""Days before its end at which a certificate should have been renewed."""
NGINX = """In nginx, where the address is passed on to Runnel:
    proxy_http_version 1.1;
    proxy_set_header Connection '';
    proxy_buffering off;
    proxy_cache off;
    chunked_transfer_encoding on;
No gzip for text/event-stream. deploy/nginx.conf is a whole server."""
WEBSOCKET = """In nginx, where the address is passed on to Runnel:
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
deploy/nginx.conf has both without harm to the other requests."""


async def checks(
    url: str, token: Secret | None, network: Network | None = None
) -> AsyncGenerator[Outcome, None]:
    here = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    clear = url.startswith("http:") and not here
    if clear:
        yield warning(
            "https",
            "By http, all that is said can be read and changed on the way.",
            "Serve it by https (deploy/nginx.conf)."
            + (" CHAT_TOKEN is not sent like this." if token else ""),
        )
    async with probe.client(url, token.value if token and not clear else "", network) as made:
        try:
            async with aclosing(_met(made, url)) as outcomes:
                async for outcome in outcomes:
                    yield outcome
        except probe.Unreachable as error:
            yield failed("address", *probe.in_words(error, url))


async def _met(made: probe.Client, url: str) -> AsyncGenerator[Outcome, None]:
    async with made.stream("GET", "/healthz") as answer:
        days = probe.days_left(answer, time.time())
        await answer.aread()
    there = alive(answer, url)
    yield there
    if days is not None:
        yield certificate(days)
    if there.verdict == "failed":
        return
    began = time.perf_counter()
    ready = await made.get("/readyz")
    way = time.perf_counter() - began
    yield _ready(ready)
    # As a browser does, without the token: its cookie tells how Runnel thinks it was asked.
    page = await made.get("/", headers={"Accept": "text/html", "Authorization": ""})
    if (outcome := cookie(page, url)) is not None:
        yield outcome
    ticks = await probe.ask(made, f"{TICKS} timed ticks", timing.MODEL)
    if ticks.status != 200 or not ticks.pieces:
        yield refused(ticks)
        return
    conversation = ticks.headers.get("conversation-id", "")
    try:
        yield headers(ticks)
        yield early(ticks, way)
        yield bursts(ticks)
        yield elsewhere(await probe.from_elsewhere(made))
        yield websocket(*await probe.upgraded(made, "/chat/ws"))
        times: list[float | None] = []
        for _ in range(timing.QUESTIONS):
            heard = await probe.ask(made, timing.QUESTION, timing.MODEL, conversation)
            if heard.status == 429:
                yield refused(heard)
                return
            times.append(heard.pieces[0][0] if heard.pieces else None)
        yield timing.judged(times)
    finally:
        with suppress(probe.Unreachable):
            await made.delete(f"/chats/{conversation}")


def alive(answer: probe.Response, url: str) -> Outcome:
    if answer.status_code == 200 and probe.runnel_s(answer):
        return ok("address", f"Runnel answers at {url}")
    if answer.is_redirect:
        to = answer.headers.get("location", "").removesuffix("/healthz")
        return failed("address", f"{url} sends on to {to}.", "Ask the doctor with that address.")
    if answer.status_code in (502, 503, 504):
        return failed(
            "address",
            f"A proxy answers at {url}, and Runnel behind it does not ({answer.status_code}).",
            "Is it running? Does the proxy pass on to its port?",
        )
    if answer.status_code == 401:
        return failed(
            "address",
            f"Something before Runnel asks for a login at {url}.",
            "The doctor has none: ask it on that machine, with Runnel's own address.",
        )
    if said := str(probe.told(answer).get("error", "")):
        return failed("address", f"It refuses: “{said}”", "Look at CHAT_HOSTS there.")
    return failed(
        "address", f"What answers at {url} is not Runnel ({answer.status_code}).", "Is the address right?"
    )


def certificate(days: float) -> Outcome:
    if days < RENEWAL:
        return warning(
            "certificate", f"It ends in {days:.0f} days.", "Renew it: certbot renew", days=int(days)
        )
    return ok("certificate", f"Browsers believe it, for {days:.0f} days more", days=int(days))


def _ready(answer: probe.Response) -> Outcome:
    if answer.status_code == 200:
        return ok("ready", "It takes questions, and can save what is said")
    return failed("ready", str(probe.told(answer).get("error", f"/readyz says {answer.status_code}")))


def cookie(page: probe.Response, url: str) -> Outcome | None:
    """What the page's cookie tells of how Runnel thinks it was asked; None when there is none to look at."""
    given = page.headers.get("set-cookie", "")
    if not given or not url.startswith("https:"):
        return None
    if "secure" in given.lower():
        return ok("forwarding", "Runnel knows that it is asked by https")
    return warning(
        "forwarding",
        "Runnel thinks that it is asked by http: it does not believe the proxy.",
        "Name the proxy in CHAT_PROXIES, and let it send X-Forwarded-Proto and X-Forwarded-For. With "
        "CHAT_PROXY_SECRET it has to send that too: deploy/nginx.conf says how.",
    )


def refused(heard: Heard) -> Outcome:
    """Why nothing can be measured."""
    said = heard.error or f"it says {heard.status}"
    if heard.status == 401:
        return failed("question", said, "Set CHAT_TOKEN here to the one that is set there.")
    if heard.status == 403:
        return failed(
            "question",
            f"A question of its own page is refused: {said}",
            "Let the proxy pass on the host's name. In nginx: proxy_set_header Host $http_host;",
        )
    if heard.status == 429:
        return warning("question", f"Not measured to the end: {said}", "Wait, or ask with CHAT_TOKEN.")
    return warning(
        "question",
        f"The demo cannot be asked there: {said}",
        "Add demo:fast to CHAT_MODELS there to measure.",
    )


def headers(heard: Heard) -> Outcome:
    kind = heard.headers.get("content-type", "")
    cache = heard.headers.get("cache-control", "")
    wrong = []
    if not kind.startswith("text/event-stream"):
        wrong.append(f"Content-Type is {kind or 'not there'}, and should be text/event-stream")
    if "no-transform" not in cache or "no-cache" not in cache:
        wrong.append(f"Cache-Control is {cache or 'not there'}, and should be no-cache, no-transform")
    if (packed := heard.headers.get("content-encoding", "identity")) != "identity":
        wrong.append(f"it is packed ({packed}), which holds it back")
    # nginx reads this one and passes it on to nobody.
    if heard.headers.get("x-accel-buffering", "no") != "no":
        wrong.append("X-Accel-Buffering is not no")
    if wrong:
        return failed(
            "headers", f"Changed on the way: {'; '.join(wrong)}.", "Let the proxy leave them alone."
        )
    return ok("headers", "text/event-stream, not to be kept or packed on the way")


def early(heard: Heard, way: float) -> Outcome:
    """`way`: seconds there and back."""
    after, begin = heard.first - heard.head, heard.head - way
    figures = {"after_headers_ms": round(after * 1000), "headers_ms": round(heard.head * 1000)}
    said = f"{figures['after_headers_ms']} ms after the headers, which came after {figures['headers_ms']} ms"
    if after > FIRST or begin > OPENING:
        why = "Something on the way waits for more: see the line on streaming."
        return failed("first byte", f"{said}.", why, **figures)
    return ok("first byte", said, **figures)


def bursts(heard: Heard) -> Outcome:
    """`TICKS` were sent `APART`: in how many pieces they came."""
    times = [at for at, _ in heard.pieces]
    count = 1 + sum(later - earlier > BURST for earlier, later in pairwise(times))
    told = (
        f"{len(times)} ticks, sent {APART * 1000:.0f} ms apart, arrived in {count} burst{'s' * (count != 1)}"
    )
    figures = {"ticks": len(times), "bursts": count, "seconds": round(times[-1] - times[0], 3)}
    if len(times) < TICKS:
        return failed(
            "streaming", f"Only {told}.", "The line was cut: look at the proxy's timeouts.", **figures
        )
    if count < FEW:
        return failed("streaming", f"{told}: a proxy holds them back.", NGINX, **figures)
    if count < ENOUGH:
        return warning(
            "streaming", f"{told}.", "Measure again; the network, or a proxy, gathers some.", **figures
        )
    return ok("streaming", told, **figures)


def elsewhere(status: int) -> Outcome:
    if status == 403:
        return ok("other sites", "Their pages cannot ask here")
    return failed(
        "other sites",
        f"A question that another site's page sends is not refused (it gets {status}).",
        "Let the proxy pass on Origin and Host as they came.",
    )


def websocket(status: int, opened: bool) -> Outcome:
    if opened:
        return ok("websocket", "/chat/ws can be reached")
    return failed("websocket", f"/chat/ws answers {status}: no WebSocket comes through.", WEBSOCKET)
