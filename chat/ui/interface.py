"""The wiring: a gr.ChatInterface with a shorter chain from Enter to the answer.

    Enter → a few lines of script: clear the box, show Stop → `ask` streams → `settle`

Gradio's own chain is three round trips with the whole history in each (gradio_fixes, 1). What
the listeners do is in `handlers`. Every stream has the same two outputs, the chat
and the activity view. Nothing cancels a listener: Stop is a signal to the run, and the listener
then ends like any other.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from chat.ui.controls import SET, UNSET, Controls
from chat.ui.handlers import STOP, Handlers
from chat.ui.personas import PERSONAS

# Takes the text out of the box at once, unless there is nothing to send or an answer is being written.
_SEND = f"""(text, running) => {{
  const busy = {{__type__: "update", value: "", submit_btn: false, stop_btn: "{STOP}"}};
  return running || !text.trim() ? [{{__type__: "update"}}, "", running] : [busy, text, true];
}}"""
_BUSY = f"""() => [{{__type__: "update", submit_btn: false, stop_btn: "{STOP}"}}, true]"""
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True, slots=True)
class Side:
    """What stands in the sidebar."""

    controls: Controls
    activity: gr.HTML
    new: gr.Button


class Chat(gr.ChatInterface):
    """`sidebar` makes and places its components when it is called, inside the page."""

    def __init__(
        self,
        handlers: Handlers,
        sidebar: Callable[[], Side],
        *,
        title: str,
        chatbot: gr.Chatbot,
        textbox: gr.Textbox,
        examples: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.handlers, self._sidebar = handlers, sidebar
        super().__init__(
            handlers.ask,
            title=title,
            chatbot=chatbot,
            textbox=textbox,
            examples=[text for _, text in examples] or None,
            example_labels=[label for label, _ in examples] or None,
            cache_examples=False,  # a Space would run them all at its start
            autoscroll=False,
            show_progress="hidden",
            concurrency_limit=None,
            analytics_enabled=False,
            api_visibility="private",
            fill_width=True,
        )
        self.additional_inputs = self.side.controls.inputs
        self.additional_outputs = [self.side.activity]

    def _render_header(self) -> None:
        """The sidebar in the title's place: first in the page, so first for the keyboard."""
        self.side = self._sidebar()
        self.handlers.controls = self.side.controls

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
        controls = self.side.controls
        screen = [self.chatbot, self.side.activity]
        stream: dict[str, Any] = {
            "outputs": screen,
            "preprocess": False,  # a value out of its bounds would raise
            "postprocess": False,
            "concurrency_limit": None,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        drawing = self.load(self.handlers.attach, None, **stream)
        asking = self.textbox.submit(
            None, box, [self.textbox, self.question, self.running], js=_SEND, show_progress="hidden"
        ).then(self.handlers.ask, [self.question, *controls.inputs], **stream)

        self.follow.click(self.handlers.settle, [self.question], [self.textbox, self.running], **_QUIET)
        following = self.follow.click(self.handlers.attach, None, **stream)
        streams = [drawing, asking, following]
        for trigger, listener in (
            (self.chatbot.example_select, self.handlers.example),
            (self.chatbot.option_select, self.handlers.option),
            (self.chatbot.retry, self.handlers.retry),
        ):
            # Two listeners of the same event: a `.then` would not know what was clicked.
            trigger(None, None, box, js=_BUSY, show_progress="hidden")
            streams.append(trigger(listener, controls.inputs, **stream))
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

        self._wire_sidebar(screen)

    def _wire_sidebar(self, screen: list[Any]) -> None:
        controls, handlers = self.side.controls, self.handlers
        self.load(handlers.arrive, None, [controls.model, self.chatbot, self.textbox, self.running], **_QUIET)
        of_model = [controls.temperature, controls.effort]
        chosen = [controls.model, controls.temperature]
        self.refresh.click(handlers.refresh, chosen, [controls.model, *of_model], preprocess=False, **_QUIET)
        controls.model.change(handlers.of_model, chosen, of_model, preprocess=False, **_QUIET)
        for event in (self.side.new.click, self.chatbot.clear):
            event(handlers.new, None, [*screen, self.textbox, self.running], postprocess=False, **_QUIET)
        # Script only: no round trip for a click that the server need not know of.
        temperature = [controls.temperature, controls.warm]
        controls.temperature.input(None, None, temperature, js=SET, show_progress="hidden")
        controls.reset.click(None, None, temperature, js=UNSET, show_progress="hidden")
        controls.persona.input(
            None,
            [controls.persona],
            [controls.system],
            js=f"name => ({json.dumps(PERSONAS)})[name] ?? ''",
            show_progress="hidden",
        )

    def settle_after(self, stream: Any) -> None:
        """Send is back when the answer is over, and a question that was turned away too."""
        for follow in (stream.then, stream.failure):
            follow(self.handlers.settle, [self.question], [self.textbox, self.running], **_QUIET)
