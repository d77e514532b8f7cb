"""Given this conversation, this file."""

import json
import re
from typing import Any

import pytest

from chat.conversations import Conversation, Exchange, Link
from chat.errors import Failure
from chat.events import (
    Citation,
    Event,
    Notice,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from chat.export import LONGEST_NAME, as_json, filename, markdown
from chat.messages import Options
from chat.transcript import Transcript

AT = 1_783_000_000.0
STARTED = TurnStarted("demo:tour", {"temperature": 0.5, "system": "Be kind."})


def told(*events: Event) -> Transcript:
    """One event every half second."""
    transcript = Transcript()
    for seq, event in enumerate(events):
        transcript.add(seq + 1, seq / 2, event)
    return transcript


def exchange(question: str, *events: Event, run: str = "run1", **more: Any) -> Exchange:
    return Exchange(question, run, told(STARTED, *events), asked=f"q-{run}", at=AT, **more)


def chat(*exchanges: Exchange, **more: Any) -> Conversation:
    return Conversation(
        **{"owner": "owner-token", "id": "chat1", "title": "A title", **more}, exchanges=[*exchanges]
    )


def calculation(
    arguments: str = '{"expression": "12*7"}', result: Any = 84, error: str | None = None
) -> list[Event]:
    return [
        ToolCallStarted("c1", "calculate"),
        ToolCallDelta("c1", arguments),
        ToolStarted("c1", "calculate", json.loads(arguments)),
        ToolFinished("c1", "calculate", result, error, 0.004),
    ]


FULL = chat(
    exchange(
        "What is 12*7?\nExactly.",
        ThinkingDelta("Multiply."),
        *calculation(),
        TextDelta("It is **84**.\n"),
        Citation("Arithmetic", "https://example.org/a b"),
        Notice("left_out", "temperature is not accepted"),
        TurnFinished("end", Usage(input=1200, output=34)),
        thumb=1,
        key="sending-key",
    ),
    exchange(
        "And then?",
        TextDelta("It goes"),
        TurnFailed(Failure("cut_off", "The stream was cut off.")),
        run="run2",
    ),
    exchange(
        "(an instruction of ours)", TextDelta(" on."), TurnFinished("length"), run="run3", continues=True
    ),
    origin=Link("chat0", "The first", "run0"),
    branches=[Link("chat2", "Another way", "run9")],
)

FOOT = "*demo:tour · temperature: 0.5 · system: Be kind. · 2026-07-02 13:46 UTC"
GOLDEN = f"""\
# A title

*2026-07-02 13:46 UTC · 2 answers*

Began in another chat: “The first” (chat0).

Went on in other chats: “Another way” (chat2).

---

> What is 12*7?
> Exactly.

<details>
<summary>Thinking, 0.5 s</summary>

```text
Multiply.
```

</details>

<details>
<summary>Tool: calculate, 4 ms</summary>

Arguments:

```json
{{
  "expression": "12*7"
}}
```

Result:

```json
84
```

</details>

It is **84**.

Sources:

- [Arithmetic](<https://example.org/a%20b>)

*Note: temperature is not accepted*

{FOOT} · 4.5 s · 1,200 tokens in · 34 tokens out · done · thumb up*

---

> And then?

It goes on.

*The stream was cut off.*

{FOOT} · 1.0 s · cut off · continued*

{FOOT} · 1.0 s · ended at the length limit*
"""


def test_markdown_of_all_there_is() -> None:
    assert markdown(FULL) == GOLDEN


def test_json_of_all_there_is() -> None:
    data = json.loads(as_json(FULL))
    assert (data["format"], data["version"]) == ("runnel", 1)
    assert data["conversation"] == {
        "id": "chat1",
        "title": "A title",
        "named": False,
        "created": "2026-07-02T13:46:40.000Z",
        "updated": "2026-07-02T13:46:40.000Z",
        "origin": {"id": "chat0", "title": "The first", "run": "run0"},
        "branches": [{"id": "chat2", "title": "Another way", "run": "run9"}],
    }
    question, answer, *others = data["messages"]
    assert question == {
        "id": "q-run1",
        "parent": None,
        "role": "user",
        "at": "2026-07-02T13:46:40.000Z",
        "parts": [{"type": "text", "text": "What is 12*7?\nExactly."}],
        "continues": False,
    }
    assert answer == {
        "id": "run1",
        "parent": "q-run1",
        "role": "assistant",
        "at": "2026-07-02T13:46:40.000Z",
        "model": "demo:tour",
        "settings": {"temperature": 0.5, "system": "Be kind."},
        "parts": [
            {"type": "thinking", "text": "Multiply.", "began": 0.5, "ended": 1.0},
            {
                "type": "tool_call",
                "id": "c1",
                "name": "calculate",
                "where": "here",
                "arguments": {"expression": "12*7"},
                "result": 84,
                "error": None,
                "seconds": 0.004,
            },
            {"type": "text", "text": "It is **84**.\n"},
        ],
        "sources": [{"title": "Arithmetic", "url": "https://example.org/a b"}],
        "notices": [{"code": "left_out", "text": "temperature is not accepted"}],
        "state": "complete",
        "stop": "end",
        "failure": None,
        "usage": {"input": 1200, "output": 34, "cached": None, "thinking": None, "cost": None},
        "seconds": 4.5,
        "first_text": 3.0,
        "thumb": 1,
        "versions": ["run1"],
    }
    assert [each["parent"] for each in others] == ["run1", "q-run2", "run2", "q-run3"]
    assert others[1]["failure"]["kind"] == "cut_off"
    assert others[2]["continues"] is True


@pytest.mark.parametrize("write", [markdown, as_json])
def test_nothing_that_gives_power_is_in_it(write: Any) -> None:
    text = write(FULL)
    assert "owner-token" not in text
    assert "sending-key" not in text


def test_an_empty_chat() -> None:
    assert markdown(chat(title="")) == "# Chat\n\n*0 answers*\n"
    assert json.loads(as_json(chat(title="")))["messages"] == []


def test_an_answer_that_is_still_being_written() -> None:
    running = chat(exchange("Go on", ThinkingDelta("Well"), TextDelta("So far")))
    assert "So far" in markdown(running)
    assert markdown(running).rstrip().endswith("· running*")
    assert json.loads(as_json(running))["messages"][1]["state"] == "running"


def test_one_that_never_began_tells_what_was_chosen() -> None:
    waiting = Exchange(
        "Go on", "run1", Transcript(), at=AT, options=Options(model="demo:tour", temperature=0.0)
    )
    assert "*demo:tour · temperature: 0.0 · 2026-07-02 13:46 UTC · running*" in markdown(chat(waiting))
    answer = json.loads(as_json(chat(waiting)))["messages"][1]
    assert (answer["model"], answer["settings"]) == ("demo:tour", {"temperature": 0.0})


# -- text that would break out ---------------------------------------------------------------------


def outside(text: str) -> str:
    """What stands in no fence, as a reader of Markdown sees it."""
    kept, fence = [], ""
    for line in text.splitlines():
        mark = re.match(r" {0,3}(`{3,}|~{3,})(.*)", line)
        if not fence:
            if mark:
                fence = mark[1]
            else:
                kept.append(line)
        elif mark and mark[1][0] == fence[0] and len(mark[1]) >= len(fence) and not mark[2].strip():
            fence = ""
    assert not fence, "a fence is open at the end"
    return "\n".join(kept)


BREAKING = "```\n````\n~~~\n</details>\n# heading\n<script>alert(1)</script>\n`````"


@pytest.mark.parametrize(
    "events",
    [
        [ThinkingDelta(BREAKING)],
        calculation(json.dumps({"expression": BREAKING})),
        calculation(result=BREAKING),
        calculation(result={"deep": [BREAKING]}),
        calculation(error=BREAKING),
    ],
)
def test_what_a_model_or_a_tool_said_stays_in_its_fence(events: list[Event]) -> None:
    text = markdown(chat(exchange("go", *events, TextDelta("after"), TurnFinished("end"))))
    plain = outside(text)
    assert "<script>" not in plain
    assert plain.count("</details>") == 1
    assert "\nafter\n" in plain


@pytest.mark.parametrize(
    "code", ["```python\nprint(1)", "~~~\nx\n```", "````md\n```\nx\n```", "text\n\n   ```\nx", "```\n``` x"]
)
def test_a_fence_that_an_answer_leaves_open_is_closed_below_it(code: str) -> None:
    text = markdown(
        chat(exchange("go", TextDelta(code), TurnFinished("length")), exchange("next", run="run2"))
    )
    assert code in text
    assert "> next" in outside(text)


@pytest.mark.parametrize(
    "code", ["```\nx\n```", "``` not `a fence", "    ```\nindented", "a ``` b", "~~~\n```\n~~~"]
)
def test_an_answer_that_leaves_none_open_stands_as_it_is(code: str) -> None:
    text = markdown(chat(exchange("go", TextDelta(code), TurnFinished("end"))))
    assert f"> go\n\n{code}\n\n*demo:tour" in text


def test_a_question_ends_where_it_ends() -> None:
    text = markdown(chat(exchange("```\n# big\n\n<!-- \n", TextDelta("after"), TurnFinished("end"))))
    assert "\n> ```\n> # big\n>\n> &lt;!--\n\nafter\n" in text


@pytest.mark.parametrize(
    "html", ["<!--", "<details>", "</details>", "<?x", "<![CDATA[", "a\n<pre x=1>", "<B"]
)
@pytest.mark.parametrize(
    "where", ["{}", "one `\n\n{} `\n", "- a\n  {}", "\\\\{}", "```\n{}\n```\n{}", "> {}"]
)
def test_no_html_of_an_answer_takes_what_follows(html: str, where: str) -> None:
    said = where.replace("{}", html)
    text = markdown(chat(exchange("go", TextDelta(said), TurnFinished("end"))))
    assert html not in outside(text)
    assert html.replace("<", "&lt;") in outside(text)
    assert (said.count(html) == 2) == (f"```\n{html}\n```\n" in text)


@pytest.mark.parametrize(
    "said",
    [
        "a < b, 1 <2, a<- b",
        "Write `<!--` or ``<a`b>``",
        "a<br>b, x<sup>2</sup>, press <kbd>Esc</kbd>",
        "See <https://example.org/a?b=c>, <mailto:a@example.org>",
        r"\<details> is text already",
        "1. Code:\n\n   ```html\n   <div>\n   ```\n\n2. End",
        "- ~~~\n  <!--\n  ~~~",
        "> ```\n> <div>\n> ```",
    ],
)
def test_what_is_no_html_or_is_code_stands_as_it_is(said: str) -> None:
    text = markdown(chat(exchange("go", TextDelta(said), TurnFinished("end"))))
    assert f"> go\n\n{said}\n\n*demo:tour" in text


HOSTILE = "# <b>T</b> `x` [a](javascript:1) \n *b* $x$ & co"


def test_titles_names_and_sentences_are_text() -> None:
    text = markdown(
        chat(
            exchange(
                "go",
                ToolCallStarted("c", "<img src=x>"),
                Citation(HOSTILE, "javascript:alert(1)"),
                Citation("x", "https://example.org/>\n(a)"),
                Notice("n", HOSTILE),
                TurnFailed(Failure("server", HOSTILE)),
            ),
            title=HOSTILE,
            origin=Link("c0", HOSTILE, "r"),
        )
    )
    plain = re.sub(r"\\.", "", text)  # what a backslash takes the meaning of
    assert "<b>" not in plain
    assert "<img" not in plain
    assert "](javascript" not in plain
    assert "`" not in plain.replace("```", "")
    assert "(<https://example.org/%3E%20(a)>)" in text
    assert text.splitlines()[0].startswith("# \\# \\<b\\>T")


def test_halves_of_surrogates_and_endless_numbers_can_be_written() -> None:
    odd = chat(
        exchange(
            "a\ud800b",
            TextDelta("c\udc00d"),
            *calculation(result={"n": float("nan"), "s": "\ud83d"}),
            TurnFinished("end"),
        ),
        title="\udfff",
    )
    for write in (markdown, as_json):
        assert "\ufffd" in write(odd).encode().decode()
    result = json.loads(as_json(odd), parse_constant=pytest.fail)["messages"][1]["parts"][1]["result"]
    assert result == {"n": "NaN", "s": "\ufffd"}


def _deep() -> Any:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize("make", [_deep, lambda: 10**5000], ids=["deep", "long"])
def test_what_json_cannot_say(make: Any) -> None:
    odd = chat(exchange("go", *calculation(result=make()), TurnFinished("end")))
    assert "nested too deeply" in markdown(odd)
    assert "nested too deeply" in as_json(odd)


def test_arguments_that_are_no_json_are_kept_as_they_came() -> None:
    broken = chat(
        exchange("go", ToolCallStarted("c", "calculate"), ToolCallDelta("c", '{"a": '), TurnFinished("end"))
    )
    assert json.loads(as_json(broken))["messages"][1]["parts"][0]["arguments"] == '{"a": '
    assert '{"a":' in markdown(broken)
    assert "Not finished." in markdown(broken)


# -- the name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Plans for the week", "Plans for the week.md"),
        ("", "chat.md"),
        (" . ", "chat.md"),
        ("../../etc/passwd", "etc passwd.md"),
        ("..\\..\\boot.ini", "boot.ini.md"),
        ("a\"b'c`d;e%f", "a b c d e f.md"),
        ("a\r\nSet-Cookie: x=1\x00\x1b", "a Set-Cookie x=1.md"),
        ("\u202egnp.exe\u2066", "gnp.exe.md"),
        ("日本語 🙂", "日本語 🙂.md"),
        ("שלום", "שלום.md"),
        ("CON", "chat.md"),
        ("nul.txt", "chat.md"),
        ("console", "console.md"),
        ("a\ud800", "a.md"),
        (".hidden", "hidden.md"),
        ("<>|*?:", "chat.md"),
    ],
)
def test_a_title_as_a_name(title: str, name: str) -> None:
    assert filename(title, "md") == name


def test_a_name_has_room_in_any_file_system() -> None:
    assert len(filename("🙂" * 500, "json").encode()) <= 4 * LONGEST_NAME + 5
    assert filename("x" * 500, "md") == "x" * LONGEST_NAME + ".md"
