"""Who is signed in, as a quiet line of the sidebar with the way out. `page` places it where people log in.

A gr.HTML with an empty template, like the list of chats: its script (static/person.js) asks `/login/me`, for
the page itself is the same for everybody. Who somebody is, and what signs out, is `chat.api`'s business.
"""

from pathlib import Path

import gradio as gr

_SCRIPT = Path(__file__).parent / "static" / "person.js"


def component() -> gr.HTML:
    """The line, empty until it is known who looks."""
    return gr.HTML(
        {},
        html_template="",
        js_on_load=_SCRIPT.read_text("utf-8"),
        apply_default_css=False,
        elem_id="person",
    )
