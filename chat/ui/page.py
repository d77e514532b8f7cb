"""The page: what stands where. `build_page` makes it, `mount` puts it on an app.

What happens on it is in `handlers`, what is wired to what in `interface`.
"""

import json
from pathlib import Path

import gradio as gr
from fastapi import FastAPI

from chat.build import App
from chat.runs import MOST
from chat.ui import activity, chats, gradio_fixes, keys, look, person, state, welcome
from chat.ui.addresses import OPEN, Addresses, of_files
from chat.ui.cache import private_folder
from chat.ui.controls import PLACES, Controls
from chat.ui.fates import plain
from chat.ui.handlers import Handlers
from chat.ui.interface import SEND, STOP, SWITCH, Chat, Side
from chat.ui.personas import personas
from chat.ui.sessions import Sessions
from chat.ui.unread import Unread

_STATIC = Path(__file__).parent / "static"
_SHARED = Path(__file__).parents[1] / "api" / "static"

DRAWING = ("words.js", "markdown.js", "drawing.js", "clipboard.js")
"""What draws an answer and copies it: the same as at /embed."""
SCRIPTS = (
    *("answers.js", "place.js", "newest.js", "hint.js", "draft.js", "follow.js"),
    *("actions.js", "clock.js", "copy.js"),
)
FIRST = ("still.js", "light.js")
"""Before Gradio's own scripts."""

STREAMS = 1000
"""Answers that may be drawn at once. Gradio holds a list of this length, nothing more."""


def build_page(app: App) -> Chat:
    """The page of `app`, a gr.ChatInterface. Not mounted yet: `mount` does that."""
    page = Chat(
        Handlers(app),
        lambda: sidebar(app),
        title=app.settings.title,
        chatbot=gr.Chatbot(
            show_label=False,
            elem_id="chat",
            scale=1,
            layout="bubble",
            buttons=["copy"],
            autoscroll=False,
            render_markdown=False,
            latex_delimiters=[],
            allow_tags=True,
            placeholder=welcome.text(app, ""),
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
        personas=personas(app.settings),
    )
    gradio_fixes.steady_browser_state(page)
    return page


def sidebar(app: App) -> Side:
    with gr.Sidebar(width=340, elem_id="sidebar"):
        with gr.Row(elem_id="brand"):
            gr.Markdown(f"<h1>{plain(app.settings.title)}</h1>", elem_id="title")
            new = gr.Button("New", size="sm", elem_id="new", scale=0)
        if app.settings.login:
            person.component()
        controls = Controls(app)
        if not app.settings.login:
            with controls.more:  # it says something to the operator alone
                person.component()
        keys.component()
        # Both are there from the start: what is not shown keeps what was opened in it.
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Activity", render_children=True):
                view = activity.component()
            with gr.Tab("Chats", render_children=True):
                chats.component()
    return Side(controls, view, new)


def mount(parent: FastAPI, app: App) -> FastAPI:
    """Puts the page of `app` on `parent`, with the light question that open pages ask (`/state`)."""
    gradio_fixes.use_folder(private_folder(app.settings.database))
    page = build_page(app)
    state.route(parent, app)
    with gradio_fixes.no_folder():
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
            head=_head(),
        )
    boxes = gradio_fixes.Boxes(page._queue)
    unread = Unread(boxes, left=page.handlers.places.tabs.leave)
    boxes.came = unread.relieve
    gradio = gradio_fixes.mounted(parent)
    gradio.add_middleware(
        Sessions,
        owners=app.owners,
        known=boxes,
        unread=unread,
        listeners=gradio_fixes.listeners(page),
    )
    gradio.add_middleware(Addresses, known={**OPEN, **of_files(gradio_fixes.packaged())})
    gradio_fixes.plain_refusals(gradio)
    gradio_fixes.States(page, gradio)
    gradio_fixes.resized_by_keyboard()
    for script in FIRST:
        gradio_fixes.first_script((_STATIC / script).read_text(encoding="utf-8"))
    gradio_fixes.heartbeat_off(page)
    gradio_fixes.calm_queue(page, STREAMS)
    return parent


def _head() -> str:
    paths = [*(_SHARED / name for name in DRAWING), *(_STATIC / name for name in SCRIPTS)]
    scripts = (f"<script>{path.read_text(encoding='utf-8')}</script>" for path in paths)
    assets = f"<script>const runnelAssets = {json.dumps(gradio_fixes.assets())};</script>"
    most = [(what, place, fit) for (what, fit), place in zip(MOST, PLACES, strict=True)]
    limits = f"<script>const runnelMost = {json.dumps(most)};</script>"
    return f"{look.head}<style>{SWITCH}</style>{assets}{limits}{''.join(scripts)}"
