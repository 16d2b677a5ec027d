"""Types the Python blocks of a document into Python, line by line, as a reader does.

`END` is printed after each block.
"""

import sys
from collections.abc import Sequence

END = "\x1e"

# No prompts and no echo of expressions, so that only the output of the block is printed.
_QUIET = "import sys; sys.ps1 = sys.ps2 = ''; sys.displayhook = lambda _: None"


def command(blocks: Sequence[str]) -> list[str]:
    """The Python to type into: with an event loop where a block awaits outside of a function."""
    awaits = any(
        line.startswith(("await ", "async with ", "async for ")) or " = await " in line
        for block in blocks
        for line in block.splitlines()
        if not line.startswith(" ")
    )
    return [sys.executable, "-W", "error", *(("-m", "asyncio") if awaits else ("-i", "-q"))]


def typed(blocks: Sequence[str]) -> str:
    """The lines that a reader types. A blank line closes an indented end of a block."""
    say_end = f"print({END!r}, end='', flush=True)"
    return "".join(f"{block.rstrip()}\n\n{say_end}\n" for block in (_QUIET, *blocks))


def failed(stderr: str) -> bool:
    """Whether a typed line raised an exception; the interpreter continues after one."""
    return any(
        line.startswith("Traceback ") or "SyntaxError" in line or "IndentationError" in line
        for line in stderr.splitlines()
    )
