"""`GET /state`: what an open page asks now and then, to learn what went on without it.

An answer may have begun in another tab, or the models' lists may have arrived. The answer is
small and costs no Gradio event; `static/follow.js` asks and clicks the page's hidden buttons.
"""

from fastapi import FastAPI, Request

from chat.build import App


def route(parent: FastAPI, app: App) -> None:
    @parent.get("/state", include_in_schema=False)
    async def state(request: Request) -> dict[str, object]:
        """`run`: the last one's id; `length`: characters of its answer so far."""
        owner = app.owners.of(request.cookies)
        last = (await app.store.current(owner)).last if owner else None
        return {
            "run": last.run if last else "",
            "running": last is not None and last.transcript.ended is None,
            "length": last.transcript.length if last else 0,
            "models": app.catalogue.version,
        }
