"""`tidings-server` in a shell: help, exit codes, narrow terminals, pipes, full disks."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.support import tidings_server
from tests.support.stack import clean_environment
from tidings_api.cli.app import run

COMMANDS = ("api", "config", "dev", "dispatcher", "doctor", "gateway", "keys", "restored", "tenants", "token")
REQUIRED = {
    ("tenants", "create"): "ID",
    ("tenants", "update"): "ID",
    ("tenants", "delete"): "ID",
    ("keys", "create"): "--tenant",
    ("keys", "list"): "--tenant",
    ("keys", "revoke"): "KID",
    ("token",): "--tenant",
}
LEAVES = [*REQUIRED, ("tenants", "list"), *((name,) for name in COMMANDS if name not in {"keys", "tenants"})]


def shell(line: str, *, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line in which `$T` is `tidings-server`."""
    environment = clean_environment(T=f"{sys.executable} -m tidings_api.cli", **variables)
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("words", [(), ("tenants",), ("keys",)])
def test_each_command_is_listed_with_a_description(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Without arguments each command is listed with its description, also in a narrow terminal."""
    wide = tidings_server(*words, cwd=tmp_path)
    assert wide.returncode == 0
    rows = [line.strip("│ ").split(None, 1) for line in wide.stdout.splitlines() if line.startswith("│ ")]
    bare = [row[0] for row in rows if len(row) == 1 and row[0] in {*COMMANDS, *(c[-1] for c in LEAVES)}]
    assert bare == []
    if not words:
        assert set(COMMANDS) <= {row[0] for row in rows}
    narrow = tidings_server(*words, cwd=tmp_path, environment={"COLUMNS": "40"})
    assert narrow.returncode == 0
    assert max(map(len, narrow.stdout.splitlines())) <= 40


Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Here:
    """A function that runs a command line in this process: its code, stdout and stderr."""

    def run_here(*words: str) -> tuple[int, str, str]:
        code = run(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_here


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_explains_itself(here: Here, words: tuple[str, ...]) -> None:
    """`--help` of each command has a description in addition to its options."""
    code, out, _ = here(*words, "--help")
    assert code == 0
    assert out.startswith(f"Usage: tidings-server {' '.join(words)}")
    assert "." in out.split("\n\n")[1]


@pytest.mark.parametrize(("words", "missing"), REQUIRED.items(), ids=str)
def test_a_missing_argument_is_named(here: Here, words: tuple[str, ...], missing: str) -> None:
    """A missing argument is named on stderr with exit code 2, for every command that requires one."""
    code, out, err = here(*words)
    assert (code, out) == (2, "")
    assert err == f"tidings-server: {missing} is missing. See `tidings-server {' '.join(words)} --help`\n"


@pytest.mark.parametrize("words", [leaf for leaf in LEAVES if leaf not in REQUIRED], ids=" ".join)
def test_an_unknown_option_is_wrong_usage(here: Here, words: tuple[str, ...]) -> None:
    """An unknown option gives exit code 2 and its name, for every command."""
    code, out, err = here(*words, "--no-such-option", "x")
    assert (code, out) == (2, "")
    assert "--no-such-option" in err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("foo", "there is no command 'foo'. See `tidings-server --help`"),
        ("tenant list", "there is no command 'tenant'. Did you mean 'tenants'? See `tidings-server --help`"),
        (
            "keys remove",
            "there is no command 'remove'. Did you mean 'revoke'? See `tidings-server keys --help`",
        ),
        ("dev --prot 9", "unknown option: --prot. Did you mean --port? See `tidings-server dev --help`"),
        ("dev --port abc", "--port takes a whole number, not 'abc'. See `tidings-server dev --help`"),
        ("dev --port 70000", "--port: it must be 65535 or less. See `tidings-server dev --help`"),
        ("dev --port", "--port needs a value. See `tidings-server dev --help`"),
        ("doctor now", "too many arguments: now. See `tidings-server doctor --help`"),
        (
            "keys create --tenant x --alg HS1",
            (
                'invalid value "HS1" for --alg. Choose from: "RS256", "ES256", "EdDSA". '
                "See `tidings-server keys create --help`"
            ),
        ),
    ],
)
def test_wrong_usage_is_one_line_that_names_no_type(here: Here, line: str, says: str) -> None:
    """Each mistake is one line on stderr, without boxes and names of Python, and names the help."""
    assert here(*line.split()) == (2, "", f"tidings-server: {says}\n")


def test_a_closed_stdout_is_one_line(tmp_path: Path) -> None:
    """With `>&-` the command does nothing and prints one line with the reason."""
    ended = shell("$T config >&-", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "tidings-server: standard output is closed: redirect it to /dev/null if you do not need it"
    ]


def test_every_operator_s_command_answers_in_json(tmp_path: Path, redis_url: str) -> None:
    """Each command except the parts takes --json, and stdout is then one line of JSON."""
    lines = [
        ("tenants", "create", "acme"),
        ("tenants", "update", "acme", "--retention", "30"),
        ("keys", "create", "--tenant", "acme", "--name", "the shop"),
        ("token", "--tenant", "acme", "--user", "ana"),
        ("keys", "list", "--tenant", "acme"),
        ("keys", "revoke", "--tenant", "acme", "k1"),
        ("tenants", "list"),
        ("doctor", "--no-ports"),
        ("restored",),
        ("tenants", "delete", "acme", "--yes"),
    ]
    for words in lines:
        ended = tidings_server(*words, "--json", cwd=tmp_path, environment={"REDIS_URL": redis_url})
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("\n") == 1
        json.loads(ended.stdout)
    assert json.loads(tidings_server("config", "--json", cwd=tmp_path).stdout)["settings"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["", "config --json"])
def test_a_full_disk_behind_stdout_is_one_line(tmp_path: Path, words: str, unbuffered: str) -> None:
    """An answer that can't be written gives exit code 1 and one line, with any buffering."""
    ended = shell(f"$T {words} > /dev/full", cwd=tmp_path, PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "pace left on" in ended.stderr


@pytest.mark.parametrize("words", ["", "config"])
def test_a_closed_pipe_gives_no_error_output(tmp_path: Path, words: str) -> None:
    """A closed pipe gives no traceback and no other output on stderr."""
    ended = shell(f"$T {words} | true", cwd=tmp_path)
    assert ended.stderr == ""


def test_completion_is_installed_for_a_shell(tmp_path: Path) -> None:
    """`--install-completion` writes a script with the names of the commands."""
    ended = shell("$T --install-completion --shell bash", cwd=tmp_path, HOME=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    (script,) = tmp_path.rglob("completions/tidings-server")
    assert all(name in script.read_text() for name in COMMANDS)
