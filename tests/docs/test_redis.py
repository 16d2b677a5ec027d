"""docs/redis.md lists the keys that the code builds: all of them, and no others."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from tests.docs.documents import rows
from tests.support.tree import ROOT
from tidings_workers.store import key_parts, keys

DOCUMENT = ROOT / "docs" / "redis.md"
WORKERS, API = ROOT / "workers" / "tidings_workers", ROOT / "api" / "tidings_api"
STORE = WORKERS / "store"
SCRIPTS = STORE / "scripts"
HEAD = ("key", "meaning", "type", "members", "written by", "read by", "lifetime")

# The beginnings of keys in the document, and the parts that key_parts.py allows there.
PARTS = {
    "{p<k>}": get_args(key_parts.PartitionPart),
    "<record>": get_args(key_parts.RecordPart),
    "{p<k>}/sent/<tenant>": get_args(key_parts.SentPart),
    "{p<k>}/event-log/<tenant>": get_args(key_parts.EventsPart),
    "<log>": get_args(key_parts.LogPart),
    "<user>": get_args(key_parts.LogPart),
    "<group>": get_args(key_parts.LogPart),
    "<topic>": get_args(key_parts.LogPart),
}

# Keys that some files get as a whole base, so the part is not in their text.
BY_BASE = {"n/", "i/", "part/", "gone/", "probe"}

_COMMENT = re.compile(r"--\[\[.*?\]\]|--[^\n]*", re.DOTALL)
_HASH = re.compile(r"redis\.call\('H(?:GET|MGET|SET|SETNX|DEL|INCRBY)', [^,\n]+, ('[^)\n]*)\)")


def listed() -> dict[str, list[str]]:
    """Each key of the document, with the files that write or read it."""
    found = [
        (key.strip("`"), f"{written} {read}") for key, _, _, _, written, read, _ in rows([DOCUMENT], *HEAD)
    ]
    assert len(dict(found)) == len(found), "a key has two rows"
    return {key: re.findall(r"`([\w/]+\.(?:lua|py))`", files) for key, files in found}


def part_of(key: str) -> tuple[str, str]:
    """The beginning of a key of the document, and its part: with a slash where a name follows."""
    if key.startswith("{tidings}/"):
        return "", key
    if key == "<record>":
        return "{p<k>}", "n/"
    beginning = max((each for each in PARTS if key.startswith(f"{each}/")), key=len, default="")
    part, _, name = key.removeprefix(f"{beginning}/").partition("/")
    return beginning, f"{part}/" if name else part


def scripts() -> dict[str, str]:
    """The text of the scripts and includes by file name, without comments; of both where they share it."""
    texts: dict[str, str] = {}
    for path in sorted(SCRIPTS.rglob("*.lua")):
        texts[path.name] = texts.get(path.name, "") + _COMMENT.sub("", path.read_text())
    return texts


def parts_in(text: str) -> set[str]:
    """The parts of keys that a script builds; some loop over a list of parts."""
    loops = " ".join(re.findall(r"ipairs\(\{([^}]*)\}\)", text))
    known = {part for parts in PARTS.values() for part in parts}
    return set(re.findall(r"'/([a-z-]+/?)'", text)) | (set(re.findall(r"'([a-z-]+)'", loops)) & known)


def makers() -> dict[str, str]:
    """The names in keys.py that make or are a key, with its part, or the whole key without a partition."""
    found = {"tenant_keys": keys.tenant_keys("<tenant>")}
    for name, value in vars(keys).items():
        if str(value).startswith("{tidings}/"):
            found[name] = value
        elif inspect.isfunction(value) and name not in {"_key", "key_of"}:
            parameters = list(inspect.signature(value).parameters)
            made = parameters[0] == "partition" and re.match(
                r"\{p7\}/([a-z-]+/?)", value(*[7, "name", "identity"][: len(parameters)])
            )
            if made:
                found[name] = made[1]
    return found


def used_in(path: Path, known: dict[str, str]) -> Iterator[str]:
    """The parts of keys that a module takes from keys.py."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(attr="key"), args=[ast.Constant(value=str(part)), *names]):
                yield f"{part}/" if names else part
            case ast.ImportFrom(module=keys.__name__, names=names):
                yield from (known[each.name] for each in names if each.name in known)
            case _:
                pass


