"""The documents follow the rules for English of CONTRIBUTING.md, as far as a program can check them."""

import re

import pytest

from tests.docs.documents import prose
from tests.support.tree import ROOT, tracked

# CONTRIBUTING.md and the glossary quote the words that they forbid; the changelog and results are records.
_EXEMPT = {"CONTRIBUTING.md", "CHANGELOG.md", "docs/glossary.md"}
DOCUMENTS = [
    name
    for name in tracked()
    if name.endswith(".md") and name not in _EXEMPT and not name.startswith("bench/")
]
_STORY = re.compile(
    r"\b(anew|meanwhile|mend(?:s|ed|ing)?|by (?:itself|themselves)|(?:is|are) told|whoever|nobody)\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"(?:^|[.:;] )(?:What|Who|Whoever|Nobody) [a-z][^?]*?(?:[.;]|$)")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_words_of_a_story(name: str) -> None:
    """No document uses a word that hides the condition or the event, or a clause as a subject."""
    found = [
        match[0]
        for text in prose(ROOT / name)
        for rule in (_STORY, _RELATIVE)
        for match in rule.finditer(text)
    ]
    assert found == []
