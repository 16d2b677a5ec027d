"""Plays the Python blocks of a document, as a reader does in `python -m asyncio`.

Reads a JSON list of ``[name, code]`` from stdin. All blocks share one namespace and one event loop, and
`END` is printed after each.
"""

import ast
import asyncio
import inspect
import json
import sys

END = "\x1e"


def play(blocks: list[tuple[str, str]]) -> None:
    """Run them in order; what one raises ends it."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for name, code in blocks:
            compiled = compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(compiled, namespace)  # noqa: S307 - the documents are our own
            if inspect.iscoroutine(result):
                runner.run(result)
            sys.stdout.write(END)
            sys.stdout.flush()


if __name__ == "__main__":
    play(json.load(sys.stdin))
