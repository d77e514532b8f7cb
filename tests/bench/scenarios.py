"""What is measured of streaming, each on both pages by turns: ours, bare, ours, bare.

A question is a scenario of `tests.upstream`, played by the model `asked`; its `@` suffix makes it
unique, so that the provider's log tells when each of its tokens was sent.
"""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import httpx2
from playwright.async_api import Browser

from tests.bench import page as pages
from tests.bench import streams
from tests.bench.processes import Server, running
from tests.bench.report import Measure

RATE = 100
"""Tokens per second: a fast vendor."""
DELAY = 0.3
"""Seconds that the provider lets a reader wait for the first token, where that is measured."""


@dataclass
class Sizes:
    """How often and how much; `quick` is for a look, not for a figure to publish."""

    quick: bool = False
    runs: int = field(init=False)
    tokens: int = 2000
    fresh: int = 1000
    turns: int = 29
    long_answer: int = 1000
    long_answer_bare: int = field(init=False)
    """Fewer in a quick run: the bare page needs ten times as long as it should."""
    first_texts: int = field(init=False)
    first_pages: int = field(init=False)
    at_once: int = 10
    at_once_tokens: int = field(init=False)
    storing_tokens: int = field(init=False)
    storing_pairs: int = field(init=False)
    opens: int = field(init=False)
    idle: float = field(init=False)

    def __post_init__(self) -> None:
        self.runs = 1 if self.quick else 3
        self.long_answer_bare = 100 if self.quick else 1000
        self.first_texts = 5 if self.quick else 15
        self.first_pages = 3 if self.quick else 7
        self.at_once_tokens = 300 if self.quick else 1000
        self.storing_tokens = 300 if self.quick else 500
        self.storing_pairs = 3 if self.quick else 8
        self.opens = 1 if self.quick else 5
        self.idle = 10 if self.quick else 20


