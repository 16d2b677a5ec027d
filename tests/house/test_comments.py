"""Comments and docstrings follow the rules for English of CONTRIBUTING.md."""

from pathlib import Path

import pytest

from tests.house.sources import SCRIPT_SUFFIXES, paragraphs
from tests.support.tree import ROOT, tracked
from tests.support.wording import violations


def test_no_words_of_a_story_in_sources() -> None:
    """No comment or docstring uses a word that hides the condition or the event, or a clause as a subject."""
    found = [
        f"{name}: {match}"
        for name in tracked()
        if name.endswith((".py", ".lua", *SCRIPT_SUFFIXES))
        for paragraph in paragraphs(ROOT / name)
        for match in violations(paragraph)
    ]
    assert found == []


PYTHON = '''"""What has ended is gone."""

STEP = 1
"""The step. It begins `anew`."""


def go() -> None:
    """Go on.

    Steps that are
    told to stop.
    """
    # The next step
    # comes by itself.
    return  # nobody waits
'''
LUA = """--[[ Who asked
first. ]]
local a = 1 -- mended
-- made
-- anew
"""
SCRIPT = """/** What has ended
 * is gone. */
const address = 'https://example.org/anew' // mended
const files = "docs/*" + "*/ anew"
  // made
  // anew
"""


@pytest.mark.parametrize(
    ("suffix", "text", "expected"),
    [
        (".py", PYTHON, ["What has ended is gone.", "are told", "by itself", "nobody"]),
        (".lua", LUA, ["Who asked first.", "mended", "anew"]),
        (".ts", SCRIPT, ["What has ended is gone.", "mended", "anew"]),
    ],
    ids=["python", "lua", "typescript"],
)
def test_every_kind_of_comment_is_checked(
    suffix: str, text: str, expected: list[str], tmp_path: Path
) -> None:
    """The rules see each comment of Python, Lua and TypeScript, across lines, but no code in backticks."""
    source = tmp_path / f"source{suffix}"
    source.write_text(text)
    assert [match for paragraph in paragraphs(source) for match in violations(paragraph)] == expected
