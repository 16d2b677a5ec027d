"""The files and names of the code in the documents for contributors exist."""

import re
from pathlib import Path

import pytest

from tests.support.tree import ROOT, tracked

_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_NAME = re.compile(r"[A-Za-z_]\w*")
_CODE = (".py", ".lua", ".ts", ".tsx", ".toml", ".mjs")
DOCUMENTS = [
    *(ROOT / name for name in ("CONTRIBUTING.md", "docs/glossary.md", "docs/redis.md")),
    *sorted(ROOT.glob("docs/adr/*.md")),
]


def paths(text: str) -> set[str]:
    """The paths that a document names: code spans with a slash or the suffix of a file of ours."""
    spans = set(_SPAN.findall(text))
    return {
        span
        for span in spans
        if _PATH.fullmatch(span) and ("/" in span or span.endswith((".py", ".md", ".toml")))
    }


def names(text: str) -> set[str]:
    """The words of all code spans of a document but commands of git."""
    spans = [span for span in _SPAN.findall(text) if not span.startswith("git ")]
    return {name for span in spans for name in _NAME.findall(span)}


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The words of the code, of the Makefile and of the names of all files."""
    files = tracked()
    texts = [(ROOT / file).read_text() for file in files if file.endswith(_CODE) or file == "Makefile"]
    return {word for text in [*files, *texts] for word in _NAME.findall(text)}


def test_each_path_of_the_map_exists() -> None:
    """CONTRIBUTING.md names only files and directories that a clone has."""
    files = tracked()
    found = paths((ROOT / "CONTRIBUTING.md").read_text())
    assert len(found) > 40
    missing = [
        path
        for path in sorted(found)
        if not any(f"{name}/".startswith(f"{path.rstrip('/')}/") for name in files)
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_names_of_the_code_exist(document: Path, known: set[str]) -> None:
    """CONTRIBUTING.md, the glossary, the list of keys and the decisions name only what the code has."""
    assert names(document.read_text()) - known == set()
