"""What the words of a refusal mean, whoever wrote them. Called by `faults`.

Each pattern is a kind of refusal. To teach one more vendor's words, add an alternative to its line and the
sentence to `tests/providers/test_refusals.py`. Where a general form exists (a thing and a negation) it stands
first: vendors change their words more often than their meaning.
"""

import re
from typing import Final

from chat.providers.error_bodies import ErrorBody
from chat.providers.lengths import overflows


def any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_NOT: Final = (
    r"(?:(?:n't|\bnot|cannot|never|\bno longer|\bno\b|without|un(?:supported|available|able)|disabled"
    r"|disallow|forbid|prohibit|lacks?\b|refuse)"
    r"|(?:requires?|needs?|enable|start\w*) .{0,40}(?:--|flag|pars|templat|config|enabl|jinja))"
)
_ABLE: Final = (
    r"(?:support|enabl|avail|allow|accept|permit|implement|capab|compatib|us(?:e|ed|able)\b"
    r"|recogni|valid|handle|work|take|configur)"
)

_UNABLE: Final = r"(?:unsupported|unavailable|disabled|incompatible|unimplemented|unsuitable)\b"

_TOO_LONG: Final = any_of(
    r"context_length_exceeded|context_window_exceeded|model_max_prompt_tokens|too_many_prompt_tokens"
    r"|string_above_max_length"
    r"|prompt_too_long|input_too_long|context_too_long|max_context|context_overflow|context_limit",
    r"context[-_ ]?(length|window|size|limit)|maximum context",
    r"(prompt|input|messages?|request|conversation|sequence) (is |are |was )?too (long|large|big)"
    r"|the total length of all messages",
    r"reduce (the|your) (length|prompt|message|input|context)|prompt exceeds"
    r"|exceeds? (the )?max(imum)? (prompt|input|context|sequence|model)",
    r"maximum prompt length|tokens` must be|inputs` must have|too many tokens: |input length should be",
    r"\d[\d,_]{0,12} tokens? > \d",
    r"(上下文|输入|提示词|对话|tokens?).{0,20}(超过|超出|超限|过长)|(超过|超出).{0,12}(上下文|最大长度|长度限制)",
)
_TOO_MUCH_AT_ONCE: Final = any_of(r"request too large")
_OF_A_TIME: Final = any_of(
    r"\bper[-_ ]?(second|minute|min\b|hour|day)|per(second|minute|hour|day)|/ ?(s|sec|min|minute|hour"
    r"|day)\b|\b[rt]p[mds]\b",
    r"rate[-_ ]?limit|too[-_ ]many[-_ ]?(concurrent[-_ ]?)?requests|throttl|concurren|slow ?down"
    r"|requests? (is |are )?too (fast|frequent)",
    r"requested? too (often|many)|try again in \d|频繁|限流|并发|速率|请求(数|次数)?过多",
)
_BROKE: Final = any_of(
    r"insufficient[-_ ]?(user[-_ ]?)?(account[-_ ]?)?(funds?|credits?|balance)|(out of|more|no"
    r"|not enough|exhausted|used up) (\w+ ){0,3}credits?\b",
    r"(credit|account|prepaid|your|remaining) balance (is |has |was )?(\w+ )?(too low|insufficient"
    r"|exhausted|negative|empty|zero|not enough|run out)",
    r"balance (is )?(too low|insufficient|not enough|exhausted)|(credits?|funds"
    r"|balance).{0,30}(depleted|exhausted|used up|run out|ran out)",
    r"payment[-_ ]?required|top up|recharge|arrears|overdue|arrearage|unpaid|余额|欠费|充值|账户已"
    r"|额度不足|额度已用",
)
_QUOTA: Final = any_of(
    r"insufficient[-_ ]?(user[-_ ]?)?quota|exceeded your current quota|quota.{0,20}(exceeded|exhausted"
    r"|used up|reached|not enough)|out of quota",
    r"billing|payment|spending[-_ ]?(limit|cap)|(monthly|weekly|usage|spend|budget|hard)[-_ ]?(limit"
    r"|cap|quota|budget)|subscription|purchase|upgrade your plan",
    r"exceeded (your|the) .{0,30}(budget|allowance|included)|套餐|用量",
)
_KEY_REFUSED: Final = any_of(
    r"(incorrect|invalid|missing|wrong|no|bad|malformed|expired|revoked|unknown"
    r"|disabled) (\w+ )?(api[-_ ]?|access[-_ ]?|secret[-_ ]?)?(key|token|credential)s?\b(?! count)",
    r"api[-_ ]?(key|token).{0,40}((in|not |n't )valid|expired|revoked|disabled|not found|incorrect"
    r"|missing|not provided|not recogni)",
    r"invalid[-_ ]?api[-_ ]?key|authentication[-_ ]?(failed|error|required)|not authenticated"
    r"|unauthenticated|unauthori[sz]ed|login fail|鉴权|身份验证|密钥|令牌(无效|已过期)|认证失败",
)
_NO_MODEL: Final = any_of(
    r"model[-_ ]?not[-_ ]?(found|exist|available|supported)|modelnotfound|DeploymentNotFound|(no such"
    r"|unknown|invalid|unrecogni[sz]ed|unsupported|nonexistent) (\w+ )?model\b(?! (?:type|param|arg))"
    r"|not a (valid|known|recogni[sz]ed) model",
    r"model\b.{0,140}?(not (exist|found|available|supported|known|loaded|deployed|recogni|configured"
    r"|valid)|n.t (exist|found|available|find|have)|does not exist|unavailable|deprecat|decommission"
    r"|retired|discontinued|sunset|end[- ]of[- ]life|shut ?down|no longer|been removed|been disabled"
    r"|不存在|已下线|已弃用|未找到)",
    r"(no|not|n't|without|lack|requires?|need|gated|permission).{0,30} access.{0,20} (to |for "
    r"|the )?.{0,12}model",
    r"no (allowed |available )?(endpoints?|providers?|channels?|deployments?|instances?|backends?"
    r"|upstreams?) (\w+ )?(found|available|for)|无可用渠道|模型.{0,40}(不存在|未找到|已下线|无权)",
    r"(could not|cannot|can.t|unable to|failed to) (find|locate|load|resolve) (the )?(requested )?model",
)
_THE_TOOLS: Final = (
    r"(?:\btools?\b(?![.\[(]\d| ?call_?id)|\btool[-_ ](?:use|calls?|calling|choice)\b"
    r"|\bfunctions?[-_ ]?(?:call(?:s|ing)?|use)?\b|\btool_choice\b|工具|函数调用)"
)
_NO_TOOLS: Final = any_of(
    rf"{_THE_TOOLS}[^.\n]{{0,60}}?(?:{_NOT}[^.\n]{{0,30}}?{_ABLE}|{_UNABLE})",
    rf"{_NOT}[^.\n]{{0,30}}?{_ABLE}[^.\n]{{0,40}}?{_THE_TOOLS}",
    rf"{_THE_TOOLS}[^.\n]{{0,60}}?(?:requires?|needs?) [^\n]{{0,80}}?(?:--|flag|\bset\b|enabl|pars"
    rf"|templat)",
    r"(?:unsupported|unrecogni[sz]ed|unknown|unexpected|invalid|extra"
    r"|no)[^.\n]{0,40}?[`'\"]?(?:tools|tool_choice|functions)[`'\"]?(?![\w.\[]|\.)",
    rf"(?:no|without) {_THE_TOOLS} (?:support|capabilit)|no endpoints found that support tool"
    rf"|不支持.{{0,12}}(?:工具|函数)|(?:工具|函数).{{0,12}}不支持",
)
_BAD_CALL: Final = any_of(
    r"tool_use_failed|malformed_(function|tool)_call|unexpected_tool_call|invalid_tool_call"
    r"|tool_call_(parse|validation)_(error|failed)",
    r"failed to (call|parse|generate|decode|read) (a |the |any )?(\w+ )?(function|tool)"
    r"|tool call validation failed",
    r"(function|tool)[- ]calls?.{0,60}(malformed|could not be (parsed|read|decoded)|invalid json"
    r"|not valid json|cannot be parsed|unparsable|failed to parse|did not match)",
    r"(malformed|unparsable|unparseable|could not parse|cannot parse|unable to parse"
    r"|invalid json).{0,60}(function|tool)[- ]?calls?",
    r"model (produced|generated|returned|output|wrote).{0,60}(invalid|malformed|unparsable).{0,30}(call"
    r"|function|tool|json)|failed to parse input at pos|模型.{0,10}工具调用.{0,12}(失败|错误)",
)
_SYSTEM: Final = r"\b(?:system|developer)\b[`'\"]?[- _]{0,2}(?:role|message|prompt|instruction)s?\b"
_NO_SYSTEM: Final = any_of(
    rf"{_SYSTEM}[^\n]{{0,60}}?(?:{_NOT}[^\n]{{0,30}}?{_ABLE}|{_UNABLE})",
    rf"{_NOT}[^\n]{{0,30}}?{_ABLE}[^\n]{{0,40}}?(?:{_SYSTEM}|[`'\"](?:system|developer)[`'\"])",
    r"\brole[`'\"]?\b[^\n]{0,40}?[`'\"]?(?:system|developer)\b[^\n]{0,40}?(?:not|unsupported|invalid"
    r"|unknown)",
    r"(?:unsupported|invalid|unknown|unexpected"
    r"|unrecogni[sz]ed)[^\n]{0,30}?\brole\b[^\n]{0,20}?(?:system|developer)\b|(?:system"
    r"|developer) role (?:is )?(?:not|un)",
    r"(?:unsupported|invalid|unknown)[^\n]{0,30}?[`'\"]?(?:system|developer)[`'\"]? role",
    r"roles?[^\n]{0,40}?(?:must be|only|one of|should be|expected)[^\n]{0,20}[`'\"]?(?:user"
    r"|assistant)\b[^\n]{0,40}(?:got|received|but|found|input)[^\n]{0,20}(?:system"
    r"|developer)",
    r"only (?:support|accept|allow)s? (?:the )?[`'\"]?user[`'\"]? and [`'\"]?(?:assistant"
    r"|model)[`'\"]? roles|不支持.{0,6}system|system.{0,6}不支持",
)
_IN_TURN: Final = any_of(
    r"roles? (must|should|need to|have to|has to) (strictly )?alternat|alternat\w*.{0,30}(roles?|user"
    r"|assistant|messages)|must alternate",
    r"(consecutive|successive|adjacent|two|multiple).{0,30}(user|assistant|messages? (with|of"
    r"|from) the same role|same role)|same role (twice|in a row)",
    r"(first|last) (non-system )?message (must|should|has to|needs to) (be|use|have)|expected last role"
    r"|must end with (a )?user|must (start|begin) with (a )?user",
)
_OTHER_PROTOCOL: Final = any_of(
    r"(only|solely) (be )?(supported|available|accessible|served|works?|usable).{0,40}(responses"
    r"|chat[/ _-]?completions?|messages (api|endpoint))",
    r"(supported|available|accessible) only.{0,40}(responses|chat[/ _-]?completions?)",
    r"not (a |supported (in|by|via|with|on) (the )?)?(v1/)?(chat[/ _-]?(completions?|model)"
    r"|responses)\b|(use|call|try|switch to|via) (the )?[`'\"/v1]{0,5}(responses"
    r"|chat[/ _-]?completions?)[`'\"]? ?(api|endpoint|instead|for)",
    r"(responses|chat[/ _-]?completions?)[`'\"]?( api| endpoint| interface)? (is |are )?(not"
    r"|un)[ -]?(supported|available|implemented|enabled|allowed)",
    r"(does ?n.t|do ?n.t|does not|cannot|not) (support|implement|offer|provide|serve|speak"
    r"|have)\w* (the |an? )?(openai )?[`'\"/v1]{0,5}(responses|chat[/ _-]?completions?)\b",
    r"/v1/(responses|chat/completions)[`'\"]? instead",
)
_NO_ADDRESS: Final = any_of(
    r"(unknown|invalid|unsupported|unrecogni[sz]ed|no such|no) (request )?(url|endpoint|path|route"
    r"|resource|method|api|handler)\b|route .{0,60}not found",
    r"cannot (post|get) |page not found|no route|method not allowed|not implemented|^\W*not found\W*$"
    r"|no static resource|unknown api|url .{0,120}(not found|was not found)",
)
_REGION: Final = any_of(
    r"(country|region|territory|location|jurisdiction|area)\b.{0,60}(not|un)[ -]?(support|avail|allow"
    r"|permit|served|in the list)",
    r"(not|un)[ -]?(support|avail|allow|permit|offer)\w*.{0,40}(country|region|territory|location"
    r"|jurisdiction|your area)|unsupported_country|geo[- ]?(block|restrict)|所在(国家|地区)|地区.{0,8}不支持",
)
_MODERATED: Final = any_of(
    r"content[-_ ]?(policy|filter|moderation|management)|moderat(ed|ion)|flagged|usage polic(y|ies)"
    r"|safety (system|filter|polic|setting|reason)|responsible ?ai",
    r"data_?inspection|inappropriate|prohibited[-_ ]content|content (was |is |has been )?(blocked"
    r"|rejected|filtered)|prompt (was |is )?(blocked|filtered|rejected)|harmful|敏感|违规"
    r"|不安全|不合规|内容审",
)
_BUSY: Final = any_of(
    r"overload|(at|over|no|insufficient|exceed\w*|limited|lack of) .{0,20}capacity|capacity (exceeded"
    r"|reached|constraint|limit)|too busy|is busy|server busy|high (demand|load|traffic)",
    r"(temporarily|currently|momentarily) (un|not )(available|reachable|able)|no healthy upstream"
    r"|(still |currently |is |being )(loading|warming|starting|initiali[sz]ing)|cold start|warming up",
    r"maintenance|queue is full|try again later|out of memory|no (free|available|idle) (slot|worker|gpu"
    r"|instance)|(slots?|workers?|gpus?) (are )?(all )?busy|繁忙|过载|负载|访问量过大|维护",
)
_UPSTREAM: Final = any_of(
    r"bad gateway|gateway time-?out|upstream (connect|request|prematurely|timed|error|server)"
    r"|origin (is |was )?(un|dns|error)|web server is down|connection timed out|host error"
    r"|error code:? ?(5\d\d|10\d\d)|tunnel (error|not found)|ngrok|proxy error",
)
_OUT_OF_RANGE: Final = any_of(
    r"(below|above)_m(in|ax)",
    r"too (large|small|high|low)",
    r"at (most|least)",
    r"(less|greater|smaller|larger|more) than",
    r"must be between|\brange\b|out of bounds",
    r"maximum|minimum",
    r"\d+ > \d+",
)
_NOT_TAKEN: Final = any_of(
    r"(not|n't) (be )?(supported|permitted|allowed|accepted|available|compatible|implemented|recogni[sz]ed"
    r"|valid for|a valid (param|arg|field))",
    r"(n't|not) (support|allow|accept|recogni[sz]e|take)",
    r"unsupported|deprecated|unknown|unrecogni[sz]ed|unexpected|removed|incompatible|not recogni",
    r"extra (inputs|fields?|params?|arguments?|keys?)|additional propert|superfluous",
    r"cannot be (set|used|specified|combined)|may only be|must not be|should not be|must be (omitted"
    r"|unset|absent|null)",
    r"only .{1,20} (is|are) (allowed|supported)|only (allows?|supports?|accepts?)|only the default",
    r"cannot find field|no such (field|parameter)|has no field|unable to recogni",
    r"must be one of|不支持|未知参数|无效参数|非法参数",
)


