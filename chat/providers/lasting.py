"""Whether the refusal of a parameter holds for all who ask the model. Called by `refusals`.

What holds for all is remembered, and left out of everybody's requests. So it has to be clear that the model
takes none of it, whatever else is sent. In doubt it holds for one request: the next one is refused and
repeated in the same way. That costs a moment, but nobody loses an option by what somebody else chose.
"""

import re
from dataclasses import replace
from typing import Final, Literal

from chat.providers.calls import Call
from chat.providers.error_bodies import ErrorBody
from chat.providers.error_words import Words, any_of

Scope = Literal["model", "value", "request"]
"""The model takes none of it; it does not take this value; or it does not take it in this request."""

_NO_PARAMETER: Final = any_of(
    r"(unknown|unsupported|unrecogni[sz]ed|unexpected|extra|superfluous)[ _](\w+ ){0,2}"
    r"(param|arg|field|key|input|property)\w*+(?![ _]value)",
    r"\bno such (field|parameter)|cannot find field|has no field|extra (inputs|fields?|keys?)",
    r"(n't|not) (support|allow|accept|recogni[sz]e|take) (the )?(\w+ )?(param|arg|field)\w*",
    r"(effort|reasoning|thinking) parameters?\b.{0,20}\bnot (be )?(supported|allowed|accepted)",
    r"only (the )?(default|\d[\d.]{0,9}( is| was| value))",
)
"""The model does not take the parameter, or takes nothing but its default."""
_OF_VALUE: Final = any_of(
    r"(invalid|illegal|bad|wrong|incorrect|unknown|unexpected|unrecogni[sz]ed|disallowed)[-_ ](\w+[-_ ])?"
    r"(values?|variant|enum|option|choice|level|literal)",
    r"\b(supported|allowed|valid|accepted|permitted|available|possible|expected|legal|known)[-_ ]"
    r"(\w+[-_ ]){0,2}"
    r"(values?|variants?|levels?|options?|choices?|efforts?)\b",
    r"(must|should|has to|needs to) be (one|any|either) of|(not|n't) (one|any|among|part) ?(of|in)?\b"
    r"|not (in|among) (the )?(list|\[|\(|\{)|expected (one of|either)|input should be",
    r"(?:not|n.t) a valid|is not valid\b|(values?|levels?|option|choice)\b.{0,40}\bnot (supported|allowed"
    r"|accepted|valid|available)",
    r"\b(support|allow|accept|take)\w* (the )?(\w+ )?(values?|levels?|option)\b",
    r"literal_?error|\benum\b|_enum|invalid_(value|choice|option)|permitted: |choose (from|one of)"
    r"|only .{1,80} (are) (allowed|supported|accepted|valid)|only .{0,40}\bvalues\b",
    r"multiple of|\d,? (is|was) (not|n't|un|in)",
    r"取值|参数值|枚举",
)
_OF_ONE_EFFORT: Final = any_of(
    r"unsupported[-_ ]value|\bnot support +with ",
    r"\b(none|minimal|low|medium|high|xhigh|max|auto|default)\b",
)
"""The model refuses this effort and takes others. OpenAI uses the same words for a temperature of which only
the default is allowed."""
_OF_EFFORT: Final = frozenset(
    ("reasoning_effort", "reasoning.effort", "reasoning", "output_config", "thinking")
)
_LIMITS: Final = frozenset(("max_tokens", "max_completion_tokens", "max_output_tokens"))
_CHOSEN: Final = _OF_EFFORT | _LIMITS | {"temperature"}
"""Parameters whose value the user chooses. The values of all others are ours."""
_PERSONAL: Final = _CHOSEN | {"stream"}
"""Options that somebody would miss."""
_QUOTED: Final = re.compile(r"`[^`]{0,200}`|\"[^\"]{0,200}\"|“[^”]{0,200}”|(?<!\w)'[^']{0,200}'(?!\w)")
"""Quoted text in an error. The user may have written it, for example as the refused value."""

