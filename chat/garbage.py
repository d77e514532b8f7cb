"""Keeps Python's collector of cycles from holding up the event loop.

A full collection walks over all objects that there are, on the loop, whenever enough new ones have come. What
is there from the start and stays (modules, routes, the page: some 290,000 objects) costs 200 ms each time.
`chat.server` calls `settle` once it listens, `chat.providers.clients` once an SDK is imported.
"""

import gc


def settle() -> None:
    """What is alive now is walked over no more. It is still let go once nothing refers to it; only cycles in
    it stay, so this is for moments that come once or twice in a process."""
    gc.collect()
    gc.freeze()
