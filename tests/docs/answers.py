"""Compares the answer that a document shows with the real one.

Ids and times differ from run to run, so they need only be ids and times. A text that ends in ``…`` is cut
there.
"""

import json
import re
from typing import Any

_VOLATILE = (
    re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"),
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"),
)


def differences(language: str, shown: str, came: str) -> list[str]:
    """The differences from an answer block (`text`, `json` or `http`: status line and some headers)."""
    match language:
        case "json":
            return list(_unlike(json.loads(shown), json.loads(came), "$"))
        case "http":
            got = {_folded(line) for line in came.splitlines()}
            return [f"{line} is missing in {came}" for line in shown.splitlines() if _folded(line) not in got]
        case _:
            same = [line.rstrip() for line in shown.splitlines()] == [
                line.rstrip() for line in came.splitlines()
            ]
            return [] if same else [f"it prints {came}"]


def _folded(line: str) -> str:
    name, colon, value = line.partition(": ")
    return f"{name.lower()}{colon}{value}"


def _unlike(shown: Any, came: Any, at: str) -> list[str]:
    match shown, came:
        case dict(), dict():
            if shown.keys() != came.keys():
                return [f"{at} has the fields {', '.join(came)}"]
            return [line for key in shown for line in _unlike(shown[key], came[key], f"{at}.{key}")]
        case list(), list() if len(shown) == len(came):
            pairs = enumerate(zip(shown, came, strict=True))
            return [line for index, (a, b) in pairs for line in _unlike(a, b, f"{at}[{index}]")]
        case str(), str():
            volatile = any(kind.fullmatch(shown) and kind.fullmatch(came) for kind in _VOLATILE)
            cut = shown.endswith("…") and came.startswith(shown[:-1])
            return [] if shown == came or volatile or cut else [f"{at} is {came!r}"]
        case _:
            same = shown == came and type(shown) is type(came)
            return [] if same else [f"{at} is {came!r}"]
