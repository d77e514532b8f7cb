"""Our own uvicorn: the port, the address on the terminal, and a graceful end.

Used by app.py alone. uvicorn waits for open streams before it tells the app to end, and a page's
streams end only with their runs: so the runs are ended first. Then each page is told how its
answer ended while the store saves them, `open_app` closes the store, and the process leaves with exit code 0
(`chat.ending`).
"""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.supervisors import ChangeReload

from chat import ending, garbage
from chat.api import downloads
from chat.api.proxies import Named
from chat.build import App
from chat.connections import Connection, Line
from chat.errors import Config
from chat.settings import Settings

PACKAGE = Path(__file__).parent
TRIED = 100
"""Ports that are tried one after another when none was asked for."""
LARGEST_MESSAGE = 1_000_000
"""Bytes that a WebSocket's message may have: as many as a request's body."""
GRACE = 1
"""Seconds for open connections after the runs have ended. With the store's last save (2.5 s, when the disk
does not take it) all is over within 5 s."""
CANCELLED_S = 0.2
"""Seconds for the requests that were still open then, and were cancelled, to end."""

AGAIN = 0.9
"""Seconds until a connection is taken again after the system had nothing to take it with."""
DESCRIPTORS = 65_536
"""Open files, most of them connections, that are asked of the system at most."""
MOST = 400
"""Connections from one address, and never more than a quarter of all. A browser has six; a school behind one
address is below this."""

log = logging.getLogger(__name__)


@contextlib.contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """A listening socket. Raises `Config` when the port, or the address, cannot be had."""
    ports = [settings.port] if settings.port_chosen else range(settings.port, settings.port + TRIED)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    for port in ports:
        # With the protocol named, asyncio switches Nagle's delay off: 44 ms a request without.
        with contextlib.closing(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as bound:
            if sys.platform != "win32":  # there it would let two servers share a port
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind((settings.host, port))
            except OSError as error:
                if isinstance(error, socket.gaierror) or port == ports[-1]:
                    raise Config(_no_port(settings, error)) from error
                continue
            bound.listen(2048)
            yield bound
            return


def _no_port(settings: Settings, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"GRADIO_SERVER_NAME: this machine has no address {settings.host}."
    if settings.port_chosen:
        return (
            f"Port {settings.port} at {settings.host} cannot be had ({error.strerror}). "
            "Set GRADIO_SERVER_PORT to another one, or leave it away to take the next free one."
        )
    return f"No port from {settings.port} on is free at {settings.host} ({error.strerror})."


def reload(run: Callable[[list[socket.socket] | None], None], settings: Settings) -> None:
    """Calls `run` in a process of its own, and in a new one whenever a Python file of the package changes,
    until a signal. Who connects meanwhile waits: the socket stays open. Raises `Config`."""
    config = uvicorn.Config("app", reload=True, reload_dirs=[str(PACKAGE)], log_level="warning")
    with listen(settings) as bound:
        ChangeReload(config, target=run, sockets=[bound]).run()


def descriptors() -> int:
    """How many this process may have open, after it has asked for as many as it is granted. 0: unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS grants less than it says
        return soft
    return wanted


class Seldom(logging.Filter):
    """Lets each warning through once a minute, with how many of them there were. `clock` in seconds."""

    def __init__(self, every: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every, self._clock = every, clock
        self._told: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        now, said = self._clock(), str(record.msg)
        at, more = self._told.get(said, (float("-inf"), 0))
        if now - at < self._every:
            self._told[said] = at, more + 1
            return False
        if len(self._told) >= 100:  # nobody's texts but uvicorn's few are expected
            self._told.clear()
        self._told[said] = now, 0
        if more:
            record.msg = f"{said} ({more} more since this was said last)"
        return True


def unended(record: logging.LogRecord) -> bool:
    """Lets through all but the tracebacks of the requests that uvicorn (0.54) cancels at the end, after it
    has said in one line how many there were. That somebody reads slowly is no error."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class Taking(socket.socket):
    """Takes connections for asyncio, which (3.11) tries the next one, up to 2,048 times, after it was told
    that the system has nothing left for it: each with a traceback, and each once more a second later."""

    _until = 0.0

    def accept(self) -> tuple[socket.socket, Any]:
        if time.monotonic() < self._until:
            raise BlockingIOError
        try:
            return super().accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._until = time.monotonic() + AGAIN
            raise


def exhausted(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Says in a sentence that no connection can be taken; asyncio tries again every second, and
    would write a traceback each time. Of anything else, what asyncio says."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE) and "socket" in context:
        log.warning(
            "No further connection can be taken: the system grants no more open files (see “ulimit -n”)."
        )
    else:
        loop.default_exception_handler(context)


class Server(uvicorn.Server):
    def __init__(self, asgi: Any, app: App, bound: socket.socket) -> None:
        files, proxies = descriptors(), Named(app.settings.proxies)

        def through(address: str) -> bool:
            """Whether many people may come from there: a proxy, and this machine, where one may stand."""
            return app.settings.space or address in proxies or ip_address(address).is_loopback

        class Ours(Connection):
            most = min(MOST, files // 4) if files else MOST
            free = staticmethod(through)

        super().__init__(
            uvicorn.Config(
                asgi,
                log_level="warning",
                access_log=False,
                http=Ours,
                timeout_graceful_shutdown=GRACE,
                timeout_keep_alive=75,
                proxy_headers=False,  # `chat.api.proxies` reads them
                server_header=False,
                ws=Line,
                ws_max_size=LARGEST_MESSAGE,
                ws_per_message_deflate=False,  # messages of some 80 bytes, each at once
            )
        )
        self._app = app
        self._bound = Taking(bound.family, bound.type, bound.proto, fileno=bound.detach())

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(exhausted)
        seldom, errors = Seldom(), logging.getLogger("uvicorn.error")
        logs = log, downloads.log, errors
        for each in logs:
            each.addFilter(seldom)
        errors.addFilter(unended)
        try:
            await super().serve([self._bound])
        finally:
            errors.removeFilter(unended)
            for each in logs:
                each.removeFilter(seldom)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        garbage.settle()
        host, port = self._bound.getsockname()[:2]
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        # On a Space the log is no terminal of the owner's, and 127.0.0.1 nobody's.
        key = "" if self._app.settings.space else f"/?key={self._app.owners.key}"
        sys.stdout.write(f"{self._app.settings.title} is at http://{shown}:{port}{key}  (Ctrl-C ends it)\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """uvicorn (0.54) gives the signals back when it has ended, and raises the one that came once more: a
        second one would then end the process while the store saves, and the exit code would be -15. So they
        stay with us; who called gives them back."""
        if threading.current_thread() is threading.main_thread():
            for each in ending.SIGNALS:
                signal.signal(each, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            ending.at_latest()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.runs.aclose()
        # The readers of the runs say meanwhile how it ended; on a busy machine that may take all of the time.
        saving = asyncio.create_task(self._app.store.saved(GRACE), name="save at the end")
        await super().shutdown(sockets)
        if cancelled := self.server_state.tasks:
            await asyncio.wait(cancelled, timeout=CANCELLED_S)
        await saving
