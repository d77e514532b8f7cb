"""How the process ends: when it is told to, in time, and with nothing done that serves nobody.

A signal before anything is served ends it at once. Afterwards the server ends the runs and the store saves
them (`chat.server`), and `leave` is the last thing that happens. Should something not let go meanwhile, a
thread ends the process all the same. Used by app.py and `chat.server`.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import NoReturn

DEADLINE_S = 4.6
"""From the signal on. Runs, open connections and the last save have less than this together."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = logging.getLogger(__name__)


@contextlib.contextmanager
def early() -> Iterator[None]:
    """While it starts, SIGTERM ends the process at once: nothing was asked yet, and a database that is
    brought forward is as it was or as it will be. Without this, the first process of a container would
    not hear the signal at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in SIGNALS}
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def at_latest(seconds: float = DEADLINE_S) -> None:
    """Ends the process after so many seconds, whatever it is doing."""

    def end() -> None:
        time.sleep(seconds)
        log.error("something did not let go: ended after %.1f s, without what was not saved by then", seconds)
        _flush()
        os._exit(1)

    threading.Thread(target=end, name="end", daemon=True).start()


def leave() -> NoReturn:
    """Ends the process, in which all is saved and closed by now.

    What Python does besides is to take some thousand modules apart and to wait for every thread: 0.6 s of CPU
    with nothing else to do, 20 s on a busy machine, and for ever when a thread hangs in a look-up of a name.
    """
    _flush()
    os._exit(0)


def _flush() -> None:
    logging.shutdown()
    for each in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            each.flush()
