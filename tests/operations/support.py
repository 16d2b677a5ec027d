"""Waiting for what other processes do."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

SECONDS = 10.0


async def eventually(true: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Poll every 5 ms until `true()`; TimeoutError naming `what` after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"{what} took longer than {seconds} s")
        await asyncio.sleep(0.005)


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def clean_environment(**variables: str) -> dict[str, str]:
    """This process' environment without any setting of ours, and with `variables`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TIDINGS_") and name not in {"REDIS_URL", "PROMETHEUS_MULTIPROC_DIR"}
    }
    return {**kept, **variables}


def tidings_server(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tidings-server` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tidings_api.cli", *arguments],
        cwd=cwd,
        env=clean_environment(**(environment or {})),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
