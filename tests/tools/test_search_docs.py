"""Search over folders made here: what is found, what is never read, and queries that mean harm."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.events import Citation
from chat.settings import Settings
from chat.tools import ToolError, load
from chat.tools.search_docs import BYTES, RESULTS, WHOLE, Index, sections


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide" / "brakes.md").write_text(
        "# Brakes\n\nStop the bicycle.\n\n## Bleeding\n\nHydraulic brakes need bleeding once a year.\n"
    )
    (tmp_path / "tyres.md").write_text("# Tyres\n\nPump them to four bar.\n")
    (tmp_path / "hours.txt").write_text("Open from nine. Ask for Zoë.", encoding="utf-8")
    return tmp_path


def titles(index: Index, query: str) -> list[str]:
    return [hit["title"] for hit in index.search(query)]


async def test_passages_come_with_their_source_as_citations(folder: Path):
    outcome = await load(Settings(docs=folder)).run("search_docs", '{"query": "bleeding hydraulic brakes"}')
    assert outcome.result["results"][0] == {
        "title": "Brakes › Bleeding",
        "source": "guide/brakes.md#bleeding",
        "text": "Hydraulic brakes need bleeding once a year.",
    }
    assert outcome.citations[0] == Citation("Brakes › Bleeding", "guide/brakes.md#bleeding")


async def test_nothing_found_is_said(folder: Path):
    outcome = await load(Settings(docs=folder)).run("search_docs", '{"query": "unicorn"}')
    assert outcome.result == {"results": [], "note": "Nothing was found. Try other words."}
    assert outcome.citations == ()


async def test_a_folder_that_is_not_there_is_named_by_its_variable(tmp_path: Path):
    outcome = await load(Settings(docs=tmp_path / "gone")).run("search_docs", '{"query": "brakes"}')
    assert outcome.error == "The folder of documents is not there. Whoever runs Runnel can put it right."


async def test_this_repositorys_own_documents_by_default():
    outcome = await load(Settings()).run("search_docs", '{"query": "add a tool"}')
    sources = [hit["source"] for hit in outcome.result["results"]]
    assert any(source.startswith(("README.md", "docs/")) for source in sources)
    assert not any(source.startswith(("chat/", "requirements")) for source in sources)


@pytest.mark.parametrize(
    ("query", "first"),
    [("tyre", "Tyres"), ("PUMPING", "Tyres"), ("zoe", "hours"), ("stopped bicycles", "Brakes")],
)
def test_endings_case_and_accents_do_not_matter(folder: Path, query: str, first: str):
    assert titles(Index(folder, ("",)), query)[0] == first


def test_a_heading_weighs_more_than_the_text(tmp_path: Path):
    (tmp_path / "a.md").write_text("# Other\n\nThe chain chain is mentioned here.\n")
    (tmp_path / "b.md").write_text("# Chain\n\nOil it.\n")
    assert titles(Index(tmp_path, ("",)), "chain") == ["Chain", "Other"]


def test_changes_are_seen_at_the_next_search(folder: Path):
    index = Index(folder, ("",))
    assert titles(index, "saddle") == []
    (folder / "saddle.md").write_text("# Saddle\n\nNot too high.\n")
    assert titles(index, "saddle") == ["Saddle"]
    (folder / "saddle.md").write_text("# Saddle and post\n\nNot too high.\n")
    assert titles(index, "saddle") == ["Saddle and post"]
    (folder / "saddle.md").unlink()
    assert titles(index, "saddle") == []


def test_a_long_section_gives_the_part_that_matches(tmp_path: Path):
    (tmp_path / "long.txt").write_text("filler " * WHOLE + "the needle is here " + "filler " * WHOLE)
    [hit] = Index(tmp_path, ("",)).search("needle")
    assert "the needle is here" in hit["text"]
    assert len(hit["text"]) < WHOLE


def test_no_more_than_a_handful_of_results(tmp_path: Path):
    (tmp_path / "many.md").write_text("".join(f"# Part {n}\n\nbell\n\n" for n in range(50)))
    assert len(Index(tmp_path, ("",)).search("bell")) == RESULTS


@pytest.mark.skipif(sys.platform == "win32", reason="has neither pipes in folders nor links for everybody")
def test_only_regular_text_inside_the_folder_is_read(tmp_path: Path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    for folder in (outside, inside, inside / ".git", inside / "node_modules"):
        folder.mkdir()
        (folder / "secret.md").write_text("password of a folder")
    (inside / "secret.md").unlink()
    (inside / "link.md").symlink_to(outside / "secret.md")
    (inside / "linked").symlink_to(outside, target_is_directory=True)
    (inside / "circle.md").symlink_to(inside / "circle.md")
    (inside / "dangling.md").symlink_to(inside / "nowhere.md")
    (inside / ".hidden.md").write_text("password")
    (inside / "program.py").write_text("password")
    (inside / "binary.md").write_bytes(b"password\0password")
    (inside / "latin.txt").write_bytes("password für alle".encode("latin-1"))
    (inside / "huge.txt").write_text("password " * (BYTES // 9 + 1))
    os.mkfifo(inside / "pipe.md")
    (inside / "good.md").write_text("the password is written here")
    (inside / "alias.md").symlink_to(inside / "good.md")
    assert {hit["source"] for hit in Index(inside, ("",)).search("password")} == {"good.md", "alias.md"}


def test_single_files_and_folders_that_are_not_there_are_fine(folder: Path):
    index = Index(folder, ("tyres.md", "guide", "gone", "gone.md"))
    assert set(titles(index, "brakes tyres nine")) == {"Brakes", "Brakes › Bleeding", "Tyres"}


@pytest.mark.parametrize("query", ['"*', "😀", "", "   ", "()", "--", "*", "\0", "\ud800"])
def test_a_query_without_a_word_is_answered(folder: Path, query: str):
    with pytest.raises(ToolError, match="no word"):
        Index(folder, ("",)).search(query)


@pytest.mark.parametrize(
    "query",
    [
        "' OR 1=1--",
        'brakes" OR title:*',
        "NEAR(brakes, 2)",
        "brakes AND NOT",
        "x'; DROP TABLE section; --",
        "a" * 10_000,
    ],
)
def test_a_querys_syntax_is_only_text(folder: Path, query: str):
    index = Index(folder, ("",))
    index.search(query)
    assert titles(index, "brakes")[0] == "Brakes"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40))
def test_no_query_breaks_the_search(folder: Path, query: str):
    try:
        found = Index(folder, ("",)).search(query)
    except ToolError:
        found = []
    assert len(found) <= RESULTS


def split(text: str, path: str = "a.md") -> list[tuple[str, str, str]]:
    return [(each.title, each.source, each.body) for each in sections(path, text)]


def test_sections_follow_the_headings():
    assert split("before\n# One\nfirst\n## Deep *er*\nsecond\n## Deep\nthird\n# Two ##\nfourth") == [
        ("a", "a.md", "before"),
        ("One", "a.md#one", "first"),
        ("One › Deep *er*", "a.md#deep-er", "second"),
        ("One › Deep", "a.md#deep", "third"),
        ("Two", "a.md#two", "fourth"),
    ]


def test_a_heading_without_text_is_only_part_of_the_trail():
    assert split("# One\n\n### Three\ntext") == [("One › Three", "a.md#three", "text")]


def test_anchors_are_githubs():
    assert [
        source
        for _, source, _ in split("# What's *new*?\nx\n# A & B\nx\n# Same\nx\n# Same\nx\n# snake_case\nx")
    ] == [
        "a.md#whats-new",
        "a.md#a--b",
        "a.md#same",
        "a.md#same-1",
        "a.md#snake_case",
    ]


def test_addresses_are_quoted():
    assert split("# Öl\nx", "my docs/a b.md") == [("Öl", "my%20docs/a%20b.md#%C3%B6l", "x")]


def test_what_looks_like_a_heading_inside_code_is_code():
    text = "# One\n```sh\n# not a heading\n~~~\n```\n~~~~\n# neither\n~~~\n~~~~\n## Two\nx"
    assert [title for title, _, _ in split(text)] == ["One", "One › Two"]


def test_front_matter_and_plain_text():
    assert split("---\ntitle: Space\n---\n# One\nx") == [("One", "a.md#one", "x")]
    assert split("# no heading in plain text", "notes.txt") == [
        ("notes", "notes.txt", "# no heading in plain text")
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes on Linux only")
@pytest.mark.parametrize("suffix", [b".txt", b".md"])
def test_a_name_that_is_not_utf8_is_found_like_any_other(folder: Path, suffix: bytes):
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9" + suffix)).write_text("Coffee and bar.")
    index = Index(folder, ("",))
    assert index.search("coffee") == [
        {"title": "caf\ufffd", "source": f"caf%E9{suffix.decode()}", "text": "Coffee and bar."}
    ]
    assert "Tyres" in titles(index, "bar")
