"""The page: a gr.ChatInterface that follows runs. `build_page` makes it, `mount` puts it on an app.

page, interface, handlers      what stands where, what is wired to what, what a click does
sent, places, tabs             what the page's scripts send, and which chat it is about
screens, bubbles, fates        a conversation drawn for a tab, as messages, and the line under an answer
words                          what happens, in words
controls, personas, welcome    the sidebar's settings, prompts to begin from, the empty page
keys, person                   one's own keys for vendors, and who is signed in
activity, brief, chats         the live view beside the chat, and the list of chats
scripted                       an element that a script fills
state                          what open pages ask now and then
addresses, inputs, cache       what of Gradio is open, what may be sent to it, where its files lie
sessions, unread               Gradio's sessions, each its owner's, and what nobody fetches of them
look, gradio_fixes             theme and styles; every reliance on Gradio's insides
"""

import os
import tempfile

from chat.settings.network import hidden

# Gradio's own settings are not this page's (the address and the port are read by `chat.settings`): some end
# the start, others send figures elsewhere or open folders. Before Gradio is imported.
for name in [name for name in os.environ if name.startswith("GRADIO_")]:
    del os.environ[name]
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # no call to the outside at all

try:
    tempfile.gettempdir()
except OSError:  # none can be written; Gradio asks where it is as it is imported, and the page needs none
    tempfile.tempdir = os.sep

# Gradio makes HTTP clients as it is imported, and fails where a proxy or a file is wrong (6.31).
with hidden():
    from chat.ui.page import build_page, mount

__all__ = ["build_page", "mount"]
