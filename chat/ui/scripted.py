"""A gr.HTML that a script fills: it has no template, so that no text of anybody ever becomes HTML by it.

The scripts of `static/` run as one when the element is there; they ask routes, or draw the value, and make
each element by name. Used by `activity`, `chats`, `keys` and `person`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

_STATIC = Path(__file__).parent / "static"


def scripted(id: str, *scripts: str, value: Mapping[str, Any] | None = None) -> gr.HTML:
    """The element `id`, with the files `scripts` in their order."""
    return gr.HTML(
        {} if value is None else value,
        html_template="",
        js_on_load="\n".join((_STATIC / name).read_text("utf-8") for name in scripts),
        apply_default_css=False,
        elem_id=id,
    )
