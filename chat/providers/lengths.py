"""How long a conversation may be and how long it was, read from a vendor's refusal. Called by `error_bodies`.

No two vendors word it alike. The patterns come from what these say: OpenAI, Azure, Anthropic, Bedrock,
Gemini, xAI, Groq, Mistral, DeepSeek, Moonshot, Together, Fireworks, Cerebras, Cohere, OpenRouter, vLLM,
SGLang, TGI, llama.cpp and LM Studio. What counts characters, bytes or the answer's length is not read.
"""

import re
from typing import Final

_N: Final = r"(\d[\d,_]*)"
_SMALLEST: Final = 64
"""Tokens. A smaller figure is something else: an index, a version, what it was too long by."""


def _any(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern.replace("#", _N), re.IGNORECASE) for pattern in patterns)


_LIMIT = _any(
    r"tokens? > # maximum",  # Anthropic, too long
    r"context (?:limit|length|window)[^.]{0,40}?\d \+ [\d,_]+ > #",  # Anthropic, with max_tokens
    r"context (?:length|window|size|limit)\W*(?:(?:is|of|only|limit|exceeded|tokens)\W*)*#",
    r"# (?:tokens? )?(?:maximum|max) context",  # Mistral
    r"(?:maximum|max) (?:prompt|input|model)[ _](?:length|len)(?: is|:| of)? #",  # xAI
    r"maximum number of (?:input )?tokens(?: allowed)?[ (]+#",  # Gemini
    r"token limit\W+#",  # Moonshot
    r"inputs.{0,60}?(?:must be <=|less than) #",  # Together, TGI
    r"tokens? .{0,40}?cannot exceed #",  # Cohere
    r"\blimit(?: is|:)? #",  # Groq, Cerebras
    r"input length should be \[\d+, ?#\]",  # DashScope
)
_SENT = _any(
    r"prompt is too long: #",
    r"context (?:limit|length|window)[^.]{0,40}?# \+ [\d,_]+ >",
    r"(?:resulted in|contains|has)(?: at least| about)? # (?:input )?tokens",
    r"requested(?: a total of| about|:)? #\b(?! output)",
    r"(?:request|input|inputs|input token count|prompt)\W{0,2} ?\(#",
    r"(?:given:?|received|length is) #",
)
_ANSWER = _any(r"# (?:tokens )?(?:in|for|of) (?:the |your )?(?:completion|output|answer)")
"""The part of what was sent that is only room for the answer."""


def lengths(text: str) -> tuple[int | None, int | None]:
    """Tokens that fit, and tokens that were sent; None where `text` does not tell."""
    limit, sent = _first(_LIMIT, text), _first(_SENT, text)
    if sent is not None and (answer := _first(_ANSWER, text)) is not None and answer < sent:
        sent -= answer
    return limit, sent


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> int | None:
    for pattern in patterns:
        if (found := pattern.search(text)) is not None:
            digits = re.sub(r"\D", "", found[1])[:12]
            if (number := int(digits)) >= _SMALLEST:
                return number
    return None
