"""The page's one endpoint for programs: `gradio_client.Client(url).predict("Hello", api_name="/chat")`.

It streams the text that there is so far, as the page's own function does, and goes through the same limits.
Who asks is told by the cookie that the client gets with the page's configuration, or by CHAT_TOKEN. A call is
no chat: question and answer are not kept, and a client that leaves stops its answer. If an answer may be
incomplete, its last line says how it ended. An error is raised as a gr.Error, which reaches the client as a
sentence. The page itself never calls this.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import gradio as gr

from chat.build import App
from chat.conversations import Conversation
from chat.errors import Fault
from chat.messages import Options
from chat.outcomes import note
from chat.pacing import frames
from chat.ui.screens import drawn_for
from chat.ui.tabs import Tabs

NAME = "chat"
MAX_TEMPERATURE = 2.0
_NOBODY = (
    "Runnel does not know who is asking. Load its configuration first, as gradio_client does, and send the "
    "cookie of that answer along; or send its CHAT_TOKEN as “Authorization: Bearer …”."
)


def endpoint(app: App, tabs: Tabs) -> Callable[..., AsyncGenerator[str, None]]:
    """The function of the endpoint. Its signature is what `view_api()` shows."""

    async def chat(
        message: str,
        model: str | None = None,
        temperature: float | None = None,
        # Gradio finds a request by this very type, and takes no other parameter for one.
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> AsyncGenerator[str, None]:
        """Ask a model. `model` as vendor:model, `temperature` from 0 to 2; left out, the server decides."""
        options = _options(app, message, model, temperature)
        if not (owner := app.owners.of(dict(request.cookies))):
            raise _error(_NOBODY)
        try:
            run = await app.runs.ask(
                Conversation(owner),
                message,
                options,
                address=getattr(request.client, "host", ""),
                keep=False,
                stops_when_left=True,
            )
        except Fault as fault:
            raise _error(fault.message) from fault
        with tabs.call(request.session_hash) as tab, drawn_for(tab, tab.begin(), run), run.reading():
            turn = tab.turn
            async with aclosing(frames(run, app.budget, owner=owner)) as moments:
                async for frame in moments:
                    if tab.turn != turn:
                        return
                    if frame.shown or frame.last:
                        text = run.transcript.text[: frame.shown]
                        told = note(run.transcript.stop) if frame.last else ""
                        yield "\n\n".join(filter(None, (text, told)))
        if (failure := run.transcript.failure) is not None:
            raise _error(failure.message)

    # gr.api reads the type of a value here, and would take the generator's for one.
    chat.__annotations__["return"] = str
    return chat


def _options(app: App, message: Any, model: Any, temperature: Any) -> Options:
    """Raises gr.Error. What a program sends has any type."""
    if not isinstance(message, str):
        raise _error("The message is to be a text.")
    if not isinstance(model, str | None):
        raise _error("The model is to be a text like vendor:model, or left out.")
    number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if temperature is not None and not (number and 0 <= temperature <= MAX_TEMPERATURE):
        raise _error(f"The temperature is to be a number from 0 to {MAX_TEMPERATURE:g}, or left out.")
    return Options(model=model or None, temperature=temperature, tools=app.tools.names)


def _error(sentence: str) -> gr.Error:
    return gr.Error(sentence, print_exception=False)
