"""The glossary names places in the code that exist."""

import re
from importlib import import_module
from importlib.util import find_spec

import pytest

from tests.docs.documents import rows
from tests.support.tree import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
STORE = ROOT / "workers" / "tidings_workers" / "store"


def entries() -> list[tuple[str, str]]:
    """Each word of the glossary with the name in code of its row."""
    return [(word, name.strip("`")) for word, _, name in rows([GLOSSARY], "word", "meaning", "in code")]


def exists(name: str) -> bool:
    """Whether a script, a part of a Redis key, or a module, class or attribute has this name."""
    if name.endswith(".lua"):
        return any(STORE.glob(f"scripts/**/{name}"))
    if name.startswith("/"):
        sources = [*STORE.glob("*.py"), *STORE.glob("scripts/**/*.lua")]
        return any(re.search(rf"[/'\"]{name[1:]}\b", source.read_text()) for source in sources)
    return _is_python("tidings" if name.startswith("protocol.") else "tidings_workers", name.split("."))


def _is_python(package: str, parts: list[str]) -> bool:
    module = package
    while parts and find_spec(f"{module}.{parts[0]}") is not None:
        module, parts = f"{module}.{parts[0]}", parts[1:]
        if find_spec(module).submodule_search_locations is None:  # type: ignore[union-attr]
            break
    found = import_module(module)
    for part in parts:
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize(("word", "name"), entries())
def test_each_name_in_code_exists(word: str, name: str) -> None:
    """The name in code that the glossary gives for a word exists."""
    assert exists(name), f"the glossary says that {word!r} is {name!r} in code"


def test_a_word_has_one_entry() -> None:
    """No word is defined twice, and the check detects a name that does not exist."""
    words = [word for word, _ in entries()]
    assert sorted(words) == sorted(set(words))
    missing = ("store.keys.Lag", "store.lags.Log", "append.luna", "/hollows", "protocol.frames.Mark.stat")
    assert not any(map(exists, missing))
