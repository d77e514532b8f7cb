"""A loopback server that speaks the three vendors' protocols and plays what the model's name says.

In a test's own loop: `async with Upstream() as upstream:` then `upstream.url`, `upstream.requests`.
In a process of its own: `python -m tests.upstream [--port N]` prints its port; `GET /_log` tells the same.

`scenario` reads a model's name into steps, `dialects` writes them in a protocol, `play` puts them on
a wire in time, `server` holds the sockets. Model names are explained in `scenario`. Tests and the bench
call it.
"""

from tests.upstream.play import Recorded
from tests.upstream.server import Upstream

__all__ = ["Recorded", "Upstream"]
