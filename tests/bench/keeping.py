"""What it costs that nothing is lost: ours with a database against ours without, and with much in it.

`unsaved` is the same program, but what it should save is forgotten (`tests.bench.unsaved`). The long
chat and the long list are written by the store's own code (`seed`), and opened by a server that has
just started and holds nothing of them.
"""

import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from playwright.async_api import Page

from tests.bench import page as pages
from tests.bench import seed, streams
from tests.bench.processes import Server, cookie, running
from tests.bench.scenarios import Bench

STREAMS, RATE = 50, 50
"""Answers at once, and tokens per second of each."""
FRAME = 16
"""Milliseconds that a screen shows one picture: less than that nobody can see."""
OWNER = "bench"
MESSAGES, CHATS = 1000, 10_000
LOOKS = 20
"""Requests for the list of each kind."""


async def storing(bench: Bench) -> None:
    """Fifty streams at 50 tokens per second, and first texts, with and without a database, by turns."""
    n = bench.sizes.storing_tokens
    cpu = bench.measure(
        f"{STREAMS} streams at {RATE}/s, storing: server CPU", "s", 1.05, "unsaved", pairs=True
    )
    first = bench.measure("time to first text, added by storing", "ms", FRAME, "alone")
    async with running("ours", bench.provider) as ours, running("unsaved", bench.provider) as unsaved:
        both = [ours, unsaved]
        recordings = {each.name: await streams.record(bench.chromium, each.url) for each in both}
        for each in both:  # what is imported late is imported now
            await streams.together(recordings[each.name], [bench.question("prose-50-50") for _ in range(5)])
        for number in range(bench.sizes.storing_pairs):
            for server in both if number % 2 else reversed(both):
                questions = [bench.question(f"prose-{n}-{RATE}") for _ in range(STREAMS)]
                before = server.cpu()
                answers = await streams.together(recordings[server.name], questions)
                cpu.add(server.name, server.cpu() - before)
                assert all(answer.tokens == n for answer in answers), "not all tokens arrived"
            bench.say(f"storing: {cpu.figures[-1]:.3f}× the CPU of not storing")
        for number in range(2 * bench.sizes.first_texts):
            took: dict[str, float] = {}
            for server in both if number % 2 else reversed(both):
                answer = await recordings[server.name].ask(bench.question("text-5-50"))
                took[server.name] = answer.first - answer.asked
            first.add("ours", (took["ours"] - took["unsaved"]) * 1000)


async def long_open(bench: Bench) -> None:
    """A chat of 1,000 messages: loaded with the page, and opened in a page that is there."""
    clicked = bench.measure(f"chat of {MESSAGES} messages opened in an open page", "s", 1.0, "alone")
    loaded = bench.measure(f"page loaded with a chat of {MESSAGES} messages", "s", 2.0, "alone")
    with tempfile.TemporaryDirectory(prefix="runnel-bench-") as folder:
        database = Path(folder) / "chat.db"
        chat, short = await seed.long_chat(database, OWNER, MESSAGES)
        for _ in range(bench.sizes.opens):
            async with running("ours", bench.provider, database) as server, _owned(bench, server) as page:
                await page.goto(f"{server.url}/?chat={chat}", wait_until="commit")
                began = await page.evaluate("performance.timeOrigin")
                loaded.add("ours", await _shown(page) - began / 1000)
            async with running("ours", bench.provider, database) as server, _owned(bench, server) as page:
                await page.goto(f"{server.url}/?chat={short}")
                await page.get_by_text("Something else?").first.wait_for()
                await page.wait_for_load_state("networkidle")
                began = await page.evaluate(OPEN, chat)
                clicked.add("ours", await _shown(page) - began / 1000)
            bench.say(f"a long chat: {clicked.ours[-1]:.2f} s, with the page {loaded.ours[-1]:.2f} s")


async def long_list(bench: Bench) -> None:
    """The list of 10,000 chats, and a search in it, as answered over HTTP."""
    with tempfile.TemporaryDirectory(prefix="runnel-bench-") as folder:
        database = Path(folder) / "chat.db"
        await seed.many_chats(database, OWNER, CHATS)
        bench.say(f"a long list: {database.stat().st_size / 1e6:.0f} MB on the disk")
        async with (
            running("ours", bench.provider, database) as server,
            httpx2.AsyncClient(base_url=server.url, cookies=cookie(OWNER)) as client,
        ):
            for what, search in (
                ("list", ""),
                ("a search that finds few", seed.RARE),
                ("a search that finds all", seed.COMMON),
            ):
                took = bench.measure(f"{CHATS} chats, {what}", "ms", 100, "alone")
                for _ in range(LOOKS):
                    began = time.perf_counter()
                    answer = await client.get("/chats", params={"search": search})
                    took.add("ours", (time.perf_counter() - began) * 1000)
                    found = len(answer.raise_for_status().json()["chats"])
                    assert found == (seed.RARELY if search == seed.RARE else 50), f"{what}: {found} chats"


OPEN = """(chat) => {
  const began = Date.now();
  Object.assign(__bench, {last: 0, seen: []});
  dispatchEvent(new CustomEvent("runnel-open", {detail: {chat}}));
  return began;
}"""


@contextlib.asynccontextmanager
async def _owned(bench: Bench, server: Server) -> AsyncIterator[Page]:
    """A page of the owner of the seeds, which notes when which token is on screen."""
    context = await bench.chromium.new_context(viewport={"width": 1440, "height": 900})
    try:
        ((name, value),) = cookie(OWNER).items()
        host = urlsplit(server.url).hostname or ""
        await context.add_cookies([{"name": name, "value": value, "domain": host, "path": "/"}])
        await context.add_init_script(pages.WATCH)
        yield await context.new_page()
    finally:
        await context.close()


async def _shown(page: Page) -> float:
    """When the last answer of the long chat was on screen, in seconds of the wall clock."""
    await page.wait_for_function("last => __bench.last === last && __bench.seen.length", arg=seed.LAST)
    seen = await page.evaluate("__bench.seen")
    return next(moment for moment, number in seen if number == seed.LAST) / 1000