@dataclass
class Bench:
    provider: str
    chromium: Browser
    servers: dict[str, Server]
    sizes: Sizes
    say: Callable[[str], None]
    measures: list[Measure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._unique = itertools.count(1)
        self._recordings: dict[str, streams.Recording] = {}

    def measure(self, *args: object, **kwargs: object) -> Measure:
        measure = Measure(*args, **kwargs)  # type: ignore[arg-type]
        self.measures.append(measure)
        return measure

    def question(self, scenario: str, whole: bool = False) -> str:
        return f"{scenario}@{next(self._unique)}" + ("@whole" if whole else "")

    async def sent(self, question: str) -> list[float]:
        """When the provider sent each token of the answer."""
        async with httpx2.AsyncClient() as client:
            log = (await client.get(f"{self.provider}/_log", params={"question": question})).json()
        return log["requests"][-1]["tokens"]

    async def recording(self, name: str) -> streams.Recording:
        if name not in self._recordings:
            self._recordings[name] = await streams.record(self.chromium, self.servers[name].url)
        return self._recordings[name]

    # -- scenarios

    async def stream(self) -> None:
        """2,000 tokens at 100 per second, read in a browser."""
        n = self.sizes.tokens
        busy = self.measure(f"{n} tokens at {RATE}/s: browser main thread", "s", 0.22)
        cpu = self.measure(f"{n} tokens at {RATE}/s: server CPU", "s", 0.35)
        received = self.measure(f"{n} tokens at {RATE}/s: bytes to the browser", "kB", 0.2)
        shift = self.measure(f"{n} tokens at {RATE}/s: shift of the layout", "", 0.02, against="alone")
        gap = self.measure("longest gap on screen", "ms", 100, against="alone")
        late = self.measure("last token on screen after it was sent", "ms", 150, against="alone")
        for name, server in self._turns(self.sizes.runs):
            async with self._tab(server) as tab:
                question = self.question(f"prose-{n}-{RATE}")
                before = server.cpu()
                seen = await tab.ask(question, n, 10 * n / RATE)
                cpu.add(name, server.cpu() - before)
                busy.add(name, seen.main_thread)
                received.add(name, seen.received / 1000)
                shift.add(name, seen.shift)
                gap.add(name, seen.longest_gap * 1000)
                late.add(name, (seen.last - (await self.sent(question))[-1]) * 1000)
                self.say(f"stream, {name}: {seen.main_thread:.1f} s main thread")

    async def fresh(self) -> None:
        """The first answer on a page: what code needs is fetched with it, once, and by both."""
        n = self.sizes.fresh
        received = self.measure(f"first {n} tokens on a fresh page: bytes to the browser", "kB", 0.35)
        for name, server in self._turns(1):
            async with pages.tab(self.chromium, server.url) as tab:
                seen = await tab.ask(self.question(f"prose-{n}-{RATE}"), n, 10 * n / RATE)
                received.add(name, seen.received / 1000)
                self.say(f"fresh, {name}: {seen.received / 1000:.0f} kB")

    async def first_text(self) -> None:
        """From Enter to the first token on screen, without the provider's own delay."""
        added = self.measure("added time to first text", "ms", 1.0)
        for name, server in self._turns(1):
            async with self._tab(server) as tab:
                for _ in range(self.sizes.first_texts):
                    seen = await tab.ask(self.question(f"wait-{DELAY}+text-5-50"), 5, 30)
                    added.add(name, (seen.first - seen.entered - DELAY) * 1000)
                    await tab.ready()
                self.say(f"first text, {name}")

    async def long_chat(self) -> None:
        """An answer at 100 tokens per second at the end of a long chat, against the ideal time."""
        took = self.measure(
            f"turn {self.sizes.turns + 1} of a long chat, ÷ ideal", "×", 1.05, against="alone"
        )
        for name, server in self._turns(1):
            n = self.sizes.long_answer if name == "ours" else self.sizes.long_answer_bare
            ideal = (n - 1) / RATE
            async with self._tab(server) as tab:
                for _ in range(self.sizes.turns):
                    await tab.ask(self.question("prose-1000", whole=True), 1000, 60, settle=0.1)
                    await tab.ready()
                self.say(f"long chat, {name}: {self.sizes.turns} answers are there")
                for _ in range(self.sizes.runs if name == "ours" else 1):
                    seen = await tab.ask(self.question(f"prose-{n}-{RATE}"), n, 60 * ideal)
                    took.add(name, (seen.last - seen.entered) / ideal)
                    await tab.ready()
                self.say(
                    f"long chat, {name}: {took.ours[-1] if name == 'ours' else took.other[-1]:.2f}× ideal"
                )

    async def fast(self) -> None:
        """16,000 tokens as fast as they come: the server's work alone, and whether it is linear."""
        cpu = self.measure("16000 tokens at once: server CPU", "s", 0.06)
        linear = self.measure("cost of a token at 16000 ÷ at 500", "×", 1.3, against="alone")
        for name, server in self._turns(self.sizes.runs):
            recording = await self.recording(name)
            used: dict[int, float] = {}
            for n in (500, 16_000):
                repeat = 3 if n == 500 else 1
                before = server.cpu()
                for _ in range(repeat):
                    answer = await recording.ask(self.question(f"prose-{n}"))
                    assert answer.tokens == n, f"{name}: {answer.tokens} of {n} tokens arrived"
                used[n] = (server.cpu() - before) / repeat
            cpu.add(name, used[16_000])
            linear.add(name, used[16_000] / 16_000 / (used[500] / 500))
            self.say(f"fast, {name}: {used[16_000]:.2f} s for 16,000 tokens")

    async def at_once(self) -> None:
        """Ten answers at once, each at 100 tokens per second: the slowest against the ideal time."""
        n, ideal = self.sizes.at_once_tokens, (self.sizes.at_once_tokens - 1) / RATE
        took = self.measure(
            f"{self.sizes.at_once} streams at once, slowest ÷ ideal", "×", 1.05, against="alone"
        )
        for name, _ in self._turns(self.sizes.runs):
            recording = await self.recording(name)
            questions = [self.question(f"prose-{n}-{RATE}") for _ in range(self.sizes.at_once)]
            answers = await streams.together(recording, questions)
            took.add(name, max(answer.last - answer.asked for answer in answers) / ideal)
            self.say(f"at once, {name}: {took.ours[-1] if name == 'ours' else took.other[-1]:.2f}× ideal")

    async def idle(self) -> None:
        """A page that is open after an answer, while nobody does anything."""
        cpu = self.measure("idle with a page open: server CPU per minute", "s", 1.0)
        busy = self.measure("idle with a page open: browser main thread per minute", "s", 1.0)
        for name, server in self._turns(self.sizes.runs):
            async with self._tab(server) as tab:
                await asyncio.sleep(2)
                before, thread = server.cpu(), await tab.main_thread()
                await asyncio.sleep(self.sizes.idle)
                cpu.add(name, (server.cpu() - before) * 60 / self.sizes.idle)
                busy.add(name, (await tab.main_thread() - thread) * 60 / self.sizes.idle)

    async def first_page(self) -> None:
        """From the start of the process to its first page."""
        took = self.measure("start of the process to its first page", "s", 1.15)
        for name, _ in self._turns(self.sizes.first_pages):
            async with running(name, self.provider) as server:
                took.add(name, server.first_page)

    # -- helpers

    def _turns(self, runs: int) -> list[tuple[str, Server]]:
        return [pair for _ in range(runs) for pair in self.servers.items()]

    def _tab(self, server: Server) -> AbstractAsyncContextManager[pages.Tab]:
        return pages.tab(self.chromium, server.url, warm=100)
