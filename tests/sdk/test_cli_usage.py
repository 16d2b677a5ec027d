"""Errors of the command `tidings`, and its exit codes."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

import tidings
from tests.sdk.gateway import KEY
from tests.sdk.shell import finished, playing
from tidings.cli.app import _app, run
from tidings.cli.common import DEFAULT_URL

SEND = ("send", "Hi", "--user", "ana")
WORDS: dict[str, tuple[str, ...]] = {
    "send": SEND,
    "get": ("get", "n1"),
    "recall": ("recall", "n1"),
    "sent": ("sent",),
    "export": ("export",),
    "receipts": ("receipts", "n1"),
    "listen": ("listen", "--user", "ana"),
    "events": ("events",),
    "inbox": ("inbox", "--user", "ana"),
    "mark": ("mark", "read", "n1", "--user", "ana"),
    "snooze": ("snooze", "n1", "--for", "3h", "--user", "ana"),
    "act": ("act", "n1", "approve", "--user", "ana"),
    "groups list": ("groups", "list"),
    "groups add": ("groups", "add", "g", "ana"),
    "groups remove": ("groups", "remove", "g", "ana"),
    "groups members": ("groups", "members", "g"),
    "groups delete": ("groups", "delete", "g"),
    "token": ("token", "ana"),
    "presence": ("presence", "ana"),
    "disconnect": ("disconnect", "ana"),
    "erase": ("erase", "ana", "--yes"),
}


def commands(app: App, *above: str) -> dict[str, App]:
    """Each command as its words, with the subcommands of groups."""
    found: dict[str, App] = {}
    for name in app:
        if name.startswith("-"):
            continue
        command = app[name]
        below = commands(command, *above, name)
        found |= below or {" ".join((*above, name)): command}
    return found


def test_the_tables_of_this_module_have_every_command() -> None:
    """The tables of this module have every command, so that a new one is tested."""
    assert set(commands(_app())) == set(WORDS)


def test_every_option_says_what_it_does() -> None:
    """Each argument and option of each command has a text in --help."""
    silent = [
        f"{name} {argument.name}"
        for name, command in commands(_app()).items()
        for argument in command.assemble_argument_collection()
        if argument.show and not argument.parameter.help
    ]
    assert silent == []


class Shell:
    """The command in this process: hundreds of runs would each start Python."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(
        self, *arguments: str, url: str = "http://127.0.0.1:9", key: str = KEY
    ) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        self._monkeypatch.setenv("TIDINGS_URL", url)
        self._monkeypatch.setenv("TIDINGS_KEY", key)
        code = run(arguments)
        out, err = self._capsys.readouterr()
        return code, out, err


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    """The URL of an API that refuses every key."""
    problem = {
        "title": "t",
        "status": 401,
        "detail": "No key k1.",
        "code": "invalid_token",
        "request_id": "r",
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.dumps(problem).encode()
            self.send_response(401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def one_line(err: str, words: str = "") -> None:
    assert re.fullmatch(r"tidings: \S.*\n", err), err
    assert words in err
    for name in ("Traceback", "to_users", "realtime_url=", "regex", "(?!", "Error", "None", "int."):
        assert name not in err


@pytest.mark.parametrize("name", WORDS)
def test_no_server_is_a_failure(name: str, shell: Shell) -> None:
    """Without a server each command exits with 1, and one line says what to check."""
    code, out, err = shell(*WORDS[name], "--retries", "0")
    assert (code, out) == (1, "")
    one_line(err, "Check that the server runs")


@pytest.mark.parametrize("name", WORDS)
def test_a_wrong_key_is_a_failure(name: str, shell: Shell, refusing: str) -> None:
    """With an unknown key each command exits with 1, and one line says what to check."""
    code, out, err = shell(*WORDS[name], url=refusing)
    assert (code, out) == (1, "")
    one_line(err, "Check that the key is complete")


@pytest.mark.parametrize("name", WORDS)
def test_a_key_is_needed(name: str, shell: Shell) -> None:
    """Without a key each command exits with 2, and one line says how to give one."""
    code, out, err = shell(*WORDS[name], key="")
    assert (code, out) == (2, "")
    one_line(err, "TIDINGS_KEY")


@pytest.mark.parametrize("name", WORDS)
def test_an_unknown_option_is_wrong_usage(name: str, shell: Shell) -> None:
    """With an unknown option each command exits with 2, and one line names the help."""
    code, out, err = shell(*WORDS[name], "--bogus")
    assert (code, out) == (2, "")
    one_line(err, f"`tidings {name} --help`")


@pytest.mark.parametrize("name", [name for name, words in WORDS.items() if words != tuple(name.split())])
def test_a_missing_argument_is_wrong_usage(name: str, shell: Shell) -> None:
    """With a missing argument each command exits with 2, and one line names it."""
    code, out, err = shell(*name.split())
    assert (code, out) == (2, "")
    one_line(err)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("send", "Hi"), "There is no target. Give --user, --group, --topic or --all"),
        (("send", "--user", "ana"), "There is no content. Give a title, --body or --data"),
        (("send", "Hi", "--user", "a/b"), "'a/b'"),
        ((*SEND, "--data", "[1]"), "JSON object"),
        ((*SEND, "--expires-in", "3x"), "90m"),
        ((*SEND, "--action", "track"), "ID=LABEL"),
        ((*SEND, "--link", "javascript:x"), "https://"),
        (
            (*SEND, "--key", KEY, "--key-file", "x"),
            "--key and --key-file exclude each other. Give one of them",
        ),
        ((*SEND, "--key-file", "/no/such/file"), "No such file"),
        ((*SEND, "--key", "demo.k1"), "<tenant>.<kid>.<secret>"),
        ((*SEND, "--key", "demo.k1.short"), "Copy the whole key"),
        ((*SEND, "--url", "ftp://x"), "http://"),
        (("send", "Hi", "--file", "x"), "--file"),
        (("send", "--file", "/no/such/file"), "No such file"),
        (("send", "--file", "-", "--key-file", "-"), "Standard input"),
        (("listen", "--token", "mine"), "--realtime-url"),
        (("listen", "--user", "ana", "--device", "a b"), "1 to 64 of"),
        (("listen", "--user", "ana", "--count", "0"), "1 or more"),
        (("events", "--type", "user.lost"), "user.online"),
        (("events", "--consumer", "w", "--after", "x"), "--after"),
        (("inbox", "--user", "ana", "--token", "mine"), "--token"),
        (("inbox", "--user", "ana", "--unread", "--state", "read"), "--unread"),
        (("inbox", "--user", "ana", "--limit", "x"), "a whole number"),
        (("inbox", "--user", "ana", "--after", "x"), "2026-11-22T07:00:00Z"),
        (("mark", "read", "--user", "ana"), "--all"),
        (("mark", "read", "n1", "--all", "--user", "ana"), "--all"),
        (("mark", "lost", "n1", "--user", "ana"), "unread"),
        (("mark", "read", "--up-to", "user", "--user", "ana"), "user=12"),
        (("mark", "read", "a/b", "--user", "ana"), "'a/b'"),
        (("presence", "a/b"), "'a/b'"),
        (("presence", "a", "b"), "Too many"),
        (("disconnect", "ana", "--connection", "c"), "--connection"),
        (("erase", "ana"), "--yes"),
        (("shout",), "'shout'"),
        (("inbx",), "Did you mean 'inbox'?"),
        (("groups", "ad"), "Did you mean 'add'?"),
    ],
)
def test_wrong_usage_is_named_in_plain_words(arguments: tuple[str, ...], words: str, shell: Shell) -> None:
    """Wrong usage exits with 2, and one line in the words of the command says how to correct it."""
    code, out, err = shell(*arguments)
    assert (code, out) == (2, "")
    one_line(err, words)


