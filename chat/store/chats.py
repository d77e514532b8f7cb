"""An owner's chats: listed, found, renamed, deleted, restored, rated. What a list needs of the store.

What a person changes here is on the disk when the call returns, or was not done at all. `Store` is the
rest of it, and the one that is used.
"""

from functools import partial

from chat.conversations import Conversation
from chat.store import changes, listing
from chat.store.disk import Disk
from chat.store.listing import Listed
from chat.store.memory import Memory
from chat.store.saving import Op, Pending
from chat.titles import clean, made


class Chats:
    def __init__(self, disk: Disk | None = None) -> None:
        self._pending = disk.pending if disk else Pending()
        self._memory = disk.memory if disk else Memory(self._pending.holds)
        self._disk = disk

    async def chats(
        self, owner: str, search: str = "", *, skip: int = 0, limit: int = 50, network: str = ""
    ) -> Listed:
        """The owner's conversations, latest first; with `search`, those with its words in title or texts.
        `network`: the network of an anonymous visitor, else "".

        Raises `Unsaved` when they cannot be read, and `RateLimited` when too many are searched for at once.
        While the disk was never there, memory's are all there are.
        """
        ahead = self._pending.conversations if self._disk else {c.id: c for c in self._memory.every()}
        mine = [c for c in ahead.values() if c.owner == owner and c.id not in self._memory.deleted]
        database = self._disk.database if self._disk else None
        if database is None or (mine and not database.ready):
            return await listing.chats(None, owner, search, mine, skip, limit)
        reading = partial(database.searching, owner, network) if search.strip() else database.reading
        return await listing.chats(reading, owner, search, mine, skip, limit)

    def version_of(self, owner: str) -> int:
        """Moves when the owner's list is another one."""
        if self._disk:
            self._disk.look()
        return self._memory.version(owner)

    async def rename(self, owner: str, id: str, name: str) -> bool:
        """False: no such conversation. Raises `Unsaved` when the disk does not take it.

        Without a visible character the title is made of the first question again.
        """
        found = self._mine(owner, id)
        if self._disk:
            if (now := await self._disk.do(partial(changes.rename, owner=owner, id=id, name=name))) is None:
                return False
            title, named = now
        elif found is None:
            return False
        else:
            title, named = clean(name), bool(clean(name))
            title = title or made(found.exchanges[0].question if found.exchanges else "")
        if found is not None:
            found.title, found.named = title, named
        self._memory.moved(owner)
        return True

    async def delete(self, owner: str, id: str) -> bool:
        """As `rename`. It can be restored for a while."""
        if not await self._change(owner, id, changes.delete_):
            return False
        self._memory.deleted.add(id)
        if self._disk:
            self._disk.purge_later()
        self._memory.moved(owner)
        return True

    async def restore(self, owner: str, id: str) -> bool:
        """As `rename`, for one that was deleted."""
        if not await self._change(owner, id, changes.restore, deleted=True):
            return False
        self._memory.deleted.discard(id)
        self._memory.moved(owner)
        return True

    async def rate(self, owner: str, run: str, thumb: int) -> bool:
        """As `rename`: thumb up (1), down (-1), or neither (0) for the answer of `run`."""
        found = [
            exchange
            for conversation in self._memory.every()
            if conversation.owner == owner and (place := conversation.find(run)) is not None
            for exchange in (conversation.exchanges[place],)
        ]
        done = bool(found)
        if self._disk:
            done = await self._disk.do(partial(changes.rate, owner=owner, run=run, thumb=thumb))
        if done:
            for exchange in found:
                exchange.thumb = thumb
        return done

    async def adopt(self, stranger: str, owner: str) -> None:
        """All that belonged to `stranger` belongs to `owner` from now on."""
        for conversation in self._memory.every():
            if conversation.owner == stranger:
                conversation.owner = owner
        self._memory.moved(owner)
        self._memory.moved(stranger)
        self._later(partial(changes.adopt, stranger=stranger, owner=owner))
        if self._disk:
            await self._disk.writer.saved(1)

    def _later(self, op: Op) -> None:
        """`op` with the next save."""
        if self._disk:
            self._pending.do(op)
            self._disk.writer.wake()

    def _mine(self, owner: str, id: str) -> Conversation | None:
        found = self._memory.get(id)
        return None if found is None or found.owner != owner or id in self._memory.deleted else found

    async def _change(self, owner: str, id: str, op: changes.Change, *, deleted: bool = False) -> bool:
        if self._disk:
            return await self._disk.do(partial(op, owner=owner, id=id))
        found = self._memory.get(id)
        return found is not None and found.owner == owner and (id in self._memory.deleted) == deleted
