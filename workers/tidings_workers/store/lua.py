"""The Lua scripts, with the includes that they name.

A line `--- @include "name"`, which may be indented, is replaced by the text of `scripts/includes/name.lua`.
Each script gets an include once, at the first line that names it, after the includes that the include itself
names.
"""

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError

_INCLUDE: Final = re.compile(r'^ *--- @include "(.*)"\n', re.MULTILINE)


class IncludeError(Exception):
    """A script names an include that does not exist or that includes itself."""


def load(folder: Traversable) -> dict[str, str]:
    """The text of every script of a folder by its name, without `.lua`. Raises IncludeError."""
    # Each file is read once: most includes are in many scripts.
    includes = _texts(folder / "includes")
    return {name: _Includes(includes).resolve(name, text) for name, text in sorted(_texts(folder).items())}


def _texts(folder: Traversable) -> dict[str, str]:
    return {
        file.name.removesuffix(".lua"): file.read_text()
        for file in folder.iterdir()
        if file.name.endswith(".lua")
    }


class _Includes:
    """Resolves the includes of one script."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._pasted: set[str] = set()
        self._open: list[str] = []

    def resolve(self, name: str, text: str) -> str:
        return _INCLUDE.sub(lambda line: self._include(line[1], name), text)

    def _include(self, name: str, includer: str) -> str:
        if name in self._open:
            cycle = " -> ".join([*self._open[self._open.index(name) :], name])
            raise IncludeError(f"Circular include in the Lua scripts: {cycle}. Remove one of these lines.")
        if name in self._pasted:
            return ""
        self._pasted.add(name)
        if name not in self._texts:
            raise IncludeError(
                f'{includer}.lua includes "{name}", but includes/{name}.lua does not exist. Add it.'
            )
        self._open.append(name)
        text = self.resolve(name, self._texts[name])
        self._open.pop()
        return text


SCRIPTS: Final = load(files("tidings_workers.store") / "scripts")
DIGESTS: Final = {name: hashlib.sha1(text.encode()).hexdigest() for name, text in SCRIPTS.items()}  # noqa: S324 - Redis names scripts so


async def load_missing(client: Redis | RedisCluster) -> None:
    """Load on every primary the scripts that one of them lacks. Raises the errors of redis-py."""
    try:
        present = await client.script_exists(*DIGESTS.values())
    except NoPermissionError:  # Only loading is essential, so a user may have the rights for that alone.
        present = [False] * len(SCRIPTS)
    for text, known in zip(SCRIPTS.values(), present, strict=True):
        if not known:
            await client.script_load(text)
