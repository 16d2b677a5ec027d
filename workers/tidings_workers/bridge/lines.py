"""The lines of a TOML file at which its tables and their keys begin. `tomllib` gives values only."""

import re
from typing import Final

_HEADER: Final = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_-]+)\s*\]\]?\s*(?:#.*)?").fullmatch
_KEY: Final = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))\s*=""").match


class Lines:
    """Finds the line of a fault, from 1. A table is named by its kind and its number among those."""

    def __init__(self, text: str) -> None:
        self._headers: dict[tuple[str, int], int] = {}
        self._keys: dict[tuple[str, int, str], int] = {}
        kind, number = "", 0
        for index, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER(line):
                kind = header[1]
                number = sum(each == kind for each, _ in self._headers)
                self._headers[kind, number] = index
            elif key := _KEY(line):
                name = key[1] or key[2] or key[3]
                self._keys.setdefault((kind, number, name), index)

    def of(self, kind: str, number: int = 0, key: str = "") -> int:
        """The line of a key, else that of its table, else 1. The kind of a key above all tables is empty."""
        return self._keys.get((kind, number, key)) or self._headers.get((kind, number), 1)
