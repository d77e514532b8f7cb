"""The browser's side: ask a question as a person would and see which token was on screen when.

Every token carries its number, so the text of the last answer tells how far it is. A MutationObserver
notices changes, the next animation frame reads the text, and a message posted from there arrives after
that frame was laid out and painted: its time counts. It costs the same on both pages, and little.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, async_playwright

BOX = "textarea:visible"
POLL = 0.2
"""Seconds between two looks at how far the page is."""
SETTLE = 1.0
"""Seconds after the last token in which work that belongs to the answer still counts."""
WATCH = """
(() => {
  const bench = window.__bench = {entered: 0, question: '', last: 0, seen: [], shift: 0};
  new PerformanceObserver((list) => {
    for (const moved of list.getEntries()) if (!moved.hadRecentInput) bench.shift += moved.value;
  }).observe({type: 'layout-shift'});
  const painted = new MessageChannel();
  painted.port1.onmessage = ({data}) => bench.seen.push([Date.now(), data]);
  const number = (text) => {
    for (let at = text.length; (at = text.lastIndexOf('tok', at - 1)) > 0;)
      if (text[at + 3] >= '0' && text[at + 3] <= '9') return parseInt(text.slice(at + 3, at + 10));
    return text.startsWith('tok') ? parseInt(text.slice(3, 10)) || 0 : 0;
  };
  let waiting = false;
  const look = () => {
    waiting = false;
    // A long chat shows its last turns only, so that the answer is not found by its number.
    const asked = bench.question && [...document.querySelectorAll('[data-testid="user"]')]
      .findLast((said) => said.textContent.includes(bench.question));
    if (asked === undefined) return;
    const bots = document.querySelectorAll('[data-testid="bot"]');
    const after = (bot) => !asked || asked.compareDocumentPosition(bot) & Node.DOCUMENT_POSITION_FOLLOWING;
    let last = 0;
    for (let at = bots.length; !last && --at >= 0 && after(bots[at]);) last = number(bots[at].textContent);
    if (last && last !== bench.last) { bench.last = last; painted.port2.postMessage(last); }
  };
  new MutationObserver(() => {
    if (!waiting) { waiting = true; requestAnimationFrame(look); }
  }).observe(document, {subtree: true, childList: true, characterData: true});
  addEventListener('keydown', (event) => { if (event.key === 'Enter') bench.entered = Date.now(); }, true);
})()
"""


@dataclass(frozen=True)
class Seen:
    """One answer as the reader saw it. Moments in seconds of the wall clock."""

    entered: float
    tokens: list[tuple[float, int]]
    """When which token was the last one on screen."""
    main_thread: float
    """CPU seconds of the renderer's main thread, from Enter until all was settled."""
    received: int
    """Bytes from the server in the same time, as they were on the wire."""
    shift: float
    """Of the layout, in the same time, as Chromium counts it: but for the half second after a key."""

    @property
    def first(self) -> float:
        return self.tokens[0][0]

    @property
    def last(self) -> float:
        return self.tokens[-1][0]

    @property
    def longest_gap(self) -> float:
        moments = [moment for moment, _ in self.tokens]
        return max((b - a for a, b in pairwise(moments)), default=0.0)


@dataclass
class Tab:
    page: Page
    cdp: CDPSession
    received: int = 0
    """Bytes from the server so far."""
    errors: list[str] = field(default_factory=list)

    async def ask(self, question: str, tokens: int, patience: float, settle: float = SETTLE) -> Seen:
        """Types `question`, presses Enter and waits until token number `tokens` is on screen."""
        await self.page.evaluate(
            "question => Object.assign(__bench, {question, entered: 0, last: 0, seen: [], shift: 0})",
            question,
        )
        box = self.page.locator(BOX).last
        await box.fill(question)
        busy, received = await self.main_thread(), self.received
        await box.press("Enter")
        await self._until(tokens, patience)
        await asyncio.sleep(settle)
        bench = await self.page.evaluate("__bench")
        return Seen(
            bench["entered"] / 1000,
            [(moment / 1000, number) for moment, number in bench["seen"]],
            await self.main_thread() - busy,
            self.received - received,
            bench["shift"],
        )

    async def _until(self, tokens: int, patience: float) -> None:
        until, last = time.monotonic() + patience, 0
        while time.monotonic() < until:
            if (last := await self.page.evaluate("__bench.last")) >= tokens:
                return
            await asyncio.sleep(POLL)
        raise TimeoutError(f"token {last} of {tokens} after {patience:g} s at {self.page.url}")

    async def ready(self, patience: float = 30) -> None:
        """Waits until the next question can be typed: no answer is running."""
        stop = self.page.locator("button.stop-button, [data-testid='stop-button']")
        with contextlib.suppress(Exception):
            await stop.first.wait_for(state="hidden", timeout=patience * 1000)

    async def main_thread(self) -> float:
        metrics: dict[str, Any] = await self.cdp.send("Performance.getMetrics")
        return next(m["value"] for m in metrics["metrics"] if m["name"] == "TaskDuration")


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Playwright's own Chromium, else the one on the path."""
    quiet = ("timer-throttling", "networking")
    args = ["--no-sandbox", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows"]
    async with async_playwright() as playwright:
        own = Path(playwright.chromium.executable_path).exists()
        path = None if own else shutil.which("chromium") or shutil.which("google-chrome")
        chromium = await playwright.chromium.launch(
            executable_path=path, args=[*args, *(f"--disable-background-{what}" for what in quiet)]
        )
        try:
            yield chromium
        finally:
            await chromium.close()


@contextlib.asynccontextmanager
async def tab(chromium: Browser, url: str, warm: int = 0) -> AsyncIterator[Tab]:
    """A page in a context of its own, ready for a question, after a first answer of `warm` tokens."""
    context = await chromium.new_context(viewport={"width": 1440, "height": 900})
    try:
        await context.add_init_script(WATCH)
        page = await context.new_page()
        cdp = await context.new_cdp_session(page)
        opened = Tab(page, cdp)
        # CPU time of the thread: wall time would count what else the machine does.
        await cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
        await cdp.send("Network.enable")

        def count(event: dict[str, Any]) -> None:
            # The same bytes come as data first, and then, perhaps in another event, as they were encoded.
            opened.received += event["encodedDataLength"]

        cdp.on("Network.dataReceived", count)
        await page.goto(url)
        await page.locator(BOX).last.wait_for()
        await asyncio.sleep(SETTLE)
        if warm:
            # With code in it: its font and its highlighter are fetched once, and are nobody's streaming.
            await opened.ask(f"prose-{warm}-100", warm, 30)
            await opened.ready()
        yield opened
    finally:
        await context.close()