class Words:
    """What `body` means, question by question. Some answers hold only for some statuses: `faults` knows."""

    def __init__(self, body: ErrorBody) -> None:
        self._text, self._all, self._body = body.text, f"{body.text} {body.names}".strip(), body

    @property
    def too_long(self) -> bool:
        return bool(_TOO_LONG.search(self._all)) or any(self._body.counts) or overflows(self._text)

    @property
    def too_much_at_once(self) -> bool:
        """More than an account may send in a minute, so that waiting is no use: OpenAI says 429, Groq 413."""
        return bool(_TOO_MUCH_AT_ONCE.search(self._text))

    @property
    def no_credit(self) -> bool:
        """Whether money is what is missing. A limit of a minute is often told in words of plans and billing:
        what names a time, or how long to wait, passes by itself."""
        if _BROKE.search(self._all):
            return not _OF_A_TIME.search(self._text) or "balance" in self._text.lower()
        return bool(_QUOTA.search(self._all)) and not self.passes

    @property
    def passes(self) -> bool:
        """Whether it is a limit of a time."""
        return self._body.wait is not None or bool(_OF_A_TIME.search(self._text))

    @property
    def too_often(self) -> bool:
        return bool(_OF_A_TIME.search(self._all))

    @property
    def key_refused(self) -> bool:
        return bool(_KEY_REFUSED.search(self._all))

    @property
    def no_model(self) -> bool:
        return self._body.param == "model" or bool(_NO_MODEL.search(self._all))

    @property
    def no_tools(self) -> bool:
        return self._body.param in ("tools", "tool_choice") or bool(_NO_TOOLS.search(self._text))

    @property
    def bad_call(self) -> bool:
        return bool(_BAD_CALL.search(self._all))

    @property
    def no_system(self) -> bool:
        return bool(_NO_SYSTEM.search(self._text))

    @property
    def not_in_turn(self) -> bool:
        return bool(_IN_TURN.search(self._text))

    @property
    def other_protocol(self) -> bool:
        return bool(_OTHER_PROTOCOL.search(self._text))

    @property
    def no_address(self) -> bool:
        return not self._all or bool(_NO_ADDRESS.search(self._text))

    @property
    def region(self) -> bool:
        return bool(_REGION.search(self._all))

    @property
    def moderated(self) -> bool:
        return bool(_MODERATED.search(self._all))

    @property
    def busy(self) -> bool:
        return bool(_BUSY.search(self._all))

    @property
    def upstream(self) -> bool:
        return bool(_UPSTREAM.search(self._all))

    @property
    def not_taken(self) -> bool:
        return bool(_NOT_TAKEN.search(f"{self._body.names} {self._text}"))

    @property
    def out_of_range(self) -> bool:
        return bool(_OUT_OF_RANGE.search(f"{self._body.names} {self._text}"))
