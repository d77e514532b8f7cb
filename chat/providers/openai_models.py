"""What the name of an OpenAI model tells, since OpenAI's own list tells nothing. Called by its protocols."""

import re
from dataclasses import replace

from chat.models import Model

_REASONS = re.compile(r"(?:o\d|gpt-(?:[5-9]|\d\d))(?!.*chat)")
"""The reasoning families: o-series, gpt-5 and later, but for the `chat` ones. They alone take `reasoning`,
and they refuse a temperature."""


def known(model: Model) -> Model:
    """`model` with what its family tells, where it is OpenAI's and nothing else was said."""
    if model.vendor != "openai" or not _REASONS.match(model.id):
        return model
    temperature = False if model.temperature is None else model.temperature
    return replace(model, thinking=model.thinking or "always", temperature=temperature)
