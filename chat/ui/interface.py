"""The chat: a gr.ChatInterface with a shorter chain from Enter to the answer.

    Enter → a few lines of script: clear the box, show Stop → `ask` streams → `settle`

Gradio's own chain is three round trips with the whole history in each (gradio_fixes, 1). Here is
wiring only: what the listeners do is in `handlers`. Every stream has the same two outputs, the chat
and the activity view. Nothing cancels a listener: Stop is a signal to the run, and the listener
then ends like any other.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

if TYPE_CHECKING:
    from chat.ui.handlers import Handlers

SEND, STOP = "Send", "Stop"

# Takes the text out of the box at once, unless there is nothing to send or an answer is being written.
_SEND = f"""(text, running) => {{
  const busy = {{__type__: "update", value: "", submit_btn: false, stop_btn: "{STOP}"}};
  return running || !text.trim() ? [{{__type__: "update"}}, "", running] : [busy, text, true];
}}"""
_BUSY = f"""() => [{{__type__: "update", submit_btn: false, stop_btn: "{STOP}"}}, true]"""
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


class Chat(gr.ChatInterface):
    """`controls` are the inputs that follow the question; `activity` is drawn with the chat."""

    def __init__(
        self,
        handlers: "Handlers",
        controls: Sequence[Component],
        activity: Component,
        *,
        chatbot: gr.Chatbot,
        textbox: gr.Textbox,
        examples: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.handlers, self.controls, self.activity = handlers, list(controls), activity
        super().__init__(
            handlers.ask,
            chatbot=chatbot,
            textbox=textbox,
            additional_inputs=self.controls,
            additional_outputs=[activity],
            examples=[[text] for _, text in examples] or None,
            example_labels=[label for label, _ in examples] or None,
            cache_examples=False,  # a Space would run them all at its start
            autoscroll=False,
            show_progress="hidden",
            concurrency_limit=None,
            analytics_enabled=False,
            api_visibility="private",
            fill_width=True,
        )

    def _setup_events(self) -> None:
        self.question = gr.Textbox(visible=False)
        """What was sent last."""
        self.running = gr.Checkbox(visible=False)
        """Whether this page knows of an answer being written."""
        self.follow = gr.Button(visible="hidden", elem_id="follow")
        """Clicked by script when the conversation went on elsewhere."""
        self.refresh = gr.Button(visible="hidden", elem_id="refresh")
        """Clicked by script when there are other models."""
        box = [self.textbox, self.running]
        screen = [self.chatbot, self.activity]
        stream: dict[str, Any] = {
            "outputs": screen,
            "preprocess": False,  # a value out of its bounds would raise
            "postprocess": False,
            "concurrency_limit": None,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        asking = self.textbox.submit(
            None, box, [self.textbox, self.question, self.running], js=_SEND, show_progress="hidden"
        ).then(self.handlers.ask, [self.question, *self.controls], **stream)

        streams = [asking, self.follow.click(self.handlers.attach, None, **stream)]
        for trigger, listener in (
            (self.chatbot.example_select, self.handlers.example),
            (self.chatbot.option_select, self.handlers.option),
            (self.chatbot.retry, self.handlers.retry),
        ):
            # Two listeners of the same event: a `.then` would not know what was clicked.
            trigger(None, None, box, js=_BUSY, show_progress="hidden")
            streams.append(trigger(listener, self.controls, **stream))
        self.streams = streams
        for each in streams:
            self.settle_after(each)

        self.textbox.stop(self.handlers.stop, None, None, **_QUIET)
        self.chatbot.undo(
            self.handlers.undo,
            [self.textbox],
            [*screen, self.textbox],
            preprocess=False,
            postprocess=False,
            **_QUIET,
        )

    def settle_after(self, stream: Any) -> None:
        """Send is back when the answer is over, and a question that was turned away too."""
        for follow in (stream.then, stream.failure):
            follow(self.handlers.settle, [self.question], [self.textbox, self.running], **_QUIET)
