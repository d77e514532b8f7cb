"""The wiring: a gr.ChatInterface with a shorter chain from Enter to the answer.

    Enter → static/send.js: empty the box → `ask` streams
                                          → static/show.js: show the question

Gradio's own chain is three round trips with the whole history in each (gradio_fixes, 1). What the
listeners do is in `handlers`. Every stream has the same two outputs, the chat and the activity view.
Nothing cancels a listener: Stop is a signal to the run, and the listener then ends like any other.
Whether Stop or Send is shown follows from what the chat shows, so both are always there (`SWITCH`).
A stream has one input, which carries the sidebar's values too (gradio_fixes, 9).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from chat.ui.controls import SET, UNSET, Controls
from chat.ui.endpoint import NAME
from chat.ui.handlers import Handlers

SEND, STOP = "Send", "Stop"
REFUSED = (
    "The server did not take this. Try again in a moment, or load the page again; what you typed stays here."
)
SWITCH = """
#question .stop-button,
.gradio-container:has(#chat .now) #question .submit-button { display: none !important }
.gradio-container:has(#chat .now) #question .stop-button { display: flex !important }
"""
"""Styles: a running answer has a line of the class `now`."""

_STATIC = Path(__file__).parent / "static"
_SEND, _SHOW = ((_STATIC / name).read_text(encoding="utf-8") for name in ("send.js", "show.js"))
# A question that was turned away, or that never arrived, returns to the box.
_TURNED_AWAY = """(text, chat) => {
  const said = chat?.at(-1)?.content.at(-1)?.text;
  const turned = !text && (!chat?.length || said?.includes('failed remark"'));
  return turned ? runnel.sending()?.question ?? "" : {__type__: "update"};
}"""
_LOST = """async (text, chat) => {
  const sent = runnel.sending(), same = {__type__: "update"};
  if (!sent || await runnel.known(sent.key)) return [same, same];
  const shown = chat?.at(-1)?.content.at(-1)?.text ?? "";
  dispatchEvent(new CustomEvent("runnel-say", {detail: {text: REFUSED, stays: true}}));
  return [text || sent.question, shown.includes('class="now sending"') ? chat.slice(0, -2) : same];
}""".replace("REFUSED", json.dumps(REFUSED))
# static/place.js knows what is shown, and what a click meant.
_ARRIVING = """() => runnel.arriving()"""
_ARRIVED = """() => (runnel.arrived(), [])"""
_PACKED = """(...values) => runnel.pack({values})"""
_CHAT = """() => ({chat: runnel.chat})"""
# static/keys.js knows what becomes of the chosen model.
_WANTED = """(_, ...chosen) => {
  const empty = !document.querySelector("#chat :is(.nowhere, .message-row)");
  return [{empty, ...runnel.wanted?.(chosen[0])}, ...chosen];
}"""
_NEW = """() => (dispatchEvent(new CustomEvent("runnel-open", {detail: {chat: ""}})), [])"""
_SCRIPT: dict[str, Any] = {"fn": None, "show_progress": "hidden"}
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
        personas: Mapping[str, str],
    ) -> None:
        self.handlers, self._sidebar, self._personas = handlers, sidebar, personas
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
        self.textbox.stop_btn = STOP
        self.sent = gr.JSON(visible=False)
        """What was sent last: the question, and the sidebar's values."""
        self.act = gr.Button(visible="hidden", elem_id="act")
        """Clicked by script, for all that our own buttons and links do."""
        self.settle = gr.Button(visible="hidden", elem_id="settle")
        """Clicked by script when another chat is shown, for its settings."""
        self.refresh = gr.Button(visible="hidden", elem_id="refresh")
        """Clicked by script when there are other models."""
        controls, screen = self.side.controls, [self.chatbot, self.side.activity]
        stream: dict[str, Any] = {
            "outputs": screen,
            "preprocess": False,  # a value out of its bounds would raise
            "trigger_mode": "multiple",  # “once” would drop a click while the last one's answer is drawn
            "postprocess": False,
            "concurrency_limit": None,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        entered = self.textbox.submit(
            inputs=[self.textbox, *controls.inputs], outputs=[self.textbox, self.sent], js=_SEND, **_SCRIPT
        )
        asking = entered.then(self.handlers.ask, [self.sent], **stream)
        entered.then(inputs=[self.sent, self.chatbot], outputs=[self.chatbot], js=_SHOW, **_SCRIPT)
        asking.then(inputs=[self.textbox, self.chatbot], outputs=[self.textbox], js=_TURNED_AWAY, **_SCRIPT)
        lost: list[Any] = [self.textbox, self.chatbot]
        asking.failure(inputs=lost, outputs=lost, js=_LOST, **_SCRIPT)

        drawing = self.load(self.handlers.act, [self.sent], js=_ARRIVING, **stream)
        drawing.then(js=_ARRIVED, **_SCRIPT)
        for event, listener in (
            (self.chatbot.example_select, self.handlers.example),
            (self.act.click, self.handlers.act),
        ):
            event(inputs=controls.inputs, outputs=[self.sent], js=_PACKED, **_SCRIPT)
            event(listener, [self.sent], **stream)
        self.textbox.stop(self.handlers.stop, [self.sent], None, js=_CHAT, preprocess=False, **_QUIET)
        self._wire_sidebar()
        # Of `gr.api` no type is exported (6.31).
        gr.api(self.handlers.endpoint, api_name=NAME, concurrency_limit=None)  # pyright: ignore[reportPrivateImportUsage]

    def _wire_sidebar(self) -> None:
        controls, handlers = self.side.controls, self.handlers
        of_model = [controls.temperature, controls.effort]
        chosen = [controls.model, *of_model]
        quiet = {"preprocess": False, **_QUIET}
        self.load(handlers.arrive, [self.sent], [*controls.inputs, self.chatbot], js=_ARRIVING, **quiet)
        self.settle.click(handlers.settings, [self.sent], controls.inputs, js=_CHAT, **quiet)
        self.refresh.click(
            handlers.refresh, [self.sent, *chosen], [*chosen, self.chatbot], js=_WANTED, **quiet
        )
        controls.model.change(handlers.of_model, chosen, of_model, **quiet)
        for event in (self.side.new.click, self.chatbot.clear):
            event(js=_NEW, **_SCRIPT)
        # Script only: no round trip for a click that the server need not know of.
        temperature = [controls.temperature, controls.warm]
        controls.temperature.input(outputs=temperature, js=SET, **_SCRIPT)
        controls.reset.click(outputs=temperature, js=UNSET, **_SCRIPT)
        texts = f"name => ({json.dumps(dict(self._personas))})[name] ?? ''"
        controls.persona.input(inputs=[controls.persona], outputs=[controls.system], js=texts, **_SCRIPT)
