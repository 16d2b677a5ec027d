"""The documents follow the rules for English of CONTRIBUTING.md."""

import pytest

from tests.docs.documents import prose
from tests.support.tree import ROOT, tracked
from tests.support.wording import violations

# CONTRIBUTING.md and the glossary quote the words that they forbid; the results in bench/ are records.
_EXEMPT = {"CONTRIBUTING.md", "docs/glossary.md"}
DOCUMENTS = [
    name
    for name in tracked()
    if name.endswith(".md") and name not in _EXEMPT and not name.startswith("bench/")
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_words_of_a_story(name: str) -> None:
    """No document uses a word that hides the condition or the event, or a clause as a subject."""
    assert [found for text in prose(ROOT / name) for found in violations(text)] == []
