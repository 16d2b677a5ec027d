"""Values of JSON as literals of a language, as its formatter breaks lines."""

import json
import re
from typing import Any, Final

from msgspec import Struct

_WIDTH: Final = 80
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*")


class Language(Struct, frozen=True):
    """The words and the look of a language's literals."""

    words: dict[str, str]
    indent: int
    has_bare_keys: bool = False
    spaces_braces: bool = False
    # After the last item of several lines.
    last_comma: str = ","


PYTHON: Final = Language({"true": "True", "false": "False", "null": "None"}, 4)
JAVASCRIPT: Final = Language({}, 2, has_bare_keys=True, spaces_braces=True)
JSON: Final = Language({}, 2, last_comma="")


def literal(value: Any, language: Language, *, before: str = "") -> str:
    """The value in the language, on several lines if it does not fit into one.

    `before` is the text on its first line; its indentation is that of the last line.
    """
    flat = _flat(value, language)
    if len(before) + len(flat) < _WIDTH or not value or not isinstance(value, dict | list):
        return flat
    outer = len(before) - len(before.lstrip())
    inner = " " * (outer + language.indent)
    if isinstance(value, dict):
        starts = [(f"{inner}{_key(name, language)}: ", item) for name, item in value.items()]
        opening, closing = "{}"
    else:
        starts = [(inner, item) for item in value]
        opening, closing = "[]"
    items = [f"{start}{literal(item, language, before=start)}" for start, item in starts]
    lines = ",\n".join(items) + language.last_comma
    return f"{opening}\n{lines}\n{' ' * outer}{closing}"


def _flat(value: Any, language: Language) -> str:
    match value:
        case dict():
            pairs = ", ".join(
                f"{_key(name, language)}: {_flat(item, language)}" for name, item in value.items()
            )
            return f"{{ {pairs} }}" if pairs and language.spaces_braces else f"{{{pairs}}}"
        case list():
            return f"[{', '.join(_flat(item, language) for item in value)}]"
        case _:
            text = json.dumps(value, ensure_ascii=False)
            return language.words.get(text, text)


def _key(name: str, language: Language) -> str:
    return name if language.has_bare_keys and _NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)
