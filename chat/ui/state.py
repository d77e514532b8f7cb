"""`GET /state`: what an open page asks now and then, to learn what went on without it.

An answer may have begun in another tab, or the models' lists may have arrived. The answer is
small and costs no Gradio event; `static/page.js` asks and clicks the page's hidden buttons.
"""

from fastapi import FastAPI, Request

from chat.build import App
from chat.ui.owner import token


def route(parent: FastAPI, app: App) -> None:
    @parent.get("/state", include_in_schema=False)
    async def state(request: Request) -> dict[str, object]:
        """`conversation` changes with every question, retry, undo and new chat; `seq` is its last run's."""
        owner = token(request.cookies)
        conversation = app.store.current(owner) if owner else None
        last = conversation.last if conversation else None
        return {
            "conversation": f"{conversation.id}/{len(conversation.exchanges)}/{last.run if last else ''}"
            if conversation
            else "",
            "running": last is not None and last.transcript.ended is None,
            "seq": last.transcript.seq if last else 0,
            "models": app.catalogue.version,
        }
