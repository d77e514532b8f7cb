"""Every reliance on Gradio's insides, in one place. Each says what we expected, what Gradio does, and
since which version; tests/ui/test_gradio_fixes.py holds one contract test each, so that an upgrade
that moves something says so there and not on the page.

1. `_setup_events` of gr.ChatInterface is overridden (`interface.Chat`). Expected: a public way to
   choose the chain from Enter to the function. Actual: three round trips that each post the whole
   history, 61 ms (128 ms in the 30th turn) against 17 ms. 6.31.
2. `heartbeat_off`. Expected: a switch. Actual: each tab holds one of the browser's six connections
   to a host for ever, so with a few tabs open Stop cannot be sent. 6.31.
3. `slots`. Expected: a parameter of mount_gradio_app, as `launch(max_threads=…)`. Actual: mounting
   leaves 40 slots, which cap async streams too. 6.31.
4. `steady_browser_state`. Expected: a key that lasts. Actual: ChatInterface's hidden BrowserState
   draws a new secret at each start, and a browser that has seen the old one logs an error. 6.31.
5. A `{"__type__": "update"}` from a script-only listener changes a component's properties, as from
   Python (`interface.SEND`). Not documented. 6.31.
6. A function with `postprocess=False` is sent as it is: messages in the shape of Chatbot's own data
   (`bubbles.message`), the dict of gr.HTML. Saves its conversion at each frame. 6.31.
7. The listeners of one event run one after another, those of `.then` side by side. 6.31.
"""

import gradio as gr


def heartbeat_off(page: gr.Blocks) -> None:
    """Call after mounting: mounting writes the configuration."""
    assert page.config["connect_heartbeat"] in (True, False)
    page.config["connect_heartbeat"] = False


def slots(page: gr.Blocks, count: int) -> None:
    """Room for `count` streams at once. Call before mounting, and before any queue() of one's own."""
    page.max_threads = count
    page.queue(default_concurrency_limit=None)


def steady_browser_state(chat: gr.ChatInterface) -> None:
    """Nothing of ours is in it; save_history is off."""
    chat.saved_conversations.storage_key = "runnel_unused"
    chat.saved_conversations.secret = "runnel_unused_00"