async def test_the_key_may_come_from_a_file_or_standard_input(tmp_path: Path) -> None:
    """--key-file takes the key from a file or from standard input."""
    (tmp_path / "key").write_text(KEY + "\n")
    async with playing({"DELETE /v1/notifications/n1": (204, None)}) as api:
        by_file = await finished("recall", "n1", "--key-file", str(tmp_path / "key"), url=api.url, key="")
        by_pipe = await finished(
            "recall", "n1", "--key-file", "-", url=api.url, key="", stdin=KEY.encode() + b"\n"
        )
    assert by_file == by_pipe == (0, "recalled n1\n", "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("30s", 30), ("90m", 5400), ("1d", 86_400), ("1h30m", 5400), ("2w", 1_209_600)],
)
async def test_durations_may_have_units(text: str, seconds: int) -> None:
    """--expires-in accepts seconds, minutes, hours, days and weeks."""
    sent = {
        "id": "n1",
        "status": "accepted",
        "durability": "always",
        "accepted_at": "2026-11-22T07:00:00.123Z",
    }
    async with playing({"POST /v1/notifications": (202, sent)}) as api:
        await finished(
            *SEND, "--expires-in", text, "--action", "track=Track=/t", "--action", "stop=Stop", url=api.url
        )
    assert api.bodies[0]["expires_in"] == seconds
    assert api.bodies[0]["actions"] == [
        {"id": "track", "label": "Track", "link": "/t"},
        {"id": "stop", "label": "Stop"},
    ]


