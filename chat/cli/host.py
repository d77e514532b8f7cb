"""The app, on an event loop in a thread of its own, for a caller that waits.

A terminal blocks: at the prompt, and at a pipe that nobody empties. The loop must not: lists of
models arrive meanwhile, and Stop has to get through. So the main thread reads, writes and takes
Ctrl-C, and the app lives here.
"""

import asyncio
import signal
import sys
import threading
from collections.abc import Awaitable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, TypeVar

from chat.build import App, open_app
from chat.events import Entry
from chat.runs import Run
from chat.settings import Settings

T = TypeVar("T")

# On Windows a wait without a limit cannot be interrupted by Ctrl-C.
_POLL = 0.1 if sys.platform == "win32" else None


class Host:
    """A context: entered, `app` is open; left, it is closed and the thread has ended."""

    app: App

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: Future[App] = Future()
        self._thread = threading.Thread(target=self._main, name="chat", daemon=True)

    def __enter__(self) -> "Host":
        """Raises what opening the app raises, `Config` for instance."""
        self._thread.start()
        self.app = _wait(self._opened)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()

    def call(self, work: Awaitable[T]) -> T:
        """The result of `work`, awaited on the app's loop."""

        async def run() -> T:
            return await work

        return _wait(asyncio.run_coroutine_threadsafe(run(), self._loop))

    def soon(self, call: Any) -> None:
        """`call` on the app's loop, without waiting for it."""
        self._loop.call_soon_threadsafe(call)

    def follow(self, run: Run) -> Generator[list[Entry], None, None]:
        """The entries of `run`, as many at a time as have come. Left early, it stops the run."""
        reading = run.follow()
        try:
            while (entries := self.call(anext(reading, None))) is not None:
                yield entries
        finally:
            self.soon(run.stop)
            with suppress(RuntimeError):  # interrupted while it waits for the next entries
                self.call(reading.aclose())

    @contextmanager
    def stopping(self, run: Run) -> Iterator[None]:
        """A context in which Ctrl-C stops `run`, and nothing else; pressed again, it interrupts."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals come to the main thread alone
            return

        def stop(number: int, frame: object) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.soon(run.stop)

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        async with open_app(self._settings) as app:
            self._opened.set_result(app)
            await self._leave.wait()


def _wait(future: "Future[T]") -> T:
    while True:
        try:
            return future.result(_POLL)
        except TimeoutError:
            if future.done():
                raise
