"""Where a sending goes: the conversation that a tab shows, or the one that a sending begins.

An id that is not the owner's is an id that nobody has. A sending that comes twice goes to where it
went the first time. The store has the conversations; one that nobody has asked in yet is held here.
`handlers` asks.
"""

import asyncio
from collections import OrderedDict

import gradio as gr

from chat.build import App
from chat.conversations import Conversation
from chat.ui.sent import Sent
from chat.ui.tabs import Tab, Tabs

SENDINGS = 1000
"""Sendings that are remembered with where they went."""


class Places:
    def __init__(self, app: App) -> None:
        self._store = app.store
        self.tabs = Tabs()
        self._went: OrderedDict[tuple[str, str], asyncio.Task[Conversation | None] | str] = OrderedDict()

    def tab(self, owner: str, request: gr.Request) -> Tab:
        """The tab that `request` comes from."""
        return self.tabs.of(owner, request.session_hash)

    async def shown(self, owner: str, sent: Sent, tab: Tab) -> Conversation | None:
        """The conversation that the page says it shows; None when there is none, or no such one."""
        if not (id := sent.chat or tab.chat):
            return None
        return await self._store.open(owner, id)

    async def arriving(self, owner: str, sent: Sent) -> Conversation | None:
        """What a page shows that was just loaded: what its address says, else where the owner was last."""
        if sent.chat:
            return await self._store.open(owner, sent.chat)
        return await self._store.current(owner)

    async def of_sending(self, owner: str, sent: Sent, tab: Tab) -> Conversation | None:
        """The conversation that a question goes to; None when it does not exist."""
        if not sent.key:
            return await self._begin(owner, sent, tab)
        name = owner, sent.key
        going = self._went.get(name)
        if isinstance(going, str):
            return await self._store.open(owner, going)
        if going is None:
            going = self._went[name] = asyncio.create_task(self._begin(owner, sent, tab))
            while len(self._went) > SENDINGS:
                self._went.popitem(last=False)
        return await asyncio.shield(going)

    def arrived(self, owner: str, sent: Sent, chat: Conversation) -> None:
        """A run began: the store keeps the conversation from now on, and an id is enough here."""
        if sent.key:
            self._went[owner, sent.key] = chat.id

    async def _begin(self, owner: str, sent: Sent, tab: Tab) -> Conversation | None:
        chat = await self.shown(owner, sent, tab)
        if sent.act == "edit":
            return await self._store.branch(chat, sent.run) if chat is not None else None
        if sent.chat or sent.act in ("again", "continue"):
            return chat
        if chat is not None and not chat.exchanges:
            return chat
        return self._store.new(owner)
