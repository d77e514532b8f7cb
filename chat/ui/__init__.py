"""The page: a gr.ChatInterface that follows runs. `build_page` makes it, `mount` puts it on an app.

page        handlers and layout          interface   wiring, from Enter to the answer
bubbles     conversation → messages      markup      a model's Markdown, made fit to show
controls    the sidebar's settings       personas    system prompts to begin from
activity    the live view beside it      look        theme, style sheet, scripts
owner       whose conversation it is     gradio_fixes   every reliance on Gradio's insides
"""

import os

# Before Gradio is imported: with this, it makes no call to the outside at all.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from chat.ui.page import build_page, mount

__all__ = ["build_page", "mount"]
