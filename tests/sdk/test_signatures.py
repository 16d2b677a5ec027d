"""The signatures and docstrings that editors, Jupyter, help() and type checkers show."""

import inspect
import pydoc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tidings
from tests.sdk.gateway import KEY
from tidings import AsyncTidings, InvalidArgumentError, Tidings

PROGRAM = Path(__file__).parent / "programs" / "typed.py"
CLASSES = [
    *("Tidings", "AsyncTidings", "Groups", "AsyncGroups", "Tokens", "AsyncTokens", "Users", "AsyncUsers"),
    *("Inbox", "AsyncInbox", "LiveInbox", "BlockingInbox", "Delivery", "BlockingDelivery"),
    *("Sender", "AsyncSender", "Webhooks", "AsyncWebhooks"),
]


@pytest.mark.parametrize("name", CLASSES)
def test_each_method_shows_its_parameters(name: str) -> None:
    """No public method has `**` in its signature."""
    hidden = [
        method
        for method, function in inspect.getmembers(getattr(tidings, name), callable)
        if not method.startswith("_")
        and any(each.kind is each.VAR_KEYWORD for each in inspect.signature(function).parameters.values())
    ]
    assert hidden == []


@pytest.mark.parametrize("kind", [Tidings, AsyncTidings])
def test_every_field_of_a_message_is_a_keyword_of_send(kind: type[Any]) -> None:
    """`send` accepts each field of `Message`, and its docstring describes each."""
    parameters = inspect.signature(kind.send).parameters
    assert set(tidings.Message.__annotations__) <= set(parameters)
    undescribed = [name for name in tidings.Message.__annotations__ if f"`{name}`" not in kind.send.__doc__]
    assert undescribed == []


@pytest.mark.parametrize("kind", [tidings.Sender, tidings.AsyncSender])
def test_a_sender_sends_as_a_client(kind: type[Any]) -> None:
    """The `send` of a sender has the parameters of a client's, but `retries`: it repeats until `timeout`."""
    parameters, of_client = (inspect.signature(each.send).parameters for each in (kind, Tidings))
    assert list(parameters) == [name for name in of_client if name != "retries"]


@pytest.mark.parametrize("kind", [Tidings, AsyncTidings])
def test_every_listen_option_is_a_keyword_of_listen(kind: type[Any]) -> None:
    """`listen` accepts each key of `ListenOptions`, and its docstring describes each."""
    parameters = inspect.signature(kind.listen).parameters
    assert set(tidings.ListenOptions.__annotations__) <= set(parameters)
    assert [
        name for name in tidings.ListenOptions.__annotations__ if f"`{name}`" not in kind.listen.__doc__
    ] == []


@pytest.mark.parametrize("options", [tidings.ListenOptions, tidings.Message])
def test_help_on_a_dict_of_keywords_describes_each(options: Any) -> None:
    """help(ListenOptions) describes each key."""
    text = pydoc.plain(pydoc.render_doc(options))
    assert [
        name for name in options.__annotations__ if not text.partition("Method resolution")[0].count(name)
    ] == []


def test_help_on_the_package_shows_where_to_begin() -> None:
    """help(tidings) begins with a program that runs, and lists the methods."""
    text = pydoc.plain(pydoc.render_doc(tidings))
    for words in ("Tidings.from_env()", "tidings.send(", "listen(", "send_many", "TidingsError"):
        assert words in text[:3_000]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: c.send(user="ana", title="Hi"), "Did you mean 'to_users'? It takes to_users, to_groups"),
        (lambda c: c.send(to_users="ana", titel="Hi"), "Did you mean 'title'?"),
        (lambda c: c.listen(usr="ana"), "Did you mean 'user'?"),
        (lambda c: c.sent(limits=3), "Did you mean 'limit'?"),
        (lambda c: c.groups.members("g", pagesize=3), "Did you mean 'page_size'?"),
        (lambda c: c.inbox("ana").mark_read(upto={}), "Did you mean 'up_to'?"),
    ],
)
def test_the_error_for_a_wrong_keyword_names_the_right_one(call: Any, words: str) -> None:
    """The error for a wrong keyword suggests a similar one, and lists all keywords."""
    with Tidings("http://api", key=KEY) as client, pytest.raises(InvalidArgumentError) as raised:
        call(client)
    assert words in str(raised.value)


async def test_the_error_of_an_async_method_names_the_right_keyword() -> None:
    """Methods of the async client are coroutine functions, and raise the same errors."""
    assert inspect.iscoroutinefunction(AsyncTidings.send)
    async with AsyncTidings("http://api", key=KEY) as client:
        with pytest.raises(InvalidArgumentError, match="Did you mean 'to_groups'"):
            await client.send(group="g", title="Hi")  # type: ignore[call-arg]


def test_mypy_reports_a_wrong_keyword_and_nothing_else(tmp_path: Path) -> None:
    """`mypy --strict` accepts lists, generators and keywords as users write them, and no other keyword."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import tidings\ntidings.Tidings('u', key='k').send(user='ana', title='Hi')\n")
    # One run, because each run reads the types of the whole package.
    options = ("--strict", "--no-error-summary", "--config-file=", f"--cache-dir={tmp_path / 'cache'}")
    command = [sys.executable, "-m", "mypy", *options, str(PROGRAM), str(wrong)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 1, done.stdout + done.stderr
    assert 'wrong.py:2: error: Unexpected keyword argument "user" for "send"' in errors[0]
