"""How long a conversation may be and how long it was, read from a vendor's refusal. Called by `error_bodies`.

No two vendors word it alike, so a general rule stands behind the table: words of too much about tokens, a
prompt or a context, and two figures, the larger of which was sent. The patterns come from what these say:
OpenAI, Azure, Anthropic, Bedrock, Gemini, xAI, Groq, Mistral, DeepSeek, Moonshot, Together, Fireworks,
Cerebras, Cohere, OpenRouter, vLLM, SGLang, TGI, llama.cpp and LM Studio. What counts characters, bytes or the
answer's length is not read.
"""

import re
from typing import Final

_N: Final = r"(\d[\d,_]{0,19})"
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


_THING: Final = re.compile(
    r"\btokens?\b|\btoken(?:s|_)?count|context|prompt|conversation|sequence|history|max_?model_?len"
    r"|max_?seq"
    r"|\b(?:input|message|messages|request) (?:length|size|token)|length of (?:the |your )?(?:input"
    r"|message|prompt|conversation)"
    r"|\b(?:input|messages?|text|question) (?:is|are|was) too (?:long|large|big)|上下文|输入(?:长度)?|提示词"
    r"|コンテキスト|トークン",
    re.IGNORECASE,
)
_TOO_MUCH: Final = re.compile(
    r"exceed|over(?:flow|run|s the|sized|\b.{0,12}(?:limit|budget|length))|too (?:long|large|big|many"
    r"|much)|longer|larger|greater than"
    r"|more than|bigger|surpass|beyond|not fit|n.t fit|run out of|out of (?:context|room)|at most"
    r"|reduce|shorten|truncat|full\b|maximum .{0,60}\bgot\b"
    r"|\d ?> ?\d|\d ?>= ?\d|(?:above|past|over|out of|outside|reached) .{0,20}(?:limit|maximum|length"
    r"|window|size|range)"
    r"|(?:limit|maximum|length|window|size) .{0,12}(?:reached|exhausted|used up|violated)|超过|超出|过长|超長"
    r"|超え|长すぎ",
    re.IGNORECASE,
)
_OTHER: Final = re.compile(
    r"\bcharacters?\b|\bbytes?\b|\bper (?:min|sec|hour|day|month)|/ ?(?:min|sec|hour|day)\b"
    r"|\b[rt]p[mds]\b|\brate\b|quota|\bimages?\b|\bfiles?\b"
    r"|\btools?\b|\bfunctions?\b|\bstop\b|\bconcurren|\bname\b|\btitle\b|\bcredit|\bbalance|\bafford|字符"
    r"|字节|频率|额度",
    re.IGNORECASE,
)
_OUTPUT: Final = re.compile(
    r"max_(?:completion_|output_|new_)?tokens|maxOutputTokens|\b(?:completion|output|generat\w+"
    r"|response|answer) (?:tokens?|length|limit)"
    r"|\bnum_predict\b|\bbudget",
    re.IGNORECASE,
)
_SENT_TOO: Final = re.compile(
    r"\b(?:prompt|input|inputs|context|messages?|conversation|history|total|sequence|request)\b",
    re.IGNORECASE,
)
_FIGURE: Final = re.compile(
    r"(?<![\w.,-])(\d{1,3}(?:[,_.'\u00a0\u202f]\d{3})+|\d{1,12})(?:(\.\d{1,3})?\s?([kKM]))?(?!\w)"
)


def overflows(text: str) -> bool:
    """Whether `text` says, in whatever words, that more was sent than a context takes. What counts
    characters, requests of a minute or the answer's own length is another thing."""
    if not (_THING.search(text) and _TOO_MUCH.search(text)) or _OTHER.search(text):
        return False
    return not _OUTPUT.search(text) or bool(_SENT_TOO.search(_OUTPUT.sub(" ", text)))


def lengths(text: str) -> tuple[int | None, int | None]:
    """Tokens that fit, and tokens that were sent; None where `text` does not tell."""
    limit, sent = _first(_LIMIT, text), _first(_SENT, text)
    if sent is not None and (answer := _first(_ANSWER, text)) is not None and answer < sent:
        sent -= answer
    if (limit is None or sent is None) and overflows(text):
        limit, sent = _by_size(text, limit, sent)
    return limit, sent


def _by_size(text: str, limit: int | None, sent: int | None) -> tuple[int | None, int | None]:
    """The same from two figures alone: more was sent than fits."""
    figures = list(dict.fromkeys(n for n in map(_figure, _FIGURE.finditer(text)) if n >= _SMALLEST))
    if limit is None and sent is None and len(figures) == 2:
        return min(figures), max(figures)
    if len(figures) == 2 and limit in figures and limit == min(figures):
        return limit, max(figures)
    if len(figures) == 2 and sent in figures and sent == max(figures):
        return min(figures), sent
    return limit, sent


def _figure(found: re.Match[str]) -> int:
    whole, part, unit = found.groups()
    number = float(re.sub(r"\D", "", whole) + (part or ""))
    return int(number * {"k": 1000, "m": 1_000_000}[unit.lower()] if unit else number)


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> int | None:
    for pattern in patterns:
        if (found := pattern.search(text)) is not None:
            digits = re.sub(r"\D", "", found[1])[:12]
            if (number := int(digits)) >= _SMALLEST:
                return number
    return None
