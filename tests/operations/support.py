"""Running `tidings-server`, and waiting for other processes."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.stack import clean_environment

SECONDS = 10.0


async def eventually(true: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Poll every 5 ms until `true()`. Raises TimeoutError with `what` after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"{what} took longer than {seconds} s")
        await asyncio.sleep(0.005)


def tidings_server(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tidings-server` until it exits."""
    return subprocess.run(
        [sys.executable, "-m", "tidings_api.cli", *arguments],
        cwd=cwd,
        env=clean_environment(**(environment or {})),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
