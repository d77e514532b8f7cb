"""`python -m tests.upstream [--port N]`: prints the port, serves until it is ended."""

import argparse
import asyncio
import contextlib
import signal

from tests.upstream.server import Upstream


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    async with Upstream(parser.parse_args().port) as upstream:
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on a loop
                asyncio.get_running_loop().add_signal_handler(number, ended.set)
        print(upstream.port, flush=True)
        await ended.wait()


asyncio.run(main())
