"""`python tests/slow/watched_app.py`: app.py with a task in its loop that sees how long others have to wait.

What counts is the CPU time of the loop's thread between two of its ticks: on a machine that is busy with
something else it is the same. Whoever connects to the port in `WATCH_PORT` is told the most since the last
time, in milliseconds, and the process's memory in bytes.
"""

import asyncio
import os
import time
from pathlib import Path

import app
from chat.settings import Settings

TICK_S = 0.002


class Watch:
    def __init__(self) -> None:
        self.worst = 0.0
        self._last = time.thread_time()
        self._loop = asyncio.get_running_loop()
        self.tick()

    def tick(self) -> None:
        now = time.thread_time()
        self.worst, self._last = max(self.worst, now - self._last), now
        self._loop.call_later(TICK_S, self.tick)

    async def tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        memory = int(status.partition("VmRSS:")[2].split()[0]) * 1024
        writer.write(f"{1000 * self.worst:.1f} {memory}\n".encode())
        self.worst = 0.0
        await writer.drain()
        writer.close()


async def main() -> None:
    watch = Watch()
    port = int(os.environ["WATCH_PORT"])
    async with await asyncio.start_server(watch.tell, "127.0.0.1", port):
        await app.serve(Settings.load())


if __name__ == "__main__":
    asyncio.run(main())
