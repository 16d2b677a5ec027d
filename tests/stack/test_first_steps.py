"""The first steps of the README, as they are written."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.stack import END_SECONDS, START_SECONDS, Stack, clean_environment

# `tidings` is on the PATH, as in a shell whose virtual environment is active.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@contextmanager
def started(command: list[str], *, cwd: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A program whose output is read; it is killed at the end, and after at most a minute."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=clean_environment(PATH=PATH, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        timer = threading.Timer(START_SECONDS + END_SECONDS, process.kill)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            process.kill()


def run(command: str, *, cwd: Path, **variables: str) -> str:
    """The output of a shell line, which has to succeed."""
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=cwd,
        env=clean_environment(PATH=PATH, **variables),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def line_with(stream: Iterator[str] | None, start: str) -> str:
    """The next line with this beginning. Raises AssertionError when the program stops first."""
    assert stream is not None
    for line in stream:
        if line.startswith(start):
            return line.strip()
    raise AssertionError(f"no line begins with {start!r}")


@pytest.mark.skipif(shutil.which("curl") is None, reason="it pastes a curl line")
def test_the_lines_that_dev_prints_work_when_pasted(short_directory: Path) -> None:
    """The `tidings listen` that `dev` prints shows the notification that its `curl` line sends."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    command = [word for word in Stack(home).command() if word != "--json"]
    with started(command, cwd=home, TIDINGS_LOG_LEVEL="error") as dev:
        listen = line_with(dev.stdout, "TIDINGS_URL=")
        curl = line_with(dev.stdout, "curl ")
        with started(["/bin/sh", "-c", f"exec env {listen} --json --count 1"], cwd=home) as listener:
            assert line_with(listener.stderr, "listening") == "listening as ana; Ctrl-C stops"
            answer = json.loads(run(curl, cwd=home))
            assert (answer["status"], answer["durability"]) == ("accepted", "everysec")
            assert listener.stdout is not None
            arrived = json.loads(listener.stdout.readline())
            assert arrived["notification"]["id"] == answer["id"]
            assert arrived["notification"]["title"] == "Hello, Ana"
            assert listener.wait(END_SECONDS) == 0
        dev.send_signal(signal.SIGINT)
        assert dev.wait(END_SECONDS) == 0


@pytest.mark.parametrize("target", ["--user shell", "--group shell-group", "--all"])
def test_send_listen_and_inbox_in_a_shell(stack: Stack, target: str) -> None:
    """`tidings send` reaches a `tidings listen` in another process, and `tidings inbox` lists it."""
    home, places = stack.home, {"TIDINGS_URL": stack.api, "TIDINGS_KEY": stack.key}
    if "group" in target:
        with_group = "from tidings import Tidings; Tidings.from_env().groups.add('shell-group', 'shell')"
        run(f'{sys.executable} -c "{with_group}"', cwd=home, **places)
    listen = ["tidings", "listen", "--user", "shell", "--json", "--count", "1"]
    with started(listen, cwd=home, **places) as listener:
        line_with(listener.stderr, "listening")
        sent = json.loads(run(f"tidings send 'Deploy finished' {target} --json", cwd=home, **places))
        assert listener.stdout is not None
        arrived = json.loads(listener.stdout.readline())
        assert listener.wait(END_SECONDS) == 0
    listed = [
        json.loads(line) for line in run("tidings inbox --user shell --json", cwd=home, **places).splitlines()
    ]
    assert arrived["notification"]["id"] == sent["id"] == listed[0]["notification"]["id"]
    assert (listed[0]["log"], listed[0]["position"]) == (arrived["log"], arrived["position"])