def name_of(path: Path) -> str:
    """The name of a module in the document."""
    for folder in (STORE, WORKERS, API):
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    raise AssertionError(path)


def modules() -> list[Path]:
    return [path for folder in (WORKERS, API) for path in folder.rglob("*.py") if path != STORE / "keys.py"]


def test_keys_are_those_of_the_code() -> None:
    """The document has a row for each key that keys.py allows, and none for another key."""
    documented: dict[str, set[str]] = {beginning: set() for beginning in PARTS}
    fixed = set()
    for key in listed():
        beginning, part = part_of(key)
        if key.startswith("{tidings}/"):
            fixed.add(key)
        elif key != "<log>":
            documented[beginning].add(part.rstrip("/"))
    constants = {value for value in vars(keys).values() if str(value).startswith("{tidings}/")}
    assert fixed == constants | {keys.tenant_keys("<tenant>")}
    of_logs = [documented.pop(beginning) for beginning in ("<log>", "<user>", "<group>", "<topic>")]
    assert len(set.union(*of_logs)) == sum(map(len, of_logs))
    assert documented == {beginning: set(PARTS[beginning]) for beginning in documented}
    assert set.union(*of_logs) == set(get_args(key_parts.LogPart))


def test_keys_of_the_scripts_are_listed() -> None:
    """Each part that a script appends to a key has a row that names the script."""
    files: dict[str, set[str]] = {}
    for key, named in listed().items():
        files.setdefault(part_of(key)[1], set()).update(named)
    missing = [
        f"/{part}: {name}"
        for name, text in sorted(scripts().items())
        for part in sorted(parts_in(text))
        if name not in files.get(part, ())
    ]
    assert not missing, "not listed:\n" + "\n".join(missing)


def test_modules_that_use_a_key_are_listed() -> None:
    """Each module that uses a key of keys.py is named in the row of that key."""
    known = makers()
    assert {"feed", "ingress", "tenant_sends", "META", "tenant_keys"} <= set(known)
    files: dict[str, set[str]] = {}
    for key, named in listed().items():
        files.setdefault(part_of(key)[1], set()).update(named)
    missing = [
        f"/{part}: {name_of(path)}"
        for path in modules()
        for part in used_in(path, known)
        if name_of(path) not in files.get(part, ())
    ]
    assert not missing, "not listed:\n" + "\n".join(missing)


def test_named_files_use_the_key() -> None:
    """A script or module that the row of a key names exists and builds that key."""
    known = makers()
    uses = {name: parts_in(text) for name, text in scripts().items()}
    uses |= {name_of(path): set(used_in(path, known)) for path in modules()}
    stale = [
        f"{key}: {name}"
        for key, files in listed().items()
        for name in files
        if name not in uses or (part_of(key)[1] not in uses[name] | BY_BASE)
    ]
    assert not stale, "listed, but not used:\n" + "\n".join(stale)


def test_fields_of_a_log_are_listed() -> None:
    """The document has each field of a hash that a script names, and no other field of a log."""
    named = {
        field
        for text in scripts().values()
        for call in _HASH.findall(text)
        for field in re.findall(r"'([a-z_]+)'", call)
    }
    fields = {field.strip("`") for field, _, _ in rows([DOCUMENT], "field", "of", "meaning")}
    members = {word for row in rows([DOCUMENT], *HEAD) for word in re.findall(r"`(\w+)`", row[3])}
    assert named - fields - members == set()
    assert fields - named == set()
