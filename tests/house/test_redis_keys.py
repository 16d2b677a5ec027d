"""One module builds the keys of Redis in Python."""

import ast
from collections.abc import Iterator
from typing import get_args

from tests.support.tree import ROOT
from tidings_workers.store.key_parts import LogPart, PartitionPart, RecordPart

KEYS = ROOT / "workers" / "tidings_workers" / "store" / "keys.py"
PARTS = {f"/{part}" for parts in (LogPart, PartitionPart, RecordPart) for part in get_args(parts)}
BASES = ("u/", "g/", "a/", "i/", "n/", "s/", "sent/", "groups/", "feed/", "connections/", "closing/")


def built_in(source: str) -> Iterator[str]:
    """The expressions that build a key, or the part of a key."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.JoinedStr(values=[ast.Constant(value=str(first)), *_]) if first.startswith(BASES):
                yield ast.unparse(node)
            case ast.JoinedStr(values=values) if any(map(_adds_part, values[1:])) or _has_tag(values):
                yield ast.unparse(node)
            case ast.BinOp(op=ast.Add(), right=right) if _adds_part(right):
                yield ast.unparse(node)
            case ast.Constant(value=str(text)) if text.startswith(("{tidings}/", "{p")):
                yield ast.unparse(node)
            case _:
                pass


def _adds_part(node: ast.expr) -> bool:
    """Whether a text adds a part of a key to the text before it."""
    text = node.value if isinstance(node, ast.Constant) else ""
    return isinstance(text, str) and any(text == part or text.startswith(f"{part}/") for part in PARTS)


def _has_tag(values: list[ast.expr]) -> bool:
    """Whether a text has the hash tag of a partition at its start."""
    match values:
        case [ast.FormattedValue(value=ast.Call(func=ast.Name(id="tag"))), *_]:
            return True
        case [ast.Constant(value=str(text)), *_]:
            return text.startswith(("{p", "{tidings}"))
    return False


def test_keys_are_built_in_one_module() -> None:
    """No module of the API or the engine but store/keys.py builds a key of Redis."""
    modules = [
        path for folder in ("api", "workers") for path in (ROOT / folder).rglob("*.py") if path != KEYS
    ]
    found = [f"{path.relative_to(ROOT)}: {key}" for path in modules for key in built_in(path.read_text())]
    assert found == []


def test_a_key_built_elsewhere_is_found() -> None:
    """The check finds each way to build a key by hand, and ignores other texts with slashes."""
    ways = (
        'f"{tag(partition)}/{base}"',
        'f"{key}/members"',
        'f"{key}/times/{base}"',
        'key + "/holes"',
        'f"n/{tenant}/{identity}"',
        'f"{{p{partition}}}/lease"',
        '"{tidings}/tenants"',
    )
    assert [way for way in ways if not list(built_in(way))] == []
    assert [way for way in ('f"{url}/v1/inbox"', 'f"{pointer}/data"', '"/log"') if list(built_in(way))] == []
