"""“Your keys” in the sidebar: a person's own keys for vendors, brought, shown as there, and forgotten.

A gr.HTML with an empty template, like the list of chats: its script (static/keys.js) asks `/keys` itself.
A key is never the value of a component, so it passes through none of Gradio's events, state or storage.
"""

import gradio as gr

from chat.ui.scripted import scripted


def component() -> gr.HTML:
    """The section, folded; nothing where no vendor takes a key."""
    return scripted("keys", "elements.js", "keys.js")
