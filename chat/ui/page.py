"""The page: what stands where, and what is wired to what outside of the chat itself.

`build_page` makes it, `mount` puts it on an app. What happens on it is in `handlers`.
"""

import json
from typing import Any

import gradio as gr
from fastapi import FastAPI

from chat.build import App
from chat.ui import activity, gradio_fixes, look, state, welcome
from chat.ui.controls import SET, UNSET, Controls
from chat.ui.handlers import Handlers
from chat.ui.interface import SEND, STOP, Chat
from chat.ui.markup import DELIMITERS
from chat.ui.owner import Owner
from chat.ui.personas import PERSONAS

STREAMS = 1000
"""Answers that may be drawn at once. Gradio holds a list of this length, nothing more."""


def build_page(app: App) -> gr.Blocks:
    """The page of `app`. Not mounted yet: `mount` does that."""
    title = app.settings.title
    with gr.Blocks(title=title, analytics_enabled=False, fill_height=True, fill_width=True) as page:
        with gr.Sidebar(width=340, elem_id="sidebar"):
            with gr.Row(elem_id="brand"):
                gr.Markdown(f"# {title}", elem_id="title")
                new = gr.Button("New", size="sm", elem_id="new", scale=0)
            controls = Controls(app)
            with gr.Tabs(elem_id="tabs"), gr.Tab("Activity"):
                view = activity.component()
        handlers = Handlers(app, controls)
        chat = Chat(
            handlers,
            controls.inputs,
            view,
            chatbot=gr.Chatbot(
                show_label=False,
                elem_id="chat",
                scale=1,
                layout="bubble",
                buttons=["copy"],
                autoscroll=False,
                latex_delimiters=DELIMITERS,
                allow_tags=True,
                placeholder=welcome.text(app),
                feedback_options=None,
                container=False,
            ),
            textbox=gr.Textbox(
                placeholder="Ask anything…",
                show_label=False,
                container=False,
                submit_btn=SEND,
                stop_btn=STOP,
                autofocus=True,
                lines=1,
                max_lines=12,
                elem_id="question",
            ),
            examples=welcome.examples(app),
        )
        _wire(page, chat, handlers, new)
    gradio_fixes.steady_browser_state(chat)
    gradio_fixes.slots(page, STREAMS)
    return page


def _wire(page: gr.Blocks, chat: Chat, handlers: Handlers, new: gr.Button) -> None:
    """What happens outside of the chat itself."""
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    controls, screen = handlers.controls, [chat.chatbot, chat.activity]
    stream: dict[str, Any] = {
        "outputs": screen,
        "postprocess": False,
        "concurrency_limit": None,
        "show_progress": "hidden",
        "api_visibility": "private",
    }
    chat.settle_after(page.load(handlers.attach, None, **stream))
    page.load(handlers.arrive, None, [controls.model, chat.textbox, chat.running], **quiet)
    chat.refresh.click(handlers.names, None, controls.model, **quiet)
    for again in (new.click, chat.chatbot.clear):
        again(handlers.new, None, [*screen, chat.textbox, chat.running], postprocess=False, **quiet)
    controls.model.change(
        handlers.of_model,
        [controls.model, controls.temperature],
        [controls.temperature, controls.effort],
        preprocess=False,
        **quiet,
    )
    # Script only: no round trip for a click that the server need not know of.
    temperature = [controls.temperature, controls.warm]
    controls.temperature.input(None, None, temperature, js=SET, show_progress="hidden")
    controls.reset.click(None, None, temperature, js=UNSET, show_progress="hidden")
    controls.persona.input(
        None,
        [controls.persona],
        [controls.system],
        js=f"name => ({json.dumps(PERSONAS)})[name] ?? ''",
        show_progress="hidden",
    )


def mount(parent: FastAPI, app: App) -> FastAPI:
    """Puts the page of `app` on `parent`, with the light question that open pages ask (`/state`)."""
    page = build_page(app)
    state.route(parent, app)
    parent.add_middleware(Owner, framed=app.settings.space)
    gr.mount_gradio_app(
        parent,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        server_name=app.settings.host,
        server_port=app.settings.port,
        theme=look.theme,
        css=look.css,
        head=look.head,
    )
    gradio_fixes.heartbeat_off(page)
    return parent