def typed(*arguments: str, then: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a shell, with the text `then` behind it."""
    line = f'"$PYTHON" -W error -c "from tidings.cli import main; main()" {" ".join(arguments)} {then}'
    variables = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, "TIDINGS_KEY": KEY, **environment}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=variables)


@pytest.mark.parametrize(("then", "words"), [(">/dev/full", "No space left on device"), (">&-", "closed")])
def test_output_that_cannot_be_written_is_one_line(then: str, words: str) -> None:
    """A full disk or a closed output gives one line and exit code 1, never a traceback."""
    done = typed("--help", then=then)
    assert done.returncode == 1
    one_line(done.stderr, words)


def test_a_reader_may_stop_early() -> None:
    """`| head -n 1` stops the command, and stderr stays empty."""
    done = typed("send", "--help", then="| head -n 1")
    assert done.stderr == ""


def test_help_fits_a_narrow_terminal() -> None:
    """With 40 columns no line of --help is longer, and no text is cut off."""
    done = typed("send", "--help", COLUMNS="40")
    assert max(map(len, done.stdout.splitlines())) <= 40
    assert "…" not in done.stdout


async def test_no_color_means_no_escape_codes() -> None:
    """NO_COLOR turns colours off, also if colours are forced."""
    note = {"id": "n1", "title": "Hi", "priority": "urgent", "created_at": "2026-11-22T07:00:00.123Z"}
    item = {"log": "user", "position": 1, "state": "unseen", "notification": note}
    page: dict[str, Any] = {"items": [item], "next": None, "previous": None, "epoch": "e", "positions": {}}
    page["counts"] = {"unseen": 1, "unread": 1, "version": 1}
    async with playing({"GET /v1/users/ana/notifications": (200, page)}) as api:
        _, coloured, _ = await finished("inbox", "--user", "ana", url=api.url, FORCE_COLOR="1")
        _, plain, _ = await finished("inbox", "--user", "ana", url=api.url, FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[" in coloured
    assert "\x1b" not in plain


async def test_a_terminal_of_another_encoding_shows_escapes() -> None:
    """Characters that the output's encoding lacks are printed as escapes."""
    sent = {"id": "n1", "status": "accepted", "to": {"users": ["ana"]}, "title": "\N{PARTY POPPER}"}
    record = sent | {"accepted_at": "2026-11-22T07:00:00.123Z"}
    async with playing({"GET /v1/notifications/n1": (200, record)}) as api:
        code, out, err = await finished("get", "n1", url=api.url, PYTHONIOENCODING="ascii")
    assert (code, err) == (0, "")
    assert "title:     \\U0001f389" in out


def test_shells_can_complete() -> None:
    """The command writes a completion script for the shell that runs it."""
    done = typed("--install-completion", "--help")
    assert done.returncode == 0
    assert "completion" in done.stdout
    script = _app().generate_completion(shell="bash")  # noqa: S604 - a shell that is named, not one that is used
    assert "groups" in script


async def test_each_line_of_a_file_is_sent(tmp_path: Path) -> None:
    """--file sends each line, names the lines that are refused, and then exits with 1."""
    lines = [
        '{"to": {"users": ["ana"]}, "title": "one"}',
        "",
        '{"to_groups": "team", "title": "two"}',
        "not json",
        '{"to": {"user": ["ana"]}, "title": "four"}',
        '{"to": {"all": true}, "title": "five"}',
    ]
    (tmp_path / "messages.jsonl").write_text("\n".join(lines))
    refused = {"title": "t", "status": 422, "detail": "No.", "code": "invalid_request", "type": "x"}
    results = [{"id": "n1", "status": "accepted"}, {"id": "n2", "status": "accepted"}, {"error": refused}]
    async with playing({"POST /v1/notifications/batch": (202, {"results": results})}) as api:
        code, out, err = await finished("send", "--file", str(tmp_path / "messages.jsonl"), url=api.url)
        _, shown, _ = await finished(
            "send", "--file", "-", "--json", url=api.url, stdin="\n".join(lines).encode()
        )
    assert (code, out) == (1, "2 accepted, 3 refused\n")
    assert [line.split(":")[0] for line in err.splitlines()] == ["line 4", "line 5", "line 6"]
    assert "it is not a JSON object" in err
    assert api.bodies[0]["notifications"] == [
        {"to": {"users": ["ana"]}, "title": "one"},
        {"to": {"groups": ["team"]}, "title": "two"},
        {"to": {"all": True}, "title": "five"},
    ]
    answers: list[dict[str, Any]] = [json.loads(line) for line in shown.splitlines()]
    assert [answer["line"] for answer in answers] == [1, 3, 4, 5, 6]
    assert answers[0] == {"line": 1, "id": "n1", "status": "accepted"}
    assert answers[2]["error"]["code"] == "malformed_json"


async def test_a_file_of_accepted_lines_exits_with_0() -> None:
    """--file with only accepted lines prints a summary and exits with 0."""
    results = [{"id": "n1", "status": "accepted"}]
    async with playing({"POST /v1/notifications/batch": (202, {"results": results})}) as api:
        line = b'{"to": {"users": ["ana"]}, "title": "one"}\n'
        assert await finished("send", "--file", "-", url=api.url, stdin=line) == (
            0,
            "1 accepted, 0 refused\n",
            "",
        )


def test_an_empty_url_of_the_environment_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an empty TIDINGS_URL the command uses the default URL."""
    asked: list[str] = []

    def client(url: str, **_: Any) -> None:
        asked.append(url)
        raise tidings.ConfigurationError("seen")

    monkeypatch.setattr(tidings, "Tidings", client)
    monkeypatch.setenv("TIDINGS_KEY", KEY)
    for url in ("", " "):
        monkeypatch.setenv("TIDINGS_URL", url)
        assert run(SEND) == 2
    assert asked == [DEFAULT_URL, DEFAULT_URL]
    assert "seen" in capsys.readouterr().err
