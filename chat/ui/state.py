"""`GET /state`: what an open page asks now and then, to learn what went on without it.

An answer may have begun in another tab, or the models' lists may have arrived. The answer is
small and costs no Gradio event; `static/follow.js` asks and clicks the page's hidden buttons.
"""

from fastapi import FastAPI, Request

from chat.build import App
from chat.owners import LOCAL
from chat.public import Public


def route(parent: FastAPI, app: App) -> None:
    @parent.get("/state", include_in_schema=False)
    async def state(
        request: Request, chat: str | None = None, key: str = "", choosing: bool = False
    ) -> dict[str, object]:
        """Of the conversation `chat` ("": an empty new one), or of the one that the owner was in last.

        `chat`, `title`: its id and title, "" when there is none. `run`: its last one's id; `length`:
        characters of its answer so far. `offered`: models in the menu. `chats` moves when the owner's list is
        another one. `trouble`: a sentence while something could not be saved. `choosing`: the menu of models
        was just opened. `arrived`: what was sent with `key` began a run.
        """
        owner = app.owners.of(request.cookies)
        app.wallet.heard(owner)
        app.catalogue.look(now=choosing)
        shown = None
        if owner and chat != "":
            shown = await (app.store.current(owner) if chat is None else app.store.peek(owner, chat))
        last = shown.last if shown is not None else None
        return {
            "chat": shown.id if shown is not None and last is not None else "",
            "title": shown.title if shown is not None and last is not None else "",
            "run": last.run if last else "",
            "running": last is not None and last.transcript.ended is None,
            "length": last.transcript.length if last else 0,
            "models": app.catalogue.version_of(owner),
            "offered": len(app.catalogue.of(owner).names()),
            "chats": app.store.version_of(owner) if owner else 0,
            "saved": not app.store.trouble,
            "trouble": app.store.trouble if owner == LOCAL else Public().text(app.store.trouble),
            "arrived": bool(owner and key and await app.store.asked(owner, key)),
        }
