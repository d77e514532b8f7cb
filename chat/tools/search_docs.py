"""The tool `search_docs`: full-text search over a folder of Markdown and text files.

The folder of `CHAT_DOCS`, else this repository's README and docs. Files are split at their
headings into sections and indexed in memory by SQLite's FTS5, ranked by BM25. The index is built
at the first search and again when a file has changed. Only regular files of UTF-8 text inside the
folder are read: no links that lead out of it, nothing hidden, binary or huge.
"""

import functools
import logging
import os
import re
import sqlite3
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field

from chat.tools import Context, ToolError, tool

log = logging.getLogger(__name__)

SUFFIXES = (".md", ".markdown", ".txt")
FILES = 5_000
"""So many files are indexed: some seconds of work for the first search."""
BYTES = 1_000_000
"""Longer files are left out: generated lists and logs rather than documents."""
RESULTS = 5
WHOLE = 1_200
"""Characters up to which a section is given whole; of a longer one the model reads a snippet."""

_REPOSITORY = Path(__file__).resolve().parents[2]


@tool
def search_docs(
    query: Annotated[str, Field(description="Words that the passage should contain.", max_length=1000)],
    context: Context,
) -> dict[str, Any]:
    """Search the documentation. Gives the best passages with their source, for answers that cite it."""
    folder = context.settings.docs
    if folder is not None and not folder.is_dir():
        log.warning("CHAT_DOCS: there is no folder %s", folder)
        raise ToolError("The folder of documents is not there. Whoever runs Runnel can put it right.")
    found = _index(folder).search(query)
    for hit in found:
        context.cite(hit["title"], hit["source"])
    return {"results": found} if found else {"results": [], "note": "Nothing was found. Try other words."}


@functools.cache
def _index(folder: Path | None) -> "Index":
    return Index(folder, ("",)) if folder else Index(_REPOSITORY, ("README.md", "docs"))


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    """The headings that lead to it, “Guide › Install”."""
    source: str
    """The file's path in the folder with the heading's anchor, as an address."""
    body: str


class Index:
    """The searchable sections of `parts` (files or folders, relative) of `folder`. Any thread may search."""

    def __init__(self, folder: Path, parts: tuple[str, ...]) -> None:
        self._folder = folder.resolve()
        self._parts = parts
        self._lock = threading.Lock()
        self._seen: list[tuple[str, int, int]] | None = None
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(
            "CREATE VIRTUAL TABLE section USING fts5"
            "(title, body, source UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2')"
        )

    def search(self, query: str) -> list[dict[str, str]]:
        """At most `RESULTS` sections, best first: title, source, text. Raises `ToolError` without a word."""
        # Each word is quoted, so that nothing in a query is FTS5's own syntax; and any may match,
        # since BM25 puts the sections that have more and rarer ones first.
        words = dict.fromkeys(re.findall(r"\w+", query)[:30])
        if not words:
            raise ToolError("The query holds no word to search for.")
        match = " OR ".join(f'"{word}"' if word.isascii() else f'"{word}"*' for word in words)
        with self._lock:
            self._refresh()
            rows = self._database.execute(
                "SELECT title, source, CASE WHEN length(body) <= ? THEN body"
                " ELSE snippet(section, 1, '', '', '…', 64) END"
                " FROM section WHERE section MATCH ? ORDER BY bm25(section, 4.0, 1.0) LIMIT ?",
                (WHOLE, match, RESULTS),
            ).fetchall()
        return [{"title": title, "source": source, "text": text} for title, source, text in rows]

    def _refresh(self) -> None:
        files = sorted(self._files())[:FILES]
        if files == self._seen:
            return
        with self._database:
            self._database.execute("DELETE FROM section")
            for path, _, _ in files:
                if (text := _text(self._folder / path)) is not None:
                    self._database.executemany(
                        "INSERT INTO section (title, source, body) VALUES (?, ?, ?)",
                        ((each.title, each.source, each.body) for each in sections(path, text)),
                    )
        self._seen = files

    def _files(self) -> Iterator[tuple[str, int, int]]:
        """Path, time of change and size of each file to read."""
        for part in self._parts:
            root = self._folder / part
            walk = os.walk(root) if root.is_dir() else [(str(root.parent), [], [root.name])]
            for folder, folders, names in walk:  # does not follow links to folders
                folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
                for name in names:
                    path = Path(folder, name)
                    if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                        continue
                    try:
                        state = path.stat()
                        inside = path.resolve().is_relative_to(self._folder)
                    except OSError:  # gone meanwhile, or a link in a circle
                        continue
                    if inside and stat.S_ISREG(state.st_mode) and state.st_size <= BYTES:
                        yield path.relative_to(self._folder).as_posix(), state.st_mtime_ns, state.st_size


def _text(path: Path) -> str | None:
    """The file's text, or None for one that is not UTF-8 text."""
    try:
        text = path.read_bytes()[:BYTES].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    return None if "\0" in text else text


def sections(path: str, text: str) -> Iterator[Section]:
    """The sections of a file: one a heading in Markdown, one in all for plain text."""
    address = quote(os.fsencode(path))
    name = os.fsencode(Path(path).stem).decode(errors="replace")  # a name need not be UTF-8
    if not path.lower().endswith((".md", ".markdown")):
        yield Section(name, address, text.strip())
        return
    text = re.sub(r"\A---\n.*?\n---\n", "", text, count=1, flags=re.DOTALL)  # front matter
    trail: list[tuple[int, str]] = []
    anchors: dict[str, int] = {}
    fence, anchor, body = "", "", list[str]()

    def section() -> Iterator[Section]:
        if written := "\n".join(body).strip():
            title = " › ".join(heading for _, heading in trail) or name
            yield Section(title, f"{address}#{anchor}" if anchor else address, written)

    for line in text.splitlines():
        if mark := re.match(r" {0,3}(`{3,}|~{3,})", line):
            if not fence:
                fence = mark[1]
            elif line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        heading = None if fence else re.match(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*$", line)
        if heading is None:
            body.append(line)
            continue
        yield from section()
        body = []
        level = len(heading[1])
        trail = [*((depth, above) for depth, above in trail if depth < level), (level, heading[2])]
        anchor = _anchor(heading[2], anchors)
    yield from section()


def _anchor(heading: str, used: dict[str, int]) -> str:
    """GitHub's anchor of a heading: lower case, no punctuation, hyphens, a number when used before."""
    slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    times = used[slug] = used.get(slug, -1) + 1
    return quote(f"{slug}-{times}" if times else slug)
