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


def test_a_usual_program_passes_mypy(tmp_path: Path) -> None:
    """`mypy --strict` accepts lists of dicts, generators and keywords as users write them."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path)]
    done = subprocess.run([*command, str(PROGRAM)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_wrong_keyword_is_found_by_mypy(tmp_path: Path) -> None:
    """`mypy` reports a keyword that `send` does not have."""
    program = tmp_path / "wrong.py"
    program.write_text("import tidings\ntidings.Tidings('u', key='k').send(user='ana', title='Hi')\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path)]
    done = subprocess.run([*command, str(program)], capture_output=True, text=True, check=False)
    assert 'Unexpected keyword argument "user" for "send"' in done.stdout
