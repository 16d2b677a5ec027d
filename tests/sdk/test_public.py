"""The public face of the package."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tidings
from tidings import _models as models
from tidings import _public
from tidings.protocol import rest
from tidings.protocol.notifications import Sent


def imported_for_type_checkers() -> dict[str, set[str]]:
    tree = ast.parse(Path(tidings.__file__).read_text())
    return {
        node.module: {alias.name for alias in node.names}
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tidings.")
        if node.module != "tidings._public"
    }


def test_type_checkers_see_the_names_that_are_loaded() -> None:
    """The lazy names, the imports for type checkers and __all__ are the same."""
    assert {home: set(names.split()) for home, names in _public.HOMES.items()} == imported_for_type_checkers()
    assert set(tidings.__all__) == set().union(*imported_for_type_checkers().values())


@pytest.mark.parametrize("name", tidings.__all__)
def test_everything_public_is_documented(name: str) -> None:
    """Each public name can be loaded, and each class and method has a docstring."""
    value = getattr(tidings, name)
    if not inspect.isclass(value):
        return
    assert value.__doc__
    for method, function in vars(value).items():
        if inspect.isfunction(function) and not method.startswith("_"):
            assert function.__doc__, f"{name}.{method}"


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A wrong name raises AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="Tiding"):
        _ = tidings.Tiding


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import tidings.protocol.frames", "httpx jwt websockets cyclopts rich asyncio"),
        ("from tidings import Tidings", "jwt websockets cyclopts"),
        ("import tidings.cli", "httpx jwt websockets"),
    ],
)
def test_unused_modules_are_not_loaded(statement: str, absent: str) -> None:
    """The protocol loads only msgspec, and a client loads no WebSocket library."""
    code = f"import sys; {statement}; print(*(set('{absent}'.split()) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    "name",
    [
        *("SentNotification", "Group", "Member", "InboxItem", "InboxPage"),
        *("UserReceipt", "OpenConnection", "Presence", "Erased"),
        *("Webhook", "WebhookWithSecret", "DisabledWebhook"),
        *("WebhookAttempt", "WebhookDelivery", "WebhookTest"),
    ],
)
def test_answers_have_the_fields_of_the_protocol(name: str) -> None:
    """The result types of the SDK have the fields of the protocol."""
    assert set(getattr(tidings, name).__struct_fields__) == set(getattr(rest, name).__struct_fields__)


def test_a_sent_notification_has_the_fields_of_the_protocol() -> None:
    """The result of a send has the fields of the protocol, and `replayed`."""
    assert set(models.Sent.__struct_fields__) == {*Sent.__struct_fields__, "replayed"}


def test_the_command_says_what_it_needs() -> None:
    """Without `tidings[cli]` the command prints two lines on how to install it, and the SDK works."""
    code = (
        "import sys; sys.modules['cyclopts'] = sys.modules['rich'] = None;"
        "import tidings; tidings.Tidings, tidings.AsyncTidings, tidings.LiveInbox;"
        "from tidings.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 2
    assert "pip install 'tidings[cli]'" in done.stderr