_OPTION: Final = (
    r"thinking|reasoning|effort|tool|functions?(?![a-z])|functions?[-_ ]?call|stream|temperature"
    r"|top_?[pk](?![a-z])|sampl|penalt|budget|logprob|verbosity|max_\w{0,20}tokens|思考|推理|工具"
)
"""What else somebody may have chosen. Our own request need not have named it so."""
_OTHER_OPTION: Final = any_of(rf"(?<![a-z])(?:{_OPTION})")
_CONDITION: Final = any_of(
    r"\b(when|while|unless|until|except|without|both|together|alongside|simultaneous\w*|combin\w+|conflict\w*"
    r"|mutual\w*|exclusive\w*|modes?)\b|\bif\b(?! you\b)",
    r"\bwith\b(?!\s+(?:(?:this|that|the|these|your|any|all|an?)\s+)?(?:[\w-]{1,40}\s+)?"
    r"(?:models?|endpoints?|api|deployments?|engines?|servers?)\b)",
    r"at the same time|as long as|in conjunction|\b(is|are|being) (enabled|disabled|active|turned|switched)",
    r"\b(this|these|current) (request|combination|configuration|settings?|options?)\b",
    r"\b(requested|given|chosen|selected) (settings?|options?|param\w*|arguments?)\b",
    r"当|同时|一起|搭配|时[，,]?\s*不",
)
_OF_MODEL: Final = any_of(r"\b(models?|endpoints?|api|deployments?|engines?|servers?)\b|模型")
_KIND_OF_MODEL: Final = any_of(r"\b(reasoning|thinking) models?\b")
_LIST: Final = any_of(
    r"\b(expected|supported|allowed|valid|permitted|available|known|accepted|possible) "
    r"((\w{1,20} )?(fields|param\w*|arguments|keys|names|properties)|one of)"
    r"(?:[\s,:\[]*(?:or |and |are )?[`'\"][\w.]{1,40}[`'\"])*"
)
"""All names that a server knows: they say nothing about what was sent."""
_ADDRESS: Final = any_of(r"https?://\S{1,300}|/v\d/\S{1,100}")
_LONG: Final = any_of(r"\b(long|length|longer|exceeds?|characters|tokens|words|bytes)\b|长")

_OWN_WORDS: Final = (
    (_OF_EFFORT | {"include", "reasoning.summary"}, r"reasoning|thinking|effort|思考|推理"),
    (_LIMITS, r"max_\w{0,20}tokens"),
    (frozenset(("stream", "stream_options")), r"stream"),
    (frozenset(("temperature",)), r"temperature"),
)
"""Names of one option: of the parameter that is refused, they are not another one's."""


def scope(parameter: str, body: ErrorBody, call: Call) -> Scope:
    """For whom it holds that `parameter`, one of `call`, is refused in the words of `body`."""
    found = _said(parameter, body, call)
    if found != "model":
        return found
    if conditional(parameter, body, call):
        return "request"
    # Some say plainly that the model takes no temperature, and mean: not with the effort that was asked for.
    other = frozenset(("temperature",)) if parameter in _OF_EFFORT else _OF_EFFORT
    return "request" if parameter in _PERSONAL and call.effort and other & call.sent else "model"


def conditional(what: str, body: ErrorBody, call: Call) -> bool:
    """Whether `body` names a condition, or another option than `what` is refused."""
    text = f"{_of_this_model(body.text, call)} {body.names.replace('_', ' ')}"
    text = _LIST.sub(" ", _KIND_OF_MODEL.sub("this model", _ADDRESS.sub(" ", text)))
    text = re.sub(rf"(?<!\w){re.escape(what)}(?!\w)", " ", text)
    for names, words in _OWN_WORDS:
        if what in names:
            text = re.sub(rf"[\w.]{{0,40}}(?:{words})[\w.]{{0,40}}", " ", text, flags=re.IGNORECASE)
    return bool(_CONDITION.search(text) or _OTHER_OPTION.search(text))


def _of_this_model(text: str, call: Call) -> str:
    """`text` without the model's name, which may hold a word for an option."""
    return re.sub(rf"(?<!\w){re.escape(call.model)}(?!\w)", "this model", text) if call.model else text


def _said(parameter: str, body: ErrorBody, call: Call) -> Scope:
    """What the words say, conditions aside. Quoted text is ignored: it may be the value, in the user's own
    words."""
    unquoted = replace(body, text=_QUOTED.sub(" ", body.text))
    words, plain, said = Words(body), Words(unquoted), f"{unquoted.names} {unquoted.text}"
    if parameter == "system" and (words.out_of_range or _LONG.search(said)):
        return "value"
    if parameter not in _PERSONAL or _NO_PARAMETER.search(said):
        return "model"
    if parameter in _CHOSEN and (words.out_of_range or _OF_VALUE.search(said) or not plain.not_taken):
        return "value"
    if parameter in _OF_EFFORT and _OF_ONE_EFFORT.search(f"{said} {body.text}"):
        return "value"
    beside = call.sent & (_OF_EFFORT | {"temperature", "tools"}) - _family(parameter)
    return "request" if beside and not _OF_MODEL.search(_of_this_model(body.text, call)) else "model"


def _family(parameter: str) -> frozenset[str]:
    return _OF_EFFORT if parameter in _OF_EFFORT else frozenset((parameter,))
