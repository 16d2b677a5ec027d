"""The Lua scripts: includes are resolved, and each script gets only the functions that it calls."""

import re
from pathlib import Path

import pytest

from tests.support.tree import ROOT
from tidings_workers.store.lua import SCRIPTS, IncludeError, load

FOLDER = ROOT / "workers" / "tidings_workers" / "store" / "scripts"

NAME = re.compile(r"^local (?:function )?(\w+)", re.MULTILINE)
WORD = re.compile(r"(?<![\w.:/'])[A-Za-z_]\w*")


def write(folder: Path, texts: dict[str, str]) -> Path:
    (folder / "includes").mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def code(text: str) -> str:
    """The code of a script without comments and strings."""
    text = re.sub(r"--\[\[.*?\]\]|--[^\n]*", "", text, flags=re.DOTALL)
    return re.sub(r"'[^'\n]*'", "''", text)


def parts(name: str) -> dict[str, str]:
    """The code of each included function and constant by its name, and the own code of the script as ''."""
    own = code((FOLDER / f"{name}.lua").read_text())
    blocks = re.split(r"^(?=local )", code(SCRIPTS[name]), flags=re.MULTILINE)
    defined = {
        match[1]: block for block in blocks if (match := NAME.match(block)) and block.strip() not in own
    }
    return {"": own, **defined}


def test_an_include_is_pasted_once_after_its_own(tmp_path: Path) -> None:
    """An include is pasted at the first line that names it, after its own includes, and never again."""
    folder = write(
        tmp_path,
        {
            "first.lua": '-- first\n\n--- @include "b"\n--- @include "a"\nreturn b()\n',
            "second.lua": "return 1\n",
            "includes/a.lua": "local a = 1\n",
            "includes/b.lua": '--- @include "c"\n--- @include "a"\nlocal b = a\n',
            "includes/c.lua": '--- @include "a"\nlocal c = a\n',
            "includes/unused.lua": "local unused = 1\n",
        },
    )
    assert load(folder) == {
        "first": "-- first\n\nlocal a = 1\nlocal c = a\nlocal b = a\nreturn b()\n",
        "second": "return 1\n",
    }


def test_a_circular_include_names_the_cycle(tmp_path: Path) -> None:
    """An include that includes itself through others is an error that names all of them in order."""
    folder = write(
        tmp_path,
        {
            "script.lua": '--- @include "a"\n',
            "includes/a.lua": '--- @include "b"\n',
            "includes/b.lua": '--- @include "c"\n',
            "includes/c.lua": '--- @include "b"\n',
        },
    )
    with pytest.raises(IncludeError, match=re.escape("b -> c -> b")):
        load(folder)


@pytest.mark.parametrize("includer", ["script.lua", "a.lua"])
def test_a_missing_include_names_the_file_that_includes_it(tmp_path: Path, includer: str) -> None:
    """An include that does not exist is an error that names it and the file with the line."""
    missing = '--- @include "missing"\n'
    folder = write(
        tmp_path,
        {
            "script.lua": missing if includer == "script.lua" else '--- @include "a"\n',
            "includes/a.lua": missing,
        },
    )
    with pytest.raises(IncludeError, match=re.escape(f'{includer} includes "missing"')):
        load(folder)


def test_each_script_of_the_folder_is_loaded() -> None:
    """Each file of the folder is a script, and no line of an include remains in it."""
    assert sorted(SCRIPTS) == sorted(file.stem for file in FOLDER.glob("*.lua"))
    assert [name for name, text in SCRIPTS.items() if "@include" in text] == []


def test_each_include_is_used() -> None:
    """Every include is named by a script or by another include."""
    named = {
        name for file in FOLDER.rglob("*.lua") for name in re.findall('@include "(.*)"', file.read_text())
    }
    assert {file.stem for file in FOLDER.glob("includes/*.lua")} == named


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_gets_only_functions_that_it_calls(name: str) -> None:
    """The script, or a function that it uses, uses each included function and constant."""
    defined = parts(name)
    used, reached = set(), {""}
    while reached:
        part = reached.pop()
        used.add(part)
        reached |= set(WORD.findall(defined[part].removeprefix(f"local {part}"))) & set(defined) - used
    assert set(defined) - used == set()


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_includes_each_function_that_it_calls(name: str) -> None:
    """Each call follows its function; otherwise Lua would look for a global one."""
    text = code(SCRIPTS[name])
    functions = {
        match
        for file in FOLDER.rglob("*.lua")
        for match in re.findall(r"^local function (\w+)", file.read_text(), re.MULTILINE)
    }
    called = {match[1]: match.start() for match in reversed([*re.finditer(r"(?<![\w.])(\w+)\(", text)])}
    first = {
        match[1]: match.start() for match in reversed([*re.finditer(r"\blocal (?:function )?(\w+)", text)])
    }
    assert [word for word, at in called.items() if word in functions and first.get(word, at + 1) > at] == []
