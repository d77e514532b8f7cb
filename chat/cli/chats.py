"""`python -m chat chats`: the local owner's chats, listed, and one of them exported.

Opens the store alone: nobody is asked for models, and no answer begins.
"""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict

from chat.cli import streams
from chat.cli.arguments import Chats
from chat.cli.columns import fit, pad, when, width
from chat.cli.finding import by_beginning, listed, missing
from chat.cli.plain import one_line, plain
from chat.owners import LOCAL
from chat.settings import Settings
from chat.store import Chat, Store, open_store

_SHOWN = 20
"""Chats on a terminal, where nobody says how many."""
_SHORT = 8
"""Characters of an id on a terminal: 48 bits, of which an unambiguous beginning is enough."""
_GAP = "  "


async def run(settings: Settings, arguments: Chats) -> None:
    """Writes to stdout. Raises `Config` for a database that cannot be read, and `NoChat`."""
    async with open_store(settings.database, journal=settings.journal) as store:
        if arguments.export is None:
            await _list(store, settings, arguments)
        else:
            await _export(store, arguments.export, "json" if arguments.json else arguments.format)


async def _export(store: Store, id: str, format: str) -> None:
    from chat import export  # here, because the list needs none of it

    id = await by_beginning(store, id)
    if (chat := await store.peek(LOCAL, id)) is None:  # deleted meanwhile
        raise missing(id)
    await store.earlier(chat, len(chat.exchanges))
    text = export.as_json(chat) if format == "json" else export.markdown(chat)
    sys.stdout.write(plain(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


async def _list(store: Store, settings: Settings, arguments: Chats) -> None:
    table = sys.stdout.isatty() and not arguments.json
    limit = arguments.limit or (_SHOWN if table else None)
    cut = asyncio.Event()
    chats, more = await _taken(listed(store, arguments.search, when_cut=cut.set), limit)
    if arguments.json:
        lines = [json.dumps(asdict(chat)).replace("\x7f", "\\u007f") for chat in chats]
    elif table:
        columns = shutil.get_terminal_size().columns
        lines = _table(chats, columns, time.time(), dim=streams.colour(settings, sys.stdout))
    else:
        lines = [_tabs(chat) for chat in chats]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
    if cut.is_set():
        streams.complain("The search took too long and left out the oldest chats. Search for a longer word.")
    elif not chats and not arguments.json:
        streams.complain(
            f"No chat has “{arguments.search}” in it."
            if arguments.search
            else 'There are no chats yet. Begin one: python -m chat "…"'
        )
    elif more and table:
        streams.complain(f"There are more: --limit {2 * len(chats)} shows twice as many.")


async def _taken(chats: AsyncGenerator[Chat, None], limit: int | None) -> tuple[list[Chat], bool]:
    """The first `limit`, and whether there are more."""
    taken: list[Chat] = []
    async with aclosing(chats):
        async for chat in chats:
            if len(taken) == limit:
                return taken, True
            taken.append(chat)
    return taken, False


def _table(chats: list[Chat], columns: int, now: float, *, dim: bool) -> list[str]:
    """As many columns as the terminal has: short id, time, title, and below it what a search found."""
    ids = [chat.id[: _unambiguous([each.id for each in chats])] for chat in chats]
    times = ["running now" if chat.running else when(chat.updated, now) for chat in chats]
    margin = max(map(width, ids), default=0) + max(map(width, times), default=0) + 2 * len(_GAP)
    room = max(columns - margin, 10)
    lines = []
    for id, at, chat in zip(ids, times, chats, strict=True):
        before = pad(id + _GAP + pad(at, margin - 2 * len(_GAP) - width(id)), margin)
        lines.append(before + fit(one_line(chat.title), room))
        if chat.found:
            found = fit(one_line(chat.found), room)
            lines.append(" " * margin + (f"\x1b[2m{found}\x1b[0m" if dim else found))
    return lines


def _unambiguous(ids: list[str]) -> int:
    """Characters that tell all `ids` apart."""
    return next((n for n in range(_SHORT, 64) if len({id[:n] for id in ids}) == len(ids)), 64)


def _tabs(chat: Chat) -> str:
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(chat.updated))
    running = "running" if chat.running else ""
    return "\t".join([chat.id, at, one_line(chat.title), running, one_line(chat.found)])
