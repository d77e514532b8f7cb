"""The list of conversations in the sidebar: search, open, rename, delete, export.

A gr.HTML with an empty template, like the activity view: its script (static/chats.js) asks the routes of
the list (`/chats`) itself and builds each row with `textContent` only, so a title is never more than text.
No Gradio event is spent on it. `page` places it; what opens a chat listens for `runnel-open`.
"""

import gradio as gr

from chat.ui.scripted import scripted


def component() -> gr.HTML:
    """The list, empty until its tab is shown."""
    return scripted("chats", "elements.js", "chat_groups.js", "chat_rows.js", "chat_menu.js", "chats.js")
