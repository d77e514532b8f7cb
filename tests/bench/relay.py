"""What is measured of the HTTP face, beside the relay that the source documents describe (`documents`).

Both are asked by `POST /chat/stream` with the same questions, by a client that reads lines and the clock and
nothing else, since it shares the machine with what it measures.
"""

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from statistics import quantiles
from urllib.parse import urlsplit

import psutil

from tests.bench.processes import Server, cookie, running
from tests.bench.report import Measure
from tests.bench.scenarios import Bench

STREAMS, RATE, SECONDS = 10, 100, 5
"""Of the figure for CPU: as many answers at once, tokens per second, and for so long."""
STEADY, STEADY_RATE = 500, 50
"""Tokens of the one stream whose delay is measured, and how many come in a second."""
TOGETHER = 20
MEGABYTE = 120_000
"""Tokens of a reply that is a megabyte."""
WAIT = 3
"""Seconds until the provider says its first word, where the first byte is waited for."""

_TOKEN = re.compile(rb"tok(\d+)")


@dataclass
class Heard:
    """Moments in seconds of the wall clock."""

    asked: float
    first_byte: float = 0.0
    tokens: list[float] = field(default_factory=list)

    @property
    def last(self) -> float:
        return self.tokens[-1]


async def ask(server: Server, question: str) -> Heard:
    """Asks and reads to the end. Raises `RuntimeError` when it is not an answer."""
    host, port = urlsplit(server.url).netloc.split(":")
    body = json.dumps({"message": question}).encode()
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
    try:
        head = f"POST /chat/stream HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        own = "".join(f"{name}: {value}\r\n" for name, value in cookie("bench").items())
        heard = Heard(time.time())
        writer.write(f"{head}{own}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        if b" 200 " not in (status := await reader.readline()):
            raise RuntimeError(f"{server.name}: {status!r}")
        while await reader.readline() != b"\r\n":
            pass
        while line := await reader.readline():
            now = time.time()
            heard.first_byte = heard.first_byte or now
            if line.startswith(b"data: "):
                if b"[DONE]" in line:
                    return heard
                heard.tokens += [now] * len(_TOKEN.findall(line))
        raise RuntimeError(f"{server.name}: the stream broke off")
    finally:
        writer.close()


async def relay(bench: Bench) -> None:
    async with (
        running("ours", bench.provider, CHAT_RUNS_EACH="100") as ours,
        running("documents", bench.provider) as documents,
    ):
        turns = [server for _ in range(bench.sizes.runs) for server in (ours, documents)]
        for server in (ours, documents):  # imports, and the first connection to the provider
            await ask(server, bench.question("text-50"))
        await _cpu(bench, turns)
        await _delays(bench, turns)
        await _first_bytes(bench, turns)
        await _at_once(bench, turns)
        await _memory(bench, ours)


async def _cpu(bench: Bench, turns: list[Server]) -> None:
    """As fast as they come, it is the program's work. At a pace, most of it is to be woken for each token and
    to pass one packet on: the system's work, and that of the HTTP client, which both have in common."""
    fast = bench.measure("relay: server CPU per 1000 tokens", "ms", 0.5, "documents", pairs=True)
    paced = bench.measure(
        f"relay: the same in {STREAMS} streams at {RATE}/s", "ms", 0.8, "documents", pairs=True
    )
    n = RATE * SECONDS
    for server in turns:
        for measure, questions in (
            (paced, [bench.question(f"text-{n}-{RATE}") for _ in range(STREAMS)]),
            (fast, [bench.question(f"text-{8 * n}")]),
        ):
            before = server.cpu()
            heard = await asyncio.gather(*(ask(server, question) for question in questions))
            tokens = sum(len(each.tokens) for each in heard)
            measure.add(server.name, (server.cpu() - before) * 1e6 / tokens)
        bench.say(f"relay, {server.name}: {_last(fast, server):.0f} ms, at a pace {_last(paced, server):.0f}")


async def _delays(bench: Bench, turns: list[Server]) -> None:
    """From the provider's sending of a token to its arrival here."""
    late = bench.measure(f"relay: added to a token at {STEADY_RATE}/s, p99", "ms", 5, against="alone")
    for server in turns:
        question = bench.question(f"text-{STEADY}-{STEADY_RATE}")
        heard = await ask(server, question)
        sent = await bench.sent(question)
        delays = [arrived - left for left, arrived in zip(sent, heard.tokens, strict=True)]
        late.add(server.name, quantiles(delays, n=100)[98] * 1000)
        bench.say(f"relay, {server.name}: {_last(late, server):.1f} ms added")


async def _first_bytes(bench: Bench, turns: list[Server]) -> None:
    waited = bench.measure(f"relay: first byte while the provider waits {WAIT} s", "ms", 50, against="alone")
    for server in turns:
        heard = await ask(server, bench.question(f"wait-{WAIT}+text-1"))
        waited.add(server.name, (heard.first_byte - heard.asked) * 1000)


async def _at_once(bench: Bench, turns: list[Server]) -> None:
    n, ideal = 200, 199 / RATE
    took = bench.measure(f"relay: {TOGETHER} streams at once, slowest ÷ ideal", "×", 1.1, against="alone")
    for server in turns:
        questions = [bench.question(f"text-{n}-{RATE}") for _ in range(TOGETHER)]
        heard = await asyncio.gather(*(ask(server, question) for question in questions))
        took.add(server.name, max(each.last - each.asked for each in heard) / ideal)


async def _memory(bench: Bench, server: Server) -> None:
    grown = bench.measure("relay: memory that a reply of 1 MB adds", "MB", 20, against="alone")
    process, before, most = psutil.Process(server.pid), 0, 0
    for tokens in (MEGABYTE // 10, MEGABYTE):  # the first for what is allocated once
        before = most = process.memory_info().rss
        asked = asyncio.create_task(ask(server, bench.question(f"text-{tokens}")))
        while not asked.done():
            await asyncio.wait({asked}, timeout=0.1)
            most = max(most, process.memory_info().rss)
        assert len((await asked).tokens) == tokens
    grown.add("ours", (most - before) / 1e6)


def _last(measure: Measure, server: Server) -> float:
    return (measure.ours if server.name == "ours" else measure.other)[-1]
