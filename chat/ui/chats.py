"""The list of conversations in the sidebar: search, open, rename, delete, export.

A gr.HTML with an empty template, like the activity view: its script (static/chats.js) asks the routes of
the list (`/chats`) itself and builds each row with `textContent` only, so a title is never more than text.
No Gradio event is spent on it. `page` places it; what opens a chat listens for `runnel-open`.
"""

from pathlib import Path

import gradio as gr

_STATIC = Path(__file__).parent / "static"
_SCRIPTS = ("elements.js", "chat_groups.js", "chat_rows.js", "chat_menu.js", "chats.js")


def component() -> gr.HTML:
    """The list, empty until its tab is shown."""
    return gr.HTML(
        {},
        html_template="",
        js_on_load="\n".join((_STATIC / name).read_text("utf-8") for name in _SCRIPTS),
        apply_default_css=False,
        elem_id="chats",
    )
