"""Comments and docstrings of Python, Lua, TypeScript and JavaScript, one paragraph at a time."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

# Code in backticks, and the marks that begin the lines of a comment.
_CODE = re.compile(r"``.+?``|`[^`]*`")
_MARKS = re.compile(r"^[ \t]*(?:#:?|-{2,3}|//|\*)[ \t]?", re.MULTILINE)
_BLANK = re.compile(r"\n[ \t]*\n")

_LUA_BLOCK = re.compile(r"--\[\[(.*?)\]\]", re.DOTALL)
_LUA_LINES = re.compile(r"--(?!\[\[)[^\n]*(?:\n[ \t]*--(?!\[\[)[^\n]*)*")

SCRIPT_SUFFIXES = (".ts", ".tsx", ".js", ".mjs")
_STRING = r"""'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*\""""
_SCRIPT = re.compile(
    rf"{_STRING}|/\*(?P<block>.*?)\*/|(?P<lines>(?<!:)//[^\n]*(?:\n[ \t]*//[^\n]*)*)", re.DOTALL
)


def paragraphs(path: Path) -> Iterator[str]:
    """The paragraphs of all comments and docstrings of a file, each on one line and without its code."""
    text = path.read_text()
    if path.suffix in SCRIPT_SUFFIXES:
        blocks = _script(text)
    else:
        blocks = _lua(text) if path.suffix == ".lua" else _python(text)
    for block in blocks:
        for paragraph in _BLANK.split(block):
            yield " ".join(_CODE.sub("`code`", paragraph).split())


def _python(text: str) -> Iterator[str]:
    """Strings that are statements (docstrings of modules, classes, functions, attributes), and comments."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            value = node.value.value
            if isinstance(value, str):
                yield value
    comments = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    # Comments on adjacent lines in the same column are one text.
    for _, lines in groupby(enumerate(comments), lambda pair: (pair[1].start[0] - pair[0], pair[1].start[1])):
        yield _MARKS.sub("", "\n".join(token.string for _, token in lines))


def _lua(text: str) -> Iterator[str]:
    yield from _LUA_BLOCK.findall(text)
    yield from (_MARKS.sub("", lines) for lines in _LUA_LINES.findall(text))


def _script(text: str) -> Iterator[str]:
    for found in _SCRIPT.finditer(text):
        yield _MARKS.sub("", found["block"] or found["lines"] or "")
