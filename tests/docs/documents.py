"""Markdown documents as data: the examples to run, the links, and the lists."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

_parse = MarkdownIt("commonmark").enable("table").parse
_NOT_RUN = re.compile(r"<!-- not run: (\S.*) -->")


# The languages of blocks that are run.
LANGUAGES = {"sh", "python", "js"}


class Example(NamedTuple):
    """A block of code that readers may paste, and the block after it: what it prints.

    `language` is one of LANGUAGES; `answer` is (language, text), None where none is shown.
    """

    line: int
    language: str
    code: str
    answer: tuple[str, str] | None


class Table(NamedTuple):
    """A table's head and rows, as the Markdown of their cells."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def examples(document: Path) -> list[Example]:
    """All blocks of LANGUAGES in order, without those below a comment ``<!-- not run: why -->``."""
    tokens = [token for token in _tokens(document) if token.level == 0]
    found = []
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        if token.type != "fence" or token.info not in LANGUAGES:
            continue
        if before is not None and before.type == "html_block" and _NOT_RUN.match(before.content):
            continue
        answers = after is not None and after.type == "fence" and after.info in {"text", "json", "http"}
        answer = (after.info, after.content) if after is not None and answers else None
        found.append(Example((token.map or [0])[0] + 1, token.info, token.content, answer))
    return found


def elsewhere(document: Path, place: str) -> list[str]:
    """The code of the blocks below a comment ``<!-- not run: why -->`` that names `place`, in order."""
    tokens = [token for token in _tokens(document) if token.level == 0]
    found = []
    for comment, block in pairwise(tokens):
        why = _NOT_RUN.match(comment.content) if comment.type == "html_block" else None
        if why is not None and place in why[1] and block.type == "fence":
            found.append(block.content)
    return found


def links(document: Path) -> Iterator[str]:
    """The targets of its links and pictures."""
    for token in _tokens(document):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield str(target)


def prose(document: Path) -> Iterator[str]:
    """Its sentences: the text of paragraphs, list items and cells, without headings and without code."""
    for before, token in pairwise(_tokens(document)):
        if token.type == "inline" and before.type != "heading_open":
            parts = (child for child in token.children or () if child.type in {"text", "softbreak"})
            yield "".join(part.content or " " for part in parts)


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as GitHub writes them."""
    tokens = _tokens(document)
    titles = [inline.content for head, inline in pairwise(tokens) if head.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def tables(document: Path) -> list[Table]:
    """All its tables in order."""
    found: list[list[tuple[str, ...]]] = []
    cells: list[str] = []
    inside = False
    for token in _tokens(document):
        match token.type:
            case "table_open":
                found.append([])
            case "tr_open":
                cells = []
            case "th_open" | "td_open":
                inside = True
            case "inline" if inside:
                cells.append(token.content)
                inside = False
            case "tr_close":
                found[-1].append(tuple(cells))
            case _:
                pass
    return [Table(rows[0], rows[1:]) for rows in found]


def rows(documents: Sequence[Path], *head: str) -> list[tuple[str, ...]]:
    """The rows of all tables with this head."""
    return [
        row
        for document in documents
        for table in tables(document)
        if table.head == head
        for row in table.rows
    ]


def _tokens(document: Path) -> list[Token]:
    return _parse(document.read_text())
