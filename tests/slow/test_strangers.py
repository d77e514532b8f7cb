"""Twenty people at once, who try everything with each other's ids: nothing of one reaches another.

Each has a canary, a word that nobody else knows, in every question and every answer. It must stand in
nothing that another person was ever sent, in no line of the log, and in no request to the vendor but
those for its own person.
"""

import asyncio
import json
import random
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.slow.served import served
from tests.slow.visitor import Visitor, visitors
from tests.upstream import Upstream

pytestmark = pytest.mark.slow

PEOPLE = 20
TRIES = 200
"""In all, over HTTP; as many again at the page's listeners."""
TOKENS, RATE = 200, 25


@dataclass
class Person:
    tab: Visitor
    canary: str
    chat: str = ""
    run: str = ""

    @property
    def question(self) -> str:
        return f"echo-{TOKENS}-{RATE}@{self.canary}"

    @property
    def answer(self) -> str:
        return "".join(f"{self.canary}{number} " for number in range(1, TOKENS + 1))

    def leaks(self, others: "list[Person]") -> list[str]:
        """The others' canaries in what this person's browser was sent."""
        heard = "\n".join(self.tab.heard)
        return [other.canary for other in others if other is not self and other.canary in heard]


Try = Callable[[Visitor, str, str], Awaitable[httpx2.Response]]
REFUSED: dict[str, Try] = {
    "markdown": lambda tab, chat, run: tab.get(f"/chats/{chat}/export.md"),
    "json": lambda tab, chat, run: tab.get(f"/chats/{chat}/export.json"),
    "rename": lambda tab, chat, run: tab.send("PATCH", f"/chats/{chat}", json={"title": "Mine now"}),
    "delete": lambda tab, chat, run: tab.send("DELETE", f"/chats/{chat}"),
    "restore": lambda tab, chat, run: tab.send("POST", f"/chats/{chat}/restore", json={}),
    "rate": lambda tab, chat, run: tab.send("PUT", f"/runs/{run}/thumb", json={"thumb": 1}),
    "events": lambda tab, chat, run: tab.get(f"/runs/{run}/events"),
    "stop": lambda tab, chat, run: tab.send("POST", f"/runs/{run}/stop", json={}),
    "resume": lambda tab, chat, run: tab.send("GET", "/chat?q=more", headers={"Last-Event-ID": f"{run}/1"}),
    "ask there": lambda tab, chat, run: tab.send(
        "POST", "/api/message", json={"message": "text-3", "conversation": chat}
    ),
}
"""What only the owner gets. Whoever else asks is told that there is no such thing."""
HARMLESS: dict[str, Try] = {
    "state": lambda tab, chat, run: tab.get("/state", chat=chat),
    "search": lambda tab, chat, run: tab.get("/chats", search="canary"),
    "page": lambda tab, chat, run: tab.get("/", chat=chat),
}
"""What anybody gets, without a word of others in it."""


async def test_nothing_of_one_person_reaches_another(upstream: Upstream, tmp_path: Path) -> None:
    chance = random.Random()
    async with served(tmp_path / "chat.db", upstream.url) as app, visitors(app.url, PEOPLE) as tabs:
        people = [Person(tab, f"canary{secrets.token_hex(8)}q") for tab in tabs]
        overs = [await person.tab.ask(person.question) for person in people]
        for person in people:
            await begun(person)
        tried, refused = await everything(app.url, people, chance)
        await asyncio.wait_for(asyncio.gather(*overs), 60)
        requests = [json.dumps(reply.body) for reply in upstream.replies]
        for person in people:
            assert person.leaks(people) == []
            (chat,) = await person.tab.chats()
            assert (chat["id"], chat["running"]) == (person.chat, False)
            assert person.canary in chat["title"]
            exported = await person.tab.get(f"/chats/{person.chat}/export.json")
            said = exported.text
            assert person.answer.strip() in said, "somebody else stopped it"
            assert '"thumb": 1' not in said
            (found,) = await person.tab.chats(search=f"{person.canary}7")
            assert person.canary in found["found"]
            own = [request for request in requests if person.canary in request]
            assert own
            assert not any(other.canary in request for request in own for other in people if other != person)
        log = "".join(app.said)
        assert log.count('"outcome": "complete"') >= PEOPLE
        assert not any(person.canary in log for person in people)
        assert "Traceback" not in log, log
    heard = sum(len(line) for person in people for line in person.tab.heard)
    print(
        f"\n{PEOPLE} people: {tried} requests and {TRIES} clicks with somebody else's ids, {refused} of the "
        f"requests refused as unknown, {heard / 1e6:.1f} MB looked through: nothing crossed"
    )


async def begun(person: Person) -> None:
    """The person's answer is being written; what it is called is known."""
    async with asyncio.timeout(30):
        while not (state := await person.tab.state())["length"]:
            await asyncio.sleep(0.05)
    person.run = state["run"]
    ((person.chat),) = [chat["id"] for chat in await person.tab.chats()]


async def everything(url: str, people: list[Person], chance: random.Random) -> tuple[int, int]:
    """Each tries all kinds of things with ids of others, while all answers are being written."""
    refused = 0

    async def over_http(person: Person) -> None:
        nonlocal refused
        for _ in range(TRIES // PEOPLE):
            other = chance.choice([each for each in people if each is not person])
            name, way = chance.choice([*(REFUSED | HARMLESS).items()])
            answer = await way(person.tab, other.chat, other.run)
            if name in REFUSED:
                unknown = await way(person.tab, secrets.token_urlsafe(12), secrets.token_urlsafe(12))
                assert (answer.status_code, unknown.status_code) == (404, 404), name
                assert answer.text == unknown.text, name
                refused += 1
            elif name == "state":
                assert (answer.json()["chat"], answer.json()["run"], answer.json()["length"]) == ("", "", 0)

    async def on_the_page(person: Person) -> None:
        """Every listener of the page, from a tab of its own, told of somebody else's chat and run."""
        async with Visitor(url, beside=person.tab) as tab:
            for _ in range(TRIES // PEOPLE):
                other = chance.choice([each for each in people if each is not person])
                act = chance.choice(["ask", "again", "continue", "edit", "version"])
                sent = {"question": f"text-3@{person.canary}", "values": tab.values, "chat": other.chat}
                sent |= {"key": secrets.token_hex(8), "act": act, "run": other.run}
                name = chance.choice(tab.listeners)
                with_timeout = asyncio.wait_for(await tab.listener(name, *tab.inputs(name, sent)), 60)
                await asyncio.gather(with_timeout, return_exceptions=True)

    await asyncio.gather(*map(over_http, people))
    await asyncio.gather(*map(on_the_page, people))
    return TRIES, refused
