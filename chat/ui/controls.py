"""The sidebar's settings: what a person chooses for the next turn.

Makes the components and reads their values into `messages.Options`. An empty field means: not
sent, the provider's default holds. Values come as the browser sends them, unchecked, so nothing
here trusts them. `page` places them and wires what depends on the model.
"""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import gradio as gr
from gradio.components import Component

from chat.build import App
from chat.errors import BadRequest
from chat.menu import Menu
from chat.messages import Options
from chat.pacing import Pace
from chat.ui.personas import personas

EFFORTS = {
    "none": "None",
    "minimal": "Minimal",
    "low": "Low",
    "medium": "Medium",
    "high": "High",
    "xhigh": "Very high",
    "max": "Highest",
}
DEFAULT = "Provider’s default"
OWN = "Write your own"


# What a script returns for the slider and its hidden mark, `warm`. An unset slider shows no number.
SET = """() => [{__type__: "update", elem_classes: []}, true]"""
UNSET = """() => [{__type__: "update", value: 1, elem_classes: ["unset"]}, false]"""


class Chosen(NamedTuple):
    options: Options
    pace: Pace


PLACES = (None, 3, 0, 5)
"""Where among the values of `Controls.inputs` each text of `chat.runs.MOST` stands; the question does not."""


class Controls:
    """`inputs` are the components whose values `read` takes, in that order."""

    def __init__(self, app: App) -> None:
        self._app = app
        menu = app.catalogue.of("")
        name = menu.default
        self.model = gr.Dropdown(
            menu.choices(),
            value=name,
            label="Model",
            allow_custom_value=not app.settings.models,  # with an allow-list, there is nothing else to ask
            filterable=True,
            elem_id="model",
            interactive=True,
        )
        with gr.Row(elem_id="temperature-row"):
            self.temperature = gr.Slider(
                **self._temperature(menu, name),
                step=0.1,
                buttons=[],
                elem_id="temperature",
                elem_classes=["unset"],
            )
            self.warm = gr.Checkbox(False, visible=False)
            """Whether a temperature is sent at all. A slider always has a value."""
            self.reset = gr.Button("↺", elem_id="temperature-reset", size="sm", min_width=32, scale=0)
        with gr.Accordion("More settings", open=False, elem_id="more") as self.more:
            self.persona = gr.Dropdown(
                [OWN, *personas(app.settings)],
                value=OWN,
                label="Persona",
                filterable=False,
                interactive=True,
                elem_id="persona",
            )
            self.system = gr.Textbox(
                app.settings.system,
                label="System prompt",
                placeholder="Who the assistant is, and how it should answer",
                lines=3,
                max_lines=10,
                elem_id="system",
            )
            # A gr.Number shows 0 when it is empty (6.31).
            self.max_tokens = gr.Textbox(
                label="Longest answer, in tokens", placeholder=DEFAULT, max_lines=1, elem_id="max-tokens"
            )
            self.effort = gr.Dropdown(
                **self._effort(menu, name), filterable=False, interactive=True, elem_id="effort"
            )
            self.stream = gr.Checkbox(True, label="Stream the answer", elem_id="stream")
            self.pace = gr.Radio(
                [(pace.capitalize(), pace) for pace in get_args(Pace)],
                value="as it comes",
                label="Pace",
                elem_id="pace",
            )
            self.tools = gr.CheckboxGroup(
                [(switch.title, switch.name) for switch in app.tools.switches],
                value=list(app.tools.names),
                label="Tools",
                elem_id="tools",
            )
        self.inputs: list[Component] = [
            self.model,
            self.temperature,
            self.warm,
            self.system,
            self.max_tokens,
            self.effort,
            self.stream,
            self.pace,
            self.tools,
        ]

    def read(self, owner: str, values: Sequence[Any]) -> Chosen:
        """The values of `inputs`, as far as they make sense. Raises `BadRequest` for too few or too many."""
        if len(values) != len(self.inputs):
            raise BadRequest("This page is older than the program behind it. Load it again.")
        model, temperature, warm, system, max_tokens, effort, stream, pace, tools = values
        menu = self._app.catalogue.of(owner)
        name = _text(model) or menu.default
        limits = menu.temperature(name)
        degrees = _number(temperature) if warm is True and not limits.reason else None
        longest = _whole(max_tokens)
        return Chosen(
            Options(
                model=name,
                temperature=None if degrees is None else min(max(degrees, limits.low), limits.high),
                max_tokens=longest or None,
                effort=effort if isinstance(effort, str) and effort in EFFORTS else None,
                system=_text(system) if isinstance(system, str) else None,
                tools=tuple(
                    name for name in self._app.tools.names if isinstance(tools, list) and name in tools
                ),
                stream=stream is not False,
            ),
            pace if pace in get_args(Pace) else "as it comes",
        )

    # -- what comes from the server ------------------------------------------------------------

    def unchanged(self) -> list[Any]:
        """Updates of `inputs` that change nothing."""
        return [gr.skip() for _ in self.inputs]

    def opening(self, owner: str) -> list[Any]:
        """Updates of `inputs` as the page opens with nothing asked yet: the models of now."""
        menu = self._app.catalogue.of(owner)
        update = gr.update(choices=menu.choices())
        model = menu.default
        if model != self.model.value:  # else a choice made meanwhile would be undone
            update["value"] = model
        temperature, effort = self.of_model(owner, model, None, "")
        return self._updates(model=update, temperature=temperature, effort=effort)

    def restored(self, owner: str, options: Options) -> list[Any]:
        """Updates of `inputs` to what an answer was asked with."""
        menu = self._app.catalogue.of(owner)
        names = menu.names()
        name = options.model or menu.default
        if name not in names and not self.model.allow_custom_value:
            name = menu.default
        warm = options.temperature is not None
        wanted = options.temperature if warm else 1.0
        temperature, effort = self.of_model(owner, name, wanted, options.effort or "")
        temperature = {"value": wanted, **temperature, "elem_classes": [] if warm else ["unset"]}
        effort = {"value": options.effort or "", **effort}
        return self._updates(
            model=gr.update(choices=menu.choices(), value=name),
            temperature=temperature,
            warm=warm,
            system=options.system or "",
            max_tokens="" if options.max_tokens is None else str(options.max_tokens),
            effort=effort,
            stream=options.stream,
            tools=[name for name in self._app.tools.names if name in options.tools],
        )

    def _updates(self, **named: Any) -> list[Any]:
        """In the order of `inputs`; what is not named stays."""
        places = {id(getattr(self, name)): update for name, update in named.items()}
        return [places.get(id(each), gr.skip()) for each in self.inputs]

    def of_model(self, owner: str, name: Any, temperature: Any, effort: Any) -> tuple[Any, Any]:
        """Updates of temperature and effort for the model `name`. What still fits stays as it is, without
        a word of it: it may be changing at this moment, with the model (`restored`)."""
        menu = self._app.catalogue.of(owner)
        name = _text(name) or menu.default
        properties, value = self._temperature(menu, name), _number(temperature)
        if value is None or properties["minimum"] <= value <= properties["maximum"]:
            del properties["value"]
        else:
            properties["value"] = min(max(value, properties["minimum"]), properties["maximum"])
        efforts = self._effort(menu, name)
        if any(effort == known for _, known in efforts["choices"]):
            del efforts["value"]
        return gr.update(**properties), gr.update(**efforts)

    def away(self, name: Any) -> str:
        """What is to be said of the chosen model `name`, when its server on this machine is not there any
        more."""
        vendor = _text(name).partition(":")[0]
        if vendor not in self._app.catalogue.gone:
            return ""
        provider = self._app.catalogue.of("").providers.get(vendor)
        title = provider.vendor.title if provider else vendor
        return f"{title} does not answer any more. Is it running?"

    def _temperature(self, menu: Menu, name: str) -> dict[str, Any]:
        limits = menu.temperature(name)
        return {
            "minimum": limits.low,
            "maximum": limits.high,
            "value": 1.0,
            "interactive": not limits.reason,
            "label": "Temperature",
            "info": limits.reason,  # None would leave what is there
        }

    def _effort(self, menu: Menu, name: str) -> dict[str, Any]:
        efforts = [effort for effort in menu.efforts(name) if effort in EFFORTS]
        return {
            "choices": [(DEFAULT, ""), *((EFFORTS[effort], effort) for effort in efforts)],
            "value": "",
            "label": "Thinking effort",
            "visible": bool(efforts),
        }


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _whole(value: Any) -> int:
    """`4000`, `4,000` and `4 000` alike; 0 for anything else."""
    digits = re.sub(r"[\s,._']", "", _text(value))
    return int(digits) if digits.isdecimal() and digits.isascii() and len(digits) < 10 else 0
