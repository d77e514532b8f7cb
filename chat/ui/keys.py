"""“Your keys” in the sidebar: a person's own keys for vendors, brought, shown as there, and forgotten.

A gr.HTML with an empty template, like the list of chats: its script (static/keys.js) asks `/keys` itself.
A key is never the value of a component, so it passes through none of Gradio's events, state or storage.
"""

from pathlib import Path

import gradio as gr

_STATIC = Path(__file__).parent / "static"
_SCRIPTS = ("elements.js", "keys.js")


def component() -> gr.HTML:
    """The section, folded; nothing where no vendor takes a key."""
    return gr.HTML(
        {},
        html_template="",
        js_on_load="\n".join((_STATIC / name).read_text("utf-8") for name in _SCRIPTS),
        apply_default_css=False,
        elem_id="keys",
    )
