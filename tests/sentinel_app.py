"""`python -m tests.sentinel_app PORT`: app.py at DEBUG, with all vendors' hosts at the upstream of PORT.

For `test_sentinels`: every line that any library would log is there, and no request leaves the machine.
The upstream is told the host that was asked for.
"""

import asyncio
import functools
import logging
import sys

import httpx2

import app
from chat import build
from chat.settings import Settings


class Everywhere(httpx2.AsyncHTTPTransport):
    """Brings each request to this machine's `port`."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        request.headers["x-asked-of"] = url.host
        request.url = url.copy_with(
            scheme="http", host="127.0.0.1", port=self._port, path=url.path[url.path.index("/v1") :]
        )
        return await super().handle_async_request(request)


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG)
    transport = Everywhere(int(sys.argv[1]))
    build.open_app = functools.partial(build.open_app, transport=transport)
    asyncio.run(app.serve(Settings.load()))
