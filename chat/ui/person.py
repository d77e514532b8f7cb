"""Who is signed in, as a quiet line of the sidebar with the ways out: a person, or the operator.

A gr.HTML with an empty template, like the list of chats: its script (static/person.js) asks `/login/me`, for
the page itself is the same for everybody. Who somebody is, and what signs out, is `chat.api`'s business.
"""

import gradio as gr

from chat.ui.scripted import scripted


def component() -> gr.HTML:
    """The line, empty until it is known who looks."""
    return scripted("person", "person.js")
