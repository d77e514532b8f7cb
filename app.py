"""Starts Runnel: reads the settings, opens the app, mounts the faces on one ASGI app, serves it.

    python app.py [--reload]

No logic lives here. The page is `chat.ui`, the composition `chat.build`; `serve` is our own
uvicorn, so that SIGTERM gives every run its end before the process goes.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from socket import socket
from typing import TYPE_CHECKING

from chat import ending, log_budget
from chat.errors import Config
from chat.settings import Settings
from chat.standard import open_streams

if TYPE_CHECKING:
    from fastapi import FastAPI

    from chat.build import App


async def serve(settings: Settings, bound: socket | None = None) -> None:
    """Until a signal, on `bound` where there is one. Raises `Config` when it cannot start."""
    from chat.build import open_app, who_can_connect, who_is_believed, whose_keys
    from chat.server import Server, listen

    for notice in filter(None, (whose_keys(settings), who_is_believed(settings), who_can_connect(settings))):
        logging.getLogger(__name__).info(notice)
    with contextlib.nullcontext(bound) if bound else listen(settings) as listening:
        async with open_app(settings) as app:
            await Server(asgi(app), app, listening).serve()


def asgi(app: "App") -> "FastAPI":
    """All that is served, as it is served: every face of `app`, and the layers around them."""
    # Gradio takes two seconds to import: not before it is clear that it will be needed.
    from fastapi import FastAPI
    from starlette.middleware.cors import CORSMiddleware

    from chat import ui
    from chat.api import chats, keys, operator
    from chat.api.cookie import Cookie
    from chat.api.gate import Gate
    from chat.api.mount import mount
    from chat.api.proxies import Proxies
    from chat.api.safety import SafetyHeaders

    settings = app.settings
    parent = FastAPI(title=settings.title, docs_url=None, redoc_url=None, openapi_url=None)
    # An empty allow-list: without it Gradio reflects any Origin, with credentials (6.31).
    parent.add_middleware(CORSMiddleware, allow_origins=[])
    chats.route(parent, app)
    keys.route(parent, app)
    operator.route(parent, app)
    mount(parent, app)
    ui.mount(parent, app)
    framed = settings.space
    parent.add_middleware(
        Cookie,
        owners=app.owners,
        adopt=app.store.adopt,
        framed=framed,
        door=settings.login,
        token=settings.token,
    )
    if settings.login:
        from chat.api.door import Door
        from chat.logins import Logins

        parent.add_middleware(
            Door, settings=settings, owners=app.owners, logins=Logins(settings.users, app.owners)
        )
    parent.add_middleware(Gate, local=settings.named_locally, hosts=settings.hosts)
    parent.add_middleware(SafetyHeaders, framed=framed)
    secret = settings.proxy_secret.value if settings.proxy_secret else ""
    parent.add_middleware(Proxies, named=settings.proxies, secret=secret, space=settings.space)
    return parent


def run(sockets: list[socket] | None = None) -> None:
    """Until a signal, which ends the process. `sockets`: of the one that starts this one again and again."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with contextlib.suppress(KeyboardInterrupt), ending.early():
        said(lambda settings: asyncio.run(_serve(settings, *(sockets or ()))))


async def _serve(settings: Settings, *bound: socket) -> None:
    if not settings.log_text:  # whoever wants the texts wants all of them
        log_budget.install()
    await serve(settings, *bound)
    ending.leave()  # here, and not after `asyncio.run`: that waits for every task and thread


def said(begin: Callable[[Settings], object]) -> None:
    """Calls `begin`; what is wrong with the settings is a sentence, and exit code 2."""
    try:
        begin(Settings.load())
    except Config as fault:
        sys.stderr.write(f"{fault.whole}\n")
        sys.exit(2)


def main() -> None:
    open_streams()
    parser = argparse.ArgumentParser(
        description="Starts Runnel. Settings are environment variables or lines of .env: see .env.example."
    )
    parser.add_argument("--reload", action="store_true", help="start again whenever its code changes")
    if parser.parse_args().reload:
        from chat.server import reload

        said(lambda settings: reload(run, settings))
    else:
        run()


if __name__ == "__main__":
    main()
