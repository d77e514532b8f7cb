"""All routes of an app, with those of what is mounted on it, as methods and addresses to ask."""

import re
from collections.abc import Iterator
from typing import Any

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")


def flat(routes: Any) -> Iterator[tuple[str, frozenset[str]]]:
    """The address of each route, as it is written in the code, and its methods; none for a WebSocket."""
    for route in routes:
        if hasattr(route, "effective_candidates"):  # a router that FastAPI (0.165) has included
            yield from flat(route.effective_candidates())
        elif hasattr(route, "routes") and not hasattr(route, "methods"):
            yield from flat(route.routes)
        else:
            yield route.path, frozenset(getattr(route, "methods", None) or ())


def asked(path: str) -> set[str]:
    """Addresses that a route of `path` takes."""
    fillings = ("1", "predict", "http://192.0.2.1/x.png", "a/b.js")
    return {re.sub(r"{[^}]+}", name, path) for name in fillings if "/" not in name or ":path}" in path}
