"""The documents hold: their examples run, the files and names they mention exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chat.catalogue import Catalogue
from chat.engine import Engine
from chat.events import ReplyFinished, RequestSent, TextDelta, TurnFinished
from chat.messages import Options, Turn
from chat.providers.vendors import VENDORS, Vendor
from chat.settings import Settings
from chat.tools import Tools, load

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))


def example(heading: str) -> str:
    """The first Python block below `## heading` of docs/extending.md."""
    text = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


def defined(heading: str, **given: Any) -> dict[str, Any]:
    """The names that the example defines."""
    names: dict[str, Any] = {"__name__": "example", **given}
    exec(compile(example(heading), "docs/extending.md", "exec"), names)
    return names


def test_add_a_vendor():
    vendor = eval(example("Add a vendor"), {"Vendor": Vendor})
    assert vendor.name not in {each.name for each in VENDORS}
    assert vendor.protocols[0] in {each.protocols[0] for each in VENDORS}


async def test_add_a_protocol():
    parrot = defined("Add a protocol")["Parrot"](Vendor("parrot", "Parrot", (), "parrot://here"))
    settings = Settings()
    engine = Engine(settings, Catalogue(settings, {"parrot": parrot}), load(settings))
    turn = Turn("Pieces of eight", Options(model="parrot:grey"))
    events = [event async for event in engine.answer(turn)]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Pieces of eight "
    assert RequestSent("parrot://here", {"model": "grey", "text": "Pieces of eight"}) in events
    assert events[-1] == TurnFinished("end")
    assert not any(isinstance(event, ReplyFinished) for event in events)
    assert [model.name for model in await parrot.models()] == ["parrot:grey"]


async def test_add_a_tool():
    tools = Tools(Settings(), [defined("Add a tool")["roll_dice"]])
    [spec] = tools.specs(["roll_dice"])
    assert spec.description == "Roll some dice and add them up."
    assert spec.parameters["required"] == ["count"]
    heard: list[str] = []
    outcome = await tools.run("roll_dice", '{"count": 3}', heard.append)
    assert outcome.error is None
    assert outcome.result["sum"] == sum(outcome.result["rolled"])
    assert json.loads(outcome.text) == outcome.result
    assert heard == ["Rolling 3 dice"]
    assert (await tools.run("roll_dice", '{"count": 3, "sides": 1}')).error == "A die has at least 2 sides."
    assert "less than or equal to 100" in (await tools.run("roll_dice", '{"count": 1000}')).text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_files_that_a_document_mentions_exist(path: Path):
    planned = {"chat/tools/roll_dice.py"}
    assert {name for name in mentioned(path) - planned if not (ROOT / name).exists()} == set()


def mentioned(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r"(?<![\w/])(?:chat|tests|docs|deploy)/[\w/.]*\w/?", text))


def test_files_are_found_where_a_document_mentions_them():
    """Else the test above would hold for whatever stands there."""
    assert len(mentioned(ROOT / "docs/architecture.md")) > 10
